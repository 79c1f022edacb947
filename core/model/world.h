// SPDX-License-Identifier: Apache-2.0
// world.h: the state that the model keeps, as plain data.
//
//     Filesystem ---- its tree of Dentry objects            a directory exists once, no matter how
//         ^                ^        ^                       many mounts show it
//         |  root          |        | mount point
//       Mount ------------'  Mount -'---- parent: Mount     a Mount shows a Dentry (`root`) and all
//         |                    |                            below it, and sits on a Dentry of its
//         |  peer group        |  namespace                 parent mount; at most one Mount on each
//         v                    v                            (parent, mount point) pair
//      PeerGroup -- master  Namespace -- owner: UserNamespace
//
//       Task: root, current directory, handles (each a Location: a Mount and a Dentry, the kernel's
//             struct path), a mount namespace, a UserNamespace, capabilities
//
// The lowest mount of each mount namespace is mounted on the kernel's own rootfs. That is a Mount
// here like any other (so that "has a parent" and "its parent is shared" need no special case). It
// is never shown.
//
// Peer groups. A shared mount is a member of exactly one PeerGroup. The group, not the mount, has a
// master, because all members of a group receive from the same one. A slave that is not shared has
// a master of its own.
//
// A mount that was unmounted while a task's root, current directory or handle was on it
// (`unmounted`) is in no namespace. It is forgotten when the last of these has gone. Such mounts
// may still be mounted on each other: see propagation.h.
//
// A detached tree, which open_tree or fsmount made, is a mount namespace that no task is ever in
// (the kernel's "anonymous" ones). Its lowest mount has no parent. It lasts until it is attached
// somewhere, or until the last handle that came with it is closed.
//
// Not modelled: contents of files, ownership (every task is uid 0 and owns everything), times.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/traits.h"
#include "op/op.h"
#include "op/privilege.h"
#include "view/snapshot.h"

namespace pivotcheck::model {

// An index into one of World's tables; `none` is no object.
template <class Tag>
struct Index {
  std::uint32_t value = UINT32_MAX;
  [[nodiscard]] constexpr bool exists() const { return value != UINT32_MAX; }
  auto operator<=>(const Index&) const = default;
};
using FilesystemId = Index<struct FilesystemTag>;
using DentryId = Index<struct DentryTag>;
using MountIndex = Index<struct MountTag>;
using GroupId = Index<struct GroupTag>;
using NamespaceId = Index<struct NamespaceTag>;
using UserNamespaceId = Index<struct UserNamespaceTag>;
using TaskIndex = Index<struct TaskTag>;
template <class T>
inline constexpr T none{};

struct Filesystem {
  DentryId root;
  bool read_only = false;
  UserNamespaceId mounted_in;  // the user namespace of the task that mounted it
};

enum class Kind : unsigned char { directory, file, symlink };

struct Dentry {
  FilesystemId filesystem;
  DentryId parent;  // the root of a filesystem is its own parent; kept when it is removed
  std::string name;
  std::string target;  // of a symlink
  std::vector<DentryId> children;
  unsigned mode = 0755;
  Kind kind = Kind::directory;
  bool removed = false;
};

struct Mount {
  DentryId root;
  MountIndex parent;    // none: rootfs, or unmounted and disconnected
  DentryId mount_point; // in the parent
  std::vector<MountIndex> children;
  NamespaceId mount_ns;    // none: in no namespace (unmounted)
  GroupId group;        // none: not shared
  GroupId own_master;   // of a slave that is not shared
  MountIndex kept_with; // and the member of that group that it is kept with (propagation.cc)
  MountFlags flags;         // without relatime (op.h)
  MountFlags locked_flags;  // may not be cleared (noatime: no access time may be changed)
  bool unbindable = false;
  bool locked = false;      // may not be separated from what it covers
  bool expiry_mark = false;
  bool mark_is_unclear = false;  // it may be gone: a link was followed since (lookup.h)
  bool unmounted = false;
  bool exists = true;       // false: the index is free
};

struct PeerGroup {
  std::vector<MountIndex> members;  // never empty while the group exists; as a ring: copies follow
                                    // what they were made of
  GroupId master;
  MountIndex kept_with;  // as a mount's
};

struct Namespace {
  UserNamespaceId owner;
  MountIndex rootfs;         // none: a detached tree, or the namespace is gone
  MountIndex detached_root;  // of a detached tree, while it is one
  NamespaceId origin;        // of a detached tree: whose tasks may use it; none: of any namespace
};

struct UserNamespace {
  UserNamespaceId parent;
  int level = 0;
  NamespaceKinds exhausted = {};  // no more of these can be made in it, nor below it
};

struct Location {
  MountIndex mount;
  DentryId dentry;
  bool operator==(const Location&) const = default;
};

struct Handle {
  std::string name;
  int slot = no_slot;  // of the name in the program (scenario/program.h)
  Location at;
  NamespaceId keeps;  // the detached tree that came with it

