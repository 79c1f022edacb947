// SPDX-License-Identifier: Apache-2.0
// step.h: a way to switch root as data. A strategy is a function from a Plan to a list of steps;
// the model predicts that list, the library performs it (switch/step_executor.h), benchmarks time
// it phase by phase, and the corpus has it as a scenario.
//
//     steps(Strategy::dot_dot, plan)  ->  namespaces   chdir /srv/image
//                                         namespaces   unshare mnt
//                                         propagation  make-rslave /
//                                         bind         open_tree newroot . clone,recursive  ...
//                                         pivot        open oldroot /  ...
//
// No step looks the new root up by a name: names may lead elsewhere by then. The directory was
// opened when it was checked. A descriptor of it is of no use in a new mount namespace, which has
// copies of the mounts; but the current directory moves on to the copy (EnterRoot), where it is '.'.
//
// A step is an operation (op/op.h), which the model knows, or one of the few below that only the
// library performs. Some of those are operations to the model (a directory of mode 0700 is mkdir
// and chmod); the others touch no mount and no root, and the model skips them. This code makes no
// system call and reads nothing of the machine.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "op/op.h"
#include "switch/strategy/catalogue.h"

namespace pivotcheck::strategy {

// What a step is for; benchmarks time each phase. `prepare` is done once for many switches
// (template); `teardown` has no step: the kernel does it when the namespace's last process is gone.
enum class Phase : unsigned char {
  prepare,
  namespaces,
  propagation,
  bind,
  pivot,
  detach,
  start,
  teardown,
};
std::string_view name(Phase phase);

// --- steps that have no verb ---------------------------------------------------------------------

// The process enters the new root by the descriptor that was checked (fchdir). To the model: chdir.
struct EnterRoot {
  std::string path;  // as the caller named it: for messages
};
// The first process of a new PID namespace does the rest. It becomes init: it reaps, and passes
// signals on.
struct NewPidNamespace {};
// The process waits until its parent has written the id maps of its new user namespace, then takes
// its ids there. To the model: part of `unshare user`.
struct MapIds {};
// IPC, UTS, network and control group namespaces, as CLONE_... bits. The loopback interface of a
// new network namespace is set up.
struct UnshareOthers {
  unsigned long kinds = 0;
};
// A directory that nobody else can enter, not even for a moment: mkdir with mode 0700. The handle
// holds a lock (flock) on it as long as it is open: a later switch removes one that nobody holds.
struct MakePrivateDirectory {
  Path path;
  HandleName lock{"lock"};
};
// open_tree of a path without symbolic links: ELOOP if one has come in since it was checked. To the
// model, where none has: open_tree.
struct OpenTreeNoLinks {
  OpenTree call;
};
// Opens `path` with `root` as the root directory: no link and no '..' leads out of it (openat2,
// RESOLVE_IN_ROOT). To the model, where no such link exists: open.
struct OpenInRoot {
  HandleName handle;
  HandleName root;
  std::string path;  // begins with '/'
};
// A new filesystem that the model does not have, as a detached mount: proc, of the process's PID
// namespace; devpts, with terminals of its own. And its attachment, which
// closes the handle unless it is to be kept.
struct NewProc {
  HandleName handle;
};
struct NewPts {
  HandleName handle;
};
struct AttachNew {
  HandleName mount;
  HandleName target;
  bool keep = false;
};
// A clone of the caller's /dev/null, private; and what it is for: the parts of an attached proc
// that are the whole machine's are hidden or read-only (switch/mask_proc.h). That closes both
// handles. Not steps of the model, which has no /proc.
struct CloneNull {
  HandleName handle;
};
struct MaskProc {
  HandleName proc;
  HandleName null;
};
// The mounts are locked (switch/lock_mounts.h): in a copy of the mount namespace that the process
// enters. To the model, which would need a second task for it: not a step. If it is refused, the
// switch goes on, and says so.
struct LockMounts {};
// No user namespace can be made in the process's own one, nor below (user.max_user_namespaces):
// nothing that the command has lost comes back in another one.
struct ForbidUserNamespaces {};
// The host name of a new UTS namespace (sethostname).
struct SetHostname {
  std::string name;
};
// The process leaves its terminal (setsid) and its keyring.
struct NewSession {};
// The parent opens the process's mount namespace (and its user namespace, if it is new) and keeps
// it under this task's name, for `setns` in later switches. To the model: a task that stays there
// (spawn).
struct KeepNamespace {
  TaskName name;
};
// Capabilities, no_new_privs, seccomp, descriptors: what the command must not have.
struct DropPrivileges {};
// The command.
struct Execute {};

using Action = std::variant<Op, EnterRoot, NewPidNamespace, MapIds, UnshareOthers,
                            MakePrivateDirectory, OpenTreeNoLinks, OpenInRoot, NewProc, NewPts,
                            AttachNew, CloneNull, MaskProc, LockMounts, ForbidUserNamespaces,
                            SetHostname, NewSession, KeepNamespace, DropPrivileges, Execute>;

struct SwitchStep {
  Phase phase = Phase::start;
  Action action;
  std::string about = {};  // for messages: "the mount at /proc"; "" if the action says it all
};
using Steps = std::vector<SwitchStep>;

// Appends steps of one phase.
template <class... Actions>
void add(Steps& steps, Phase phase, Actions... actions) {
  (steps.push_back({phase, Action(std::move(actions))}), ...);
}

// Visits the operation, or the action that has no verb.
template <class Visitor>
auto visit(const Visitor& visitor, const SwitchStep& step) {
  return std::visit(
      [&]<class T>(const T& action) {
        if constexpr (std::is_same_v<T, Op>) return std::visit(visitor, action);
        else return visitor(action);
      },
      step.action);
}

// The operations that the model performs for a step: none for one that it skips.
std::vector<Op> modelled(const SwitchStep& step);
// "rbind /new /new", "mkdir -m 0700 /new/old": one line, for messages.
std::string describe(const SwitchStep& step);

// --- what a strategy gets ------------------------------------------------------------------------

struct MountRequest {
  MountAt what;          // its target begins with '/'
  bool of_file = false;  // the source of a bind is no directory
  std::string console = {};  // of DevAt: the caller's terminal, "" for none

