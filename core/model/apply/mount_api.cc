// SPDX-License-Identifier: Apache-2.0
// mount_api.cc: the mount API by descriptors: open_tree, move_mount, mount_setattr, fsmount.
// Sources: the pages of these names in section 2, mount_namespaces(7).
#include "model/apply/call.h"
#include "model/propagation.h"

namespace pivotcheck::model {
namespace {

// The tree, new and in no namespace, becomes a detached one, and the handle shows its root.
Refusal store_detached_tree(Call& call, const HandleName& handle, MountIndex root,
                            NamespaceId origin) {
  World& world = call.world;
  const UserNamespaceId owner = world[call.task().mount_ns].owner;
  const NamespaceId tree = world.new_detached_tree(root, owner, origin);
  if (world.mount_count > mounts_max) return too_large(call);
  return store_handle(call, handle, {root, world[root].root}, tree);
}

// A detached tree is a mount namespace, and counts as one.
bool is_out_of_mount_namespaces(const Call& call) {
  return call.world.is_exhausted(NamespaceKind::mnt, call.world[call.task().mount_ns].owner);
}

// MOVE_MOUNT_SET_GROUP: `target` becomes what `source` is: a peer of it, or a slave of its master.
Refusal set_group(Call& call, Location source, Location target) {
  World& world = call.world;
  const MountIndex from = source.mount;
  const MountIndex to = target.mount;
  const DentryId from_root = world[from].root;
  const DentryId to_root = world[to].root;
  if (const Refusal r = check_propagation_change(call, from)) return r;
  if (const Refusal r = check_propagation_change(call, to)) return r;
  if (!world.is_mount_root(source)) return Rule::set_group_source_not_mount_point;
  if (!world.is_mount_root(target)) return Rule::set_group_target_not_mount_point;
  if (world[to_root].filesystem != world[from_root].filesystem) {
    return Rule::set_group_other_filesystem;
  }
  if (!world.is_below_or_at(to_root, from_root)) return Rule::set_group_wider;
  if (has_locked_children(world, {from, to_root})) return Rule::set_group_locked_children;
  const auto is_private = [&](MountIndex mount) {
    return !world.is_shared(mount) && !world.master(mount).exists();
  };
  if (!is_private(to)) return Rule::set_group_target_not_private;
  if (is_private(from)) return Rule::set_group_source_private;
  if (world[to].unbindable && !world.traits.set_group_leaves_unbindable) {
    return Rule::set_group_target_unbindable;
  }
  if (world.is_shared(from)) {
    world.join_group(to, world[from].group, from);
  } else {
    world[to].own_master = world.master(from);
    world[to].kept_with = world.kept_with(from);
  }
  return {};
}

constexpr MountFlags two_values{MountFlag::noatime, MountFlag::strictatime};

// What MOUNT_ATTR__ATIME is about; relatime is the value 0.
bool names_atime_value(const AttributeChange& change, MountFlags values) {
  return !change.set.with(change.clear).intersect(values).empty();
}

// The call has something to do: with nothing in attr_set, attr_clr and propagation it succeeds
// before it looks at the path.
bool asks_for_nothing(const AttributeChange& change) {
  const MountFlags bits = change.set.with(change.clear).without({MountFlag::relatime});
  return change.keep_atime && bits.empty() && !change.propagation;
}

MountFlags changed(MountFlags flags, const AttributeChange& change) {
  if (names_atime_value(change, atime_values) && !change.keep_atime) {
    flags = flags.without(atime_values);
  }
  return flags.without(change.clear).with(change.set).without({MountFlag::relatime});
}

}  // namespace

Refusal apply(Call& call, const OpenTree& op) {
  World& world = call.world;
  const bool clone = op.flags.has(OpenTreeFlag::clone);
  const bool recursive = op.flags.has(OpenTreeFlag::recursive);
  if (recursive && !clone) return Rule::open_tree_recursive_alone;
  if (clone && !may_mount(call)) return Rule::open_tree_no_capability;
  Location source;
  if (const Refusal r = find(call, op.path, source)) return r;
  if (!clone) return store_handle(call, op.handle, source, {});
  if (is_out_of_mount_namespaces(call)) return Rule::open_tree_limit;
  if (const Refusal r = check_copy(call, source, recursive)) return r;
  const NamespaceId from = world[source.mount].mount_ns;
  const NamespaceId origin = world.is_detached_tree(from) ? world[from].origin : from;
  const MountIndex copy = clone_tree(world, source.mount, source.dentry, {.recursive = recursive});
  world[copy].locked = false;
  return store_detached_tree(call, op.handle, copy, origin);
}

Refusal apply(Call& call, const MoveMount& op) {
  if (!may_mount(call)) return Rule::move_mount_no_capability;
  const bool beneath = op.flags.has(MoveMountFlag::beneath);
  const bool group = op.flags.has(MoveMountFlag::set_group);
  if (beneath && !call.world.traits.knows_move_mount_beneath) {
    return Rule::move_mount_beneath_unknown;
  }
  if (beneath && group) return Rule::move_mount_both;
  Location source;
  Location target;
  if (call.world.traits.move_mount_target_first) {
    if (const Refusal r = find(call, op.target, target)) return r;
    if (const Refusal r = find(call, op.source, source)) return r;
  } else {
    if (const Refusal r = find(call, op.source, source)) return r;
    if (const Refusal r = find(call, op.target, target)) return r;
  }
  return group ? set_group(call, source, target) : move_mount(call, source, target, beneath);
}

Refusal apply(Call& call, const MountSetattr& op) {
  World& world = call.world;
  if (!may_mount(call)) return Rule::setattr_no_capability;
  if (asks_for_nothing(op.change)) return {};
  if (op.change.keep_atime && names_atime_value(op.change, two_values)) {
    return Rule::setattr_atime_not_cleared;
  }
  if (op.change.set.contains(two_values)) return Rule::setattr_two_atimes;
  Location at;
  if (const Refusal r = find(call, op.path, at)) return r;
  const MountIndex top = at.mount;
  if (!world.is_mount_root(at)) return Rule::setattr_not_mount_point;
  const NamespaceId mount_ns = world[top].mount_ns;
  const bool is_detached_root = world.is_detached_tree(mount_ns) && !world.has_parent(top);
  if (mount_ns != call.task().mount_ns && !is_detached_root) return Rule::setattr_foreign;
  std::vector<MountIndex> mounts{top};
  if (op.recursive.on) mounts = world.subtree(top);
  for (const MountIndex mount : mounts) {
    if (changes_locked_flags(world[mount], changed(world[mount].flags, op.change))) {
      return Rule::setattr_locked_flag;
    }
  }
  for (const MountIndex mount : mounts) {
    world[mount].flags = changed(world[mount].flags, op.change);
    if (op.change.propagation) change_propagation(world, mount, *op.change.propagation);
  }
  return {};
}

Refusal apply(Call& call, const Fsmount& op) {
  World& world = call.world;
  if (!may_mount(call)) return Rule::fsmount_no_capability;
  if (!has_sys_admin(call)) return Rule::mount_type_no_capability;
  if (op.flags.contains(two_values)) return Rule::fsmount_two_atimes;
  if (is_out_of_mount_namespaces(call)) return Rule::mount_namespace_limit;
  const FilesystemId filesystem =
      world.new_filesystem(op.type, op.flags.has(MountFlag::ro), call.task().user_ns);
  const MountIndex mount = world.new_mount(world[filesystem].root);
  world[mount].flags = as_asked(op.flags);
  return store_detached_tree(call, op.handle, mount, {});
}

}  // namespace pivotcheck::model