  // A path that starts at this handle; `rest` is empty or begins with '/'.
  [[nodiscard]] Path path(std::string rest = "") const {
    Path result(name, std::move(rest));
    result.slot = slot;
    return result;
  }
};

struct Task {
  std::string name;
  Location root;
  Location current_directory;
  std::vector<Handle> handles;
  NamespaceId mount_ns;
  UserNamespaceId user_ns;
  Capabilities capabilities;
  bool alive = true;
};

// Limits of the format, as is tasks_max (scenario/program.h): a step that would pass them ends the
// run.
inline constexpr int mounts_max = 4000;
inline constexpr int user_namespace_depth_max = 16;

class World {
 public:
  World(Privilege privilege, const KernelTraits& kernel_traits);

  KernelTraits traits;
  std::vector<Filesystem> filesystems;
  std::vector<Dentry> dentries;
  std::vector<Mount> mounts;
  std::vector<PeerGroup> groups;
  std::vector<Namespace> mount_namespaces;
  std::vector<UserNamespace> user_namespaces;
  std::vector<Task> tasks;  // in the order in which they were made
  int mount_count = 0;      // mounts in namespaces, without each namespace's rootfs
  bool has_unmounted = false;
  bool has_detached_trees = false;
  bool met_many_links = false;  // a lookup followed more than half of the links it may

  Filesystem& operator[](FilesystemId id) { return filesystems[id.value]; }
  Dentry& operator[](DentryId id) { return dentries[id.value]; }
  Mount& operator[](MountIndex id) { return mounts[id.value]; }
  PeerGroup& operator[](GroupId id) { return groups[id.value]; }
  Namespace& operator[](NamespaceId id) { return mount_namespaces[id.value]; }
  UserNamespace& operator[](UserNamespaceId id) { return user_namespaces[id.value]; }
  Task& operator[](TaskIndex id) { return tasks[id.value]; }
  const Filesystem& operator[](FilesystemId id) const { return filesystems[id.value]; }
  const Dentry& operator[](DentryId id) const { return dentries[id.value]; }
  const Mount& operator[](MountIndex id) const { return mounts[id.value]; }
  const PeerGroup& operator[](GroupId id) const { return groups[id.value]; }
  const Namespace& operator[](NamespaceId id) const { return mount_namespaces[id.value]; }
  const UserNamespace& operator[](UserNamespaceId id) const { return user_namespaces[id.value]; }
  const Task& operator[](TaskIndex id) const { return tasks[id.value]; }

  // --- tasks and capabilities
  [[nodiscard]] TaskIndex find_task(std::string_view name) const;  // alive ones only
  // user_namespaces(7): a task has a capability in its own user namespace if the set has it; in one
  // below its own it has all of them (every task here has the uid that owns the one below); else
  // none.
  [[nodiscard]] bool capable(const Task& task, Capability capability, UserNamespaceId in) const;
  [[nodiscard]] bool is_below(UserNamespaceId lower, UserNamespaceId upper) const;  // strictly
  // namespaces(7), The /proc/sys/user directory: what is made in a user namespace counts in those
  // above it, too.
  [[nodiscard]] bool is_exhausted(NamespaceKind kind, UserNamespaceId in) const;

  // --- dentries
  //
  // In a directory with many children a child is found by an index. Scenarios of that size are
  // rare, and worlds are made and copied often, so the others have none.
  FilesystemId new_filesystem(FilesystemType type, bool read_only, UserNamespaceId mounted_in);
  DentryId new_dentry(DentryId parent, std::string_view name, Kind kind, unsigned mode);
  [[nodiscard]] DentryId child(DentryId directory, std::string_view name) const;
  void unlink_dentry(DentryId dentry) {
    remove_child(dentry);
    (*this)[dentry].removed = true;
  }
  // Makes it a child of the directory, by this name, wherever it was before.
  void rename_dentry(DentryId dentry, DentryId directory, std::string_view name);
  [[nodiscard]] bool is_below_or_at(DentryId dentry, DentryId ancestor) const;

  // Since 7.3 nothing stays mounted on an unmounted mount: the places where something was lead to one
  // empty directory for all, in which nothing can be found or made, as in a removed one.
  std::vector<Location> dead_places;
  MountIndex dead_end;  // the mount of that directory; made when first needed