  [[nodiscard]] const std::string& target() const {
    return std::visit([](const auto& one) -> const std::string& { return one.target; }, what);
  }
};

// One name in the top directory of the new root; tmpfs-sandbox attaches them one by one.
struct Entry {
  enum class Kind : unsigned char { directory, file, symlink };
  std::string name;
  Kind kind = Kind::directory;
  std::string link_target = {};  // of a symlink
};

// Sources of binds are absolute paths of the caller's, without links; targets of mounts are paths
// in the new root.
struct Plan {
  std::string new_root = "/new";    // as the caller named it; only for messages
  std::string put_old = "old";      // the name of the old root's directory, where one is needed
  Propagation propagation = Propagation::private_;  // of /, where the strategy leaves the choice
  std::vector<MountRequest> mounts;
  std::vector<Entry> contents;  // of new_root; tmpfs-sandbox only
  bool read_only = false;       // new_root and everything mounted below it, but not `mounts`
  bool user_namespace = false;
  bool pid_namespace = false;
  bool mount_namespace = false;  // also where the strategy could do without: chroot
  unsigned long other_namespaces = 0;  // CLONE_... bits
  std::string hostname;
  bool lock_mounts = false;
  bool confine = false;  // the new root is nosuid and nodev; no user namespaces
  bool new_session = false;
  std::string directory = "/";  // in the new root: where the command starts
};

Steps steps(Strategy strategy, const Plan& plan);

// The comment above each says where the sequence comes from, why each step comes where it does, and
// what it guarantees.
Steps put_old(const Plan& plan);
Steps dot_dot(const Plan& plan);
Steps manual(const Plan& plan);
Steps proc_first(const Plan& plan);
Steps tmpfs_sandbox(const Plan& plan);
Steps move_chroot(const Plan& plan);
Steps chroot(const Plan& plan);
Steps template_(const Plan& plan);
// What `template` needs to be there: performed once, by a process that ends then.
Steps template_preparation(const Plan& plan);

}  // namespace pivotcheck::strategy
