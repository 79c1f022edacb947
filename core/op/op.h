// SPDX-License-Identifier: Apache-2.0
// op.h: the operations that a task of a scenario can perform, one struct for each; `Op` is any of
// them. The parser, the printer, the generators, the model, the kernel driver and the library visit
// them without a default case: a new operation does not compile until each of them handles it.
//
//     bind /a /b          Bind{.source = "/a", .target = "/b", .recursive = false}
//     make-rslave @h/sub  ChangePropagation{.path = {"h", "/sub"}, .to = slave, .recursive = true}
//
// `fields(self, visit)` visits the arguments in the order in which the text has them, so that text,
// wire format and mutation need one implementation for all. What the verb itself says (recursive,
// which propagation) is not a field; `verb()` and `prototypes()` know it.
//
// Source: scenario/FORMAT.md, section "Verbs".
#pragma once

#include <array>
#include <concepts>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "op/flags.h"
#include "op/outcome.h"

namespace pivotcheck {

// The number of a handle's name in its scenario. Only resolve() sets it (scenario/program.h); it is
// no part of what two operations are compared by.
inline constexpr int no_slot = -1;

// A path as a scenario writes it: it starts at handle `handle` if that is not empty (`@h`: text "",
// `@h/sub`: text "/sub"), otherwise `text` is the path, absolute or relative to the task's current
// directory; it may be empty. Without a handle, text never begins with '@' (write "./@x").
struct Path {
  std::string handle;
  std::string text;
  int slot = no_slot;  // of the handle, once it is resolved