  // --- mounts as a tree
  MountIndex new_mount(DentryId root) {
    mounts.emplace_back().root = root;
    return {static_cast<std::uint32_t>(mounts.size() - 1)};
  }
  // Makes a tree that is in no namespace a detached one.
  NamespaceId new_detached_tree(MountIndex root, UserNamespaceId owner, NamespaceId origin);
  [[nodiscard]] bool is_detached_tree(NamespaceId mount_ns) const {
    return mount_ns.exists() && (*this)[mount_ns].detached_root.exists();
  }
  [[nodiscard]] MountIndex mounted_at(MountIndex parent, DentryId mount_point) const;
  void attach(MountIndex mount, MountIndex parent, DentryId mount_point);
  void detach_from_parent(MountIndex mount);
  void free_mount(MountIndex mount);
  void detach_to_dead_end(MountIndex mount);
  [[nodiscard]] bool has_parent(MountIndex mount) const { return (*this)[mount].parent.exists(); }
  // The mount and all below it, parents before children.
  [[nodiscard]] std::vector<MountIndex> subtree(MountIndex mount) const;
  // Follows whatever is mounted at a location, and on the root of that, to the top.
  [[nodiscard]] Location topmost(Location at) const;
  [[nodiscard]] bool is_mount_root(const Location& at) const {
    return (*this)[at.mount].root == at.dentry;
  }
  // As observers see it: the dead end is not removed, though it behaves so.
  [[nodiscard]] bool looks_removed(const Location& at) const {
    return (*this)[at.dentry].removed && at.mount != dead_end;
  }
  // `at` is in the part of the tree that hangs below `root`.
  [[nodiscard]] bool is_reachable(Location at, const Location& root) const;
  // The root, the current directory or a handle of a task is at such a location.
  [[nodiscard]] bool any_task_at(auto is_such) const {
    return std::ranges::any_of(tasks, [&](const Task& task) {
      return task.alive && (is_such(task.root) || is_such(task.current_directory) ||
                            std::ranges::any_of(task.handles, is_such, &Handle::at));
    });
  }
  [[nodiscard]] bool is_referenced(MountIndex mount) const {
    return any_task_at([mount](const Location& at) { return at.mount == mount; });
  }
  // What is on top at the root of the namespace; mount none if there is only rootfs.
  [[nodiscard]] Location namespace_root(NamespaceId mount_ns) const;
  [[nodiscard]] MountIndex lowest_mount(NamespaceId mount_ns) const {  // none if there is none
    const auto& children = (*this)[(*this)[mount_ns].rootfs].children;
    return children.empty() ? MountIndex{} : children.front();
  }

  // --- propagation as a relation (the rules are in propagation.h)
  [[nodiscard]] bool is_shared(MountIndex mount) const { return (*this)[mount].group.exists(); }
  [[nodiscard]] GroupId master(MountIndex mount) const {
    const Mount& m = (*this)[mount];
    return m.group.exists() ? (*this)[m.group].master : m.own_master;
  }
  GroupId new_group(GroupId master, MountIndex kept_with = {}) {
    groups.push_back({.members = {}, .master = master, .kept_with = kept_with});
    return {static_cast<std::uint32_t>(groups.size() - 1)};
  }
  // `after`: the member that it follows; none: the last one.
  void join_group(MountIndex mount, GroupId group, MountIndex after = {});
  // The member with which slaves are kept after this one leaves: the next one of the ring that
  // shows the same directory, or else the next one. None if it is alone.
  [[nodiscard]] MountIndex next_peer(MountIndex mount) const;
  // The one with which a slave is kept; none for other mounts.
  [[nodiscard]] MountIndex kept_with(MountIndex mount) const {
    const Mount& m = (*this)[mount];
    return m.group.exists() ? (*this)[m.group].kept_with : m.kept_with;
  }
  // Leaves its group, if it has one, without becoming a slave. A group without members dissolves:
  // its slaves become slaves of its master.
  void leave_group(MountIndex mount);

  // d_path: the path of a location from the top of the tree its mount is in. "/" for one that was
  // renamed out of what its mount shows, as in kernels.
  [[nodiscard]] std::string path_of(Location at) const;
  // The same for a mount's own root: its mount point. "" if that was renamed out of what is shown.
  [[nodiscard]] std::string mount_point_path(MountIndex mount) const;
  // As a process sees it whose root is `root`; "" if that is not below its root.
  [[nodiscard]] std::string mount_point_path(MountIndex mount, const Location& root) const;
  // Puts the path of `at` from the root of its mount before `path`; false if it is not below that.
  bool prepend_path_in_mount(Location at, std::string& path) const {
    return prepend_path(at.dentry, (*this)[at.mount].root, path);
  }
  // The path of a dentry from the root of its filesystem.
  [[nodiscard]] std::string path_in_filesystem(DentryId dentry) const;

 private:
  using ByName = std::unordered_map<std::string, DentryId>;

  bool prepend_path(DentryId from, DentryId top, std::string& path) const;
  void add_child(DentryId dentry);  // to its parent, by its name
  void remove_child(DentryId dentry);

  std::map<DentryId, ByName> large_directories_;  // those that once had many children
};

// What the world looks like; not canonical. `from` has the viewpoint of each namespace, in the order of
// the snapshot's; without it all of everything is shown. A location that is hidden from there is
// `detached`, as it is for an observer.
Snapshot snapshot(const World& world, std::span<const Viewpoint> from = {});

// What must hold in every world: "", or the first thing that does not hold, as a message.
std::string broken_invariant(const World& world);

}  // namespace pivotcheck::model
