// SPDX-License-Identifier: Apache-2.0
// mounts.cc: mount, bind, move, make-*, remount, umount. Sources: mount(2),
// umount(2), mount_namespaces(7), sharedsubtree.rst, and for unmounting propagate_umount.txt.
#include <algorithm>
#include <utility>

#include "model/apply/call.h"
#include "model/propagation.h"

namespace pivotcheck::model {
namespace {

// Of a bind or a move.
Refusal find_two(Call& call, const Path& source_path, const Path& target_path, Location& source,
                 Location& target) {
  if (source_path.text.size() >= path_bytes_max) return Rule::mount_source_too_long;
  if (const Refusal r = find(call, target_path, target)) return r;
  if (!may_mount(call)) return Rule::mount_no_capability;
  if (source_path.handle.empty() && source_path.text.empty()) return Rule::mount_source_empty;
  return find(call, source_path, source);
}

// A new mount goes on top of everything that is mounted at `target`.
Refusal find_mount_place(Call& call, Location target, Location& at) {
  World& world = call.world;
  at = world.topmost(target);
  world[at.mount].expiry_mark = false;
  if (is_gone(world, at)) return Rule::mount_target_gone;
  if (world[at.mount].mount_ns != call.task().mount_ns) return Rule::mount_target_foreign;
  return {};
}

bool is_busy(const World& world, MountIndex mount) {
  return !world[mount].children.empty() || world.is_referenced(mount);
}

// Unmounting would propagate to a mount that a task uses. By the quirk, one with mounts on it does not
// count, though it goes with them, unless the only one covers the root.
bool is_busy_elsewhere(const World& world, MountIndex mount) {
  if (!world.traits.umount_takes_busy_copies) {
    return std::ranges::any_of(unmounted_with(world, mount),
                               [&](MountIndex copy) { return world.is_referenced(copy); });
  }
  const DentryId mount_point = world[mount].mount_point;
  return std::ranges::any_of(receivers(world, world[mount].parent), [&](MountIndex receiver) {
    const MountIndex counterpart = world.mounted_at(receiver, mount_point);
    if (!counterpart.exists() || !world.is_referenced(counterpart)) return false;
    const auto& children = world[counterpart].children;
    const bool has_cover = world.mounted_at(counterpart, world[counterpart].root).exists();
    return children.empty() || (children.size() == 1 && has_cover);
  });
}

// A removed file or directory of this filesystem is still the root of a mount, or a task is at it.
bool removed_in_use(const World& world, FilesystemId filesystem) {
  const auto is_removed = [&](DentryId dentry) {
    return world[dentry].removed && world[dentry].filesystem == filesystem;
  };
  return world.any_task_at([&](const Location& at) { return is_removed(at.dentry); }) ||
         std::ranges::any_of(world.mounts, [&](const Mount& mount) {
           return mount.exists && is_removed(mount.root);
         });
}

// umount of the caller's root mount, without detach, makes its filesystem read-only instead.
Refusal make_root_read_only(Call& call, MountIndex root_mount) {
  const FilesystemId id = call.world[call.world[root_mount].root].filesystem;
  Filesystem& filesystem = call.world[id];
  if (!call.world.capable(call.task(), Capability::sys_admin, filesystem.mounted_in)) {
    return Rule::umount_root_no_capability;
  }
  if (!filesystem.read_only && removed_in_use(call.world, id)) {
    return Rule::umount_root_removed_in_use;
  }
  filesystem.read_only = true;
  return {};
}

}  // namespace

Refusal apply(Call& call, const pivotcheck::Mount& op) {
  World& world = call.world;
  Location target;
  Location at;
  if (const Refusal r = find(call, op.path, target)) return r;
  if (!may_mount(call)) return Rule::mount_no_capability;
  if (!has_sys_admin(call)) return Rule::mount_type_no_capability;
  if (const Refusal r = find_mount_place(call, target, at)) return r;
  if (world[at.dentry].kind != Kind::directory) return Rule::mount_kind_mismatch;
  const FilesystemId filesystem =
      world.new_filesystem(op.type, op.flags.has(MountFlag::ro), call.task().user_ns);
  const MountIndex mount = world.new_mount(world[filesystem].root);
  world[mount].flags = as_asked(op.flags);
  return attach(call, mount, at);
}

Refusal apply(Call& call, const Bind& op) {
  World& world = call.world;
  Location source;
  Location target;
  Location at;
  if (const Refusal r = find_two(call, op.source, op.target, source, target)) return r;
  if (const Refusal r = find_mount_place(call, target, at)) {
    const bool is_elsewhere = r == Refusal(Rule::mount_target_foreign);
    return is_elsewhere && world.traits.bind_elsewhere_does_nothing ? Refusal{} : r;
  }
  if (const Refusal r = check_copy(call, source, op.recursive)) return r;
  if (!same_kind(world, source.dentry, at.dentry)) return Rule::mount_kind_mismatch;
  if (shows_removed(world, source, op.recursive)) return Rule::mount_source_removed;
  const MountIndex copy =
      clone_tree(world, source.mount, source.dentry, {.recursive = op.recursive});
  world[copy].locked = false;
  return attach(call, copy, at);
}

Refusal apply(Call& call, const Move& op) {
  Location source;
  Location target;
  if (const Refusal r = find_two(call, op.source, op.target, source, target)) return r;
  return move_mount(call, source, target, false);
}

Refusal apply(Call& call, const ChangePropagation& op) {
  Location at;
  if (const Refusal r = find(call, op.path, at)) return r;
  if (!may_mount(call)) return Rule::mount_no_capability;
  if (!call.world.is_mount_root(at)) return Rule::propagation_not_mount_point;
  const Refusal refused = check_propagation_change(call, at.mount);
  if (refused == Rule::propagation_detached) return refused;
  const bool is_own = call.world[at.mount].mount_ns == call.task().mount_ns;
  if (!is_own && !call.world.traits.propagation_by_owner) return Rule::propagation_elsewhere;
  if (refused) return refused;
  change_propagation(call.world, at.mount, op.to);
  if (!op.recursive) return {};
  for (const MountIndex mount : call.world.subtree(at.mount)) {
    if (mount != at.mount) change_propagation(call.world, mount, op.to);
  }
  return {};
}

Refusal apply(Call& call, const Remount& op) {
  Location at;
  if (const Refusal r = find(call, op.path, at)) return r;
  if (!may_mount(call)) return Rule::mount_no_capability;
  Mount& mount = call.world[at.mount];
  if (mount.mount_ns != call.task().mount_ns) return Rule::remount_foreign;
  if (!call.world.is_mount_root(at)) return Rule::remount_not_mount_point;
  MountFlags wanted = as_asked(op.flags.flags);
  // mount(2): a remount that does not mention atime leaves it as it is.
  const bool mentions_atime = !op.flags.flags.intersect(atime_flags).empty();
  if (!mentions_atime) wanted = wanted.with(mount.flags.intersect(atime_flags));
  if (changes_locked_flags(mount, wanted)) return Rule::remount_locked_flag;
  mount.flags = wanted;
  return {};
}

Refusal apply(Call& call, const Umount& op) {
  World& world = call.world;
  Location at;
  const LookupOptions options{.follow_last = !op.flags.has(UmountFlag::nofollow),
                              .to_the_top = true,
                              .keep_expiry_mark = true};
  if (const Refusal r = find(call, op.path, at, options)) return r;
  if (!may_mount(call)) return Rule::umount_no_capability;
  const MountIndex mount = at.mount;
  if (!world.is_mount_root(at)) return Rule::umount_not_mount_point;
  if (world[mount].mount_ns != call.task().mount_ns) return Rule::umount_foreign;
  if (world[mount].locked) return Rule::umount_locked;
  const bool detach = op.flags.has(UmountFlag::detach);
  const bool is_own_root = mount == call.task().root.mount;
  if (op.flags.has(UmountFlag::expire)) {
    if (detach) return Rule::umount_expire_with_detach;
    if (is_own_root) return Rule::umount_expire_root;
    if (is_busy(world, mount)) return Rule::umount_expire_busy;
    if (!std::exchange(world[mount].expiry_mark, true)) {
      world[mount].mark_is_unclear = false;
      return Rule::umount_expire_marked;
    }
    if (world[mount].mark_is_unclear) {
      call.stop = Verdict::Stop::unclear_mark;
      return {};
    }
  }
  if (is_own_root && !detach) return make_root_read_only(call, mount);
  if (!detach && is_busy(world, mount)) return Rule::umount_busy;
  if (!detach && is_busy_elsewhere(world, mount)) return Rule::umount_propagation_busy;
  call.stop = umount_tree(world, mount, {.propagate = true, .lazy = detach});
  return {};
}

}  // namespace pivotcheck::model