  Path() = default;
  Path(std::string plain) : text(std::move(plain)) {}  // NOLINT: a word of a scenario is a path
  Path(const char* plain) : text(plain) {}             // NOLINT
  Path(std::string from_handle, std::string rest)
      : handle(std::move(from_handle)), text(std::move(rest)) {}
  bool operator==(const Path& other) const {
    return handle == other.handle && text == other.text;
  }
};

struct TaskName {  // [A-Z][A-Z0-9]*
  std::string text;
  bool operator==(const TaskName&) const = default;
};

struct HandleName {  // [a-z][a-z0-9]*
  std::string text;
  int slot = no_slot;  // once it is resolved
  bool operator==(const HandleName& other) const { return text == other.text; }
};

struct LinkTarget {  // the text of a symbolic link: never a handle
  std::string text;
  bool operator==(const LinkTarget&) const = default;
};

struct Mode {  // permission bits, at most 07777
  unsigned bits = 0;
  bool operator==(const Mode&) const = default;
};

enum class FilesystemType : unsigned char { tmpfs, ramfs };  // these are the words of the text

enum class Propagation : unsigned char { shared_, private_, slave, unbindable };

enum class MountFlag : unsigned char {
  ro,
  nosuid,
  nodev,
  noexec,
  noatime,
  nodiratime,
  strictatime,
  relatime,
  nosymfollow
};
using MountFlags = FlagSet<MountFlag>;

// Values of one setting, of which a mount has one. `relatime` is a word of operations only: a mount
// that has it has neither of the other two.
inline constexpr MountFlags atime_values{MountFlag::noatime, MountFlag::strictatime,
                                         MountFlag::relatime};
// All of the access times: what MNT_LOCK_ATIME locks, and what a remount without them keeps.
inline constexpr MountFlags atime_flags = atime_values.with({MountFlag::nodiratime});

enum class UmountFlag : unsigned char { detach, expire, nofollow };
using UmountFlags = FlagSet<UmountFlag>;

enum class NamespaceKind : unsigned char { mnt, user };
using NamespaceKinds = FlagSet<NamespaceKind>;

// `dac` is CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH together.
enum class Capability : unsigned char { sys_admin, sys_chroot, dac };
using Capabilities = FlagSet<Capability>;

enum class OpenTreeFlag : unsigned char { clone, recursive };
using OpenTreeFlags = FlagSet<OpenTreeFlag>;

enum class MoveMountFlag : unsigned char { beneath, set_group };
using MoveMountFlags = FlagSet<MoveMountFlag>;

// What mount_setattr changes: `+ro,-nosuid,shared`. No flag is in both sets; something is changed.
// `keep_atime`: MOUNT_ATTR__ATIME is not cleared, although an atime value may be named.
struct AttributeChange {
  MountFlags set;
  MountFlags clear;
  std::optional<Propagation> propagation;
  bool keep_atime = false;
  bool operator==(const AttributeChange&) const = default;
};

// Wrappers that tell the text apart from flags of the same kind.
struct RemountFlags {  // never left out; "rw" for none
  MountFlags flags;
  bool operator==(const RemountFlags&) const = default;
};
struct RecursiveWord {  // the optional word "recursive"
  bool on = false;
  bool operator==(const RecursiveWord&) const = default;
};

// What each operation has beside its members: `name`, its verb (of several, the first), and
// `fields(self, visit)`.
#define PIVOTCHECK_OP(Name, verb_name, ...)                                               \
  static constexpr std::string_view name = verb_name;                                     \
  template <class Self, class Visit>                                                      \
  static constexpr void fields([[maybe_unused]] Self& self, Visit&& visit) {              \
    [&](auto&... field) { (visit(field), ...); }(__VA_ARGS__);                            \
  }                                                                                       \
  bool operator==(const Name&) const = default

// clang-format off
struct Mkdir   { Path path;            PIVOTCHECK_OP(Mkdir, "mkdir", self.path); };
struct Rmdir   { Path path;            PIVOTCHECK_OP(Rmdir, "rmdir", self.path); };
struct Touch   { Path path;            PIVOTCHECK_OP(Touch, "touch", self.path); };
struct Unlink  { Path path;            PIVOTCHECK_OP(Unlink, "unlink", self.path); };
struct Rename  { Path from; Path to;   PIVOTCHECK_OP(Rename, "rename", self.from, self.to); };
struct Symlink { LinkTarget target; Path path;
                                       PIVOTCHECK_OP(Symlink, "symlink", self.target, self.path); };
struct Chmod   { Path path; Mode mode; PIVOTCHECK_OP(Chmod, "chmod", self.path, self.mode); };

struct Mount   { FilesystemType type = FilesystemType::tmpfs; Path path; MountFlags flags;
                 PIVOTCHECK_OP(Mount, "mount", self.type, self.path, self.flags); };
struct Bind    { Path source; Path target; bool recursive = false;
                 PIVOTCHECK_OP(Bind, "bind", self.source, self.target); };
struct Move    { Path source; Path target;
                 PIVOTCHECK_OP(Move, "move", self.source, self.target); };
struct ChangePropagation {
                 Path path; Propagation to = Propagation::private_; bool recursive = false;
                 PIVOTCHECK_OP(ChangePropagation, "make-shared", self.path); };
struct Remount { Path path; RemountFlags flags;
                 PIVOTCHECK_OP(Remount, "remount", self.path, self.flags); };
struct Umount  { Path path; UmountFlags flags;
                 PIVOTCHECK_OP(Umount, "umount", self.path, self.flags); };

struct PivotRoot { Path new_root; Path put_old;
                 PIVOTCHECK_OP(PivotRoot, "pivot_root", self.new_root, self.put_old); };
struct Chroot  { Path path;            PIVOTCHECK_OP(Chroot, "chroot", self.path); };
struct Chdir   { Path path;            PIVOTCHECK_OP(Chdir, "chdir", self.path); };
struct Open    { HandleName handle; Path path;
                                       PIVOTCHECK_OP(Open, "open", self.handle, self.path); };
struct Fchdir  { HandleName handle;    PIVOTCHECK_OP(Fchdir, "fchdir", self.handle); };
struct Close   { HandleName handle;    PIVOTCHECK_OP(Close, "close", self.handle); };

struct Spawn   { TaskName task;        PIVOTCHECK_OP(Spawn, "spawn", self.task); };
struct Exit    {                       PIVOTCHECK_OP(Exit, "exit"); };
struct Unshare { NamespaceKinds kinds; PIVOTCHECK_OP(Unshare, "unshare", self.kinds); };
struct Setns   { TaskName task; NamespaceKinds kinds;
                                       PIVOTCHECK_OP(Setns, "setns", self.task, self.kinds); };
struct DropCapabilities { Capabilities capabilities;
                 PIVOTCHECK_OP(DropCapabilities, "dropcap", self.capabilities); };
struct Limit   { NamespaceKinds kinds; PIVOTCHECK_OP(Limit, "limit", self.kinds); };

struct OpenTree { HandleName handle; Path path; OpenTreeFlags flags;
                 PIVOTCHECK_OP(OpenTree, "open_tree", self.handle, self.path, self.flags); };
struct MoveMount { Path source; Path target; MoveMountFlags flags;
                 PIVOTCHECK_OP(MoveMount, "move_mount", self.source, self.target, self.flags); };
struct MountSetattr { Path path; AttributeChange change; RecursiveWord recursive;
                 PIVOTCHECK_OP(MountSetattr, "mount_setattr", self.path, self.change,
                               self.recursive); };
struct Fsmount { HandleName handle; FilesystemType type = FilesystemType::tmpfs; MountFlags flags;
                 PIVOTCHECK_OP(Fsmount, "fsmount", self.handle, self.type, self.flags); };
// clang-format on

using Op = std::variant<Mkdir, Rmdir, Touch, Unlink, Rename, Symlink, Chmod, Mount, Bind, Move,
                        ChangePropagation, Remount, Umount, PivotRoot, Chroot, Chdir, Open, Fchdir,
                        Close, Spawn, Exit, Unshare, Setns, DropCapabilities, Limit, OpenTree,
                        MoveMount, MountSetattr, Fsmount>;

// One operation performed by one task.
struct Step {
  TaskName task{"A"};
  Op op;
  bool operator==(const Step&) const = default;
};

// "make-rslave"; never "".
std::string_view verb(const Op& op);
// The handle that the operation opens where it succeeds (open, open_tree, fsmount), or nullptr.
const HandleName* opened_handle(const Op& op);
// umount2 with MNT_EXPIRE.
bool is_expire(const Op& op);
// What an operation does to the tasks and handles of its scenario, where it succeeds.
enum class Effect : unsigned char {
  none,
  makes_task,
  ends_task,
  opens_handle,
  closes_handle,
  makes_user_namespace,
  changes_credentials,  // in another way
};
Effect effect_of(const Op& op);
// One Op for each verb, its arguments empty, its verb-coded members set. Ordered as the format has
// them.
std::span<const Op> prototypes();
// The index in prototypes() of this operation's verb; their number if none has it.
std::size_t verb_index(const Op& op);

// One of several operations: for visitors that treat some of them alike, but name each.
template <class T, class... Types>
concept OneOf = (std::same_as<T, Types> || ...);

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

}  // namespace pivotcheck
