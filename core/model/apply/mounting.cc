// SPDX-License-Identifier: Apache-2.0
// mounting.cc: where something can be mounted, and what may be copied, moved or changed. Sources:
// mount(2), move_mount(2), mount_namespaces(7), sharedsubtree.rst.
#include <algorithm>

#include "model/apply/call.h"
#include "model/propagation.h"

namespace pivotcheck::model {
namespace {

// A recursive copy leaves unbindable mounts out, with all below them: one of them is locked.
bool would_leave_out_locked(const World& world, Location at) {
  std::vector<MountIndex> copied{at.mount};
  for (std::size_t i = 0; i < copied.size(); ++i) {
    for (const MountIndex child : world[copied[i]].children) {
      if (i == 0 && !world.is_below_or_at(world[child].mount_point, at.dentry)) continue;
      if (!world[child].unbindable) {
        copied.push_back(child);
      } else if (world[child].locked) {
        return true;
      }
    }
  }
  return false;
}

// A mount of the caller's namespace moves within it; a detached tree moves as a whole.
Refusal check_moved(const Call& call, MountIndex moved, MountIndex onto) {
  const World& world = call.world;
  const NamespaceId own = call.task().mount_ns;
  const NamespaceId from = world[moved].mount_ns;
  const NamespaceId to = world[onto].mount_ns;
  if (from == own) {
    if (to != own) return Rule::mount_target_foreign;
    if (world[moved].locked) return Rule::move_locked;
    if (world.is_shared(world[moved].parent)) return Rule::move_shared_parent;
    return {};
  }
  if (!world.is_detached_tree(from)) return Rule::move_foreign;
  if (world.has_parent(moved)) return Rule::move_inside_detached_tree;
  if (from == to) return Rule::move_detached_into_itself;
  if (to != own && !is_usable_detached_tree(call, to)) return Rule::mount_target_foreign;
  return {};
}

// Where a move leads to: on top of everything at `target`; or, beneath, between the topmost mount
// there (`top`) and what that is mounted on.
Refusal find_destination(Call& call, Location target, bool beneath, Location& at, MountIndex& top) {
  World& world = call.world;
  if (!beneath) {
    at = world.topmost(target);
    world[at.mount].expiry_mark = false;
    return is_gone(world, at) ? Rule::mount_target_gone : Refusal{};
  }
  const bool has_parent = world.has_parent(target.mount);
  const bool is_unmounted = !world[target.mount].mount_ns.exists();
  // A mount without a parent is taken for what it is mounted on.
  const bool is_place_gone =
      is_unmounted || (!has_parent && world[world[target.mount].root].removed);
  if (world.traits.beneath_checks_place_first && is_place_gone) return Rule::mount_target_gone;
  // Where the place comes first, kernels go from there to what is mounted on the target.
  const bool climbs = world.traits.beneath_checks_place_first;
  const bool is_covered = world.mounted_at(target.mount, target.dentry).exists();
  if (!world.is_mount_root(target) && !(climbs && is_covered)) return Rule::beneath_not_mount_point;
  if (!has_parent && !world.traits.goes_beneath_detached_cover) {
    return Rule::beneath_detached_root;
  }
  if (is_unmounted) return Rule::mount_target_gone;
  top = world.topmost(target).mount;
  if (climbs) world[top].expiry_mark = false;
  // Nothing is mounted on the root of `top`, so it does not matter whether that was removed; except
  // where `top` has no parent: then kernels check its own root.
  if (!world.has_parent(top)) {
    return world[target.dentry].removed ? Rule::mount_target_gone : Rule::beneath_detached_root;
  }
  at = {world[top].parent, world[top].mount_point};
  // The quirk: the lowest mount of a detached tree is checked instead of its only cover.
  const bool is_lowest = !world.has_parent(target.mount) && at.mount == target.mount;
  if (is_lowest && world.traits.beneath_checks_detached_root) top = target.mount;
  return {};
}

bool is_at_or_below(const World& world, MountIndex mount, MountIndex ancestor) {
  while (mount != ancestor && world.has_parent(mount)) mount = world[mount].parent;
  return mount == ancestor;
}

// `top` is on top of the place `at`; or, by the quirk, it is the mount that has that place.
Refusal check_beneath(const Call& call, MountIndex moved, MountIndex top, Location at) {
  const World& world = call.world;
  const auto propagates_to = [&](MountIndex mount) {
    return propagates_onto(world, at.mount, at.dentry, mount);
  };
  const KernelTraits& traits = world.traits;
  if (world[top].locked && !traits.goes_beneath_locked) return Rule::beneath_locked;
  if (world.mounted_at(moved, world[moved].root).exists()) return Rule::beneath_source_covered;
  if (top == call.task().root.mount && !traits.goes_beneath_own_root) return Rule::beneath_own_root;
  if (at.mount == world[call.task().mount_ns].rootfs && !traits.goes_beneath_lowest) {
    return Rule::beneath_namespace_root;
  }
  if (is_at_or_below(world, moved, top)) return Rule::beneath_ancestor;
  if (top == at.mount ? world.is_shared(top) : propagates_to(top)) {
    return Rule::beneath_propagates_onto_top;
  }
  if (world[moved].mount_ns == call.task().mount_ns && propagates_to(moved)) {
    return Rule::beneath_propagates_onto_source;
  }
  return {};
}

}  // namespace

bool is_gone(const World& world, Location place) {
  return world[place.dentry].removed ||
         (world.traits.detached_target_is_gone && !world[place.mount].mount_ns.exists());
}

bool same_kind(const World& world, DentryId one, DentryId other) {
  return (world[one].kind == Kind::directory) == (world[other].kind == Kind::directory);
}

Refusal attach(Call& call, MountIndex tree, Location at) {
  const UserNamespaceId owner = call.world[call.task().mount_ns].owner;
  call.stop = attach_tree(call.world, tree, at, owner);
  return {};
}

Refusal check_copy(const Call& call, Location source, bool recursive) {
  const World& world = call.world;
  const NamespaceId from = world[source.mount].mount_ns;
  if (world[source.mount].unbindable) return Rule::bind_unbindable;
  if (from != call.task().mount_ns && !is_usable_detached_tree(call, from)) {
    return Rule::bind_source_foreign;
  }
  if (!recursive && has_locked_children(world, source)) return Rule::bind_locked_children;
  if (recursive && would_leave_out_locked(world, source)) return Rule::bind_locked_unbindable;
  return {};
}

bool has_locked_children(const World& world, Location at) {
  return std::ranges::any_of(world[at.mount].children, [&](MountIndex child) {
    return world[child].locked && world.is_below_or_at(world[child].mount_point, at.dentry);
  });
}

bool shows_removed(const World& world, Location at, bool with_stack) {
  // Since 6.17 the topmost mount of a stack counts: kernels look for a place on top of it. What is
  // unbindable is not copied.
  with_stack = with_stack && world.traits.tucks_beneath_whole_stack;
  for (MountIndex above = world.mounted_at(at.mount, at.dentry);
       with_stack && above.exists() && !world[above].unbindable;
       above = world.mounted_at(at.mount, at.dentry)) {
    at = {above, world[above].root};
  }
  return world[at.dentry].removed;
}

Refusal move_mount(Call& call, Location source, Location target, bool beneath) {
  World& world = call.world;
  const MountIndex moved = source.mount;
  const bool is_root = world.is_mount_root(source);
  const bool fits = same_kind(world, source.dentry, target.dentry);
  if (world.traits.move_checks_kinds_first) {
    if (!is_root) return Rule::move_source_not_mount_point;
    if (!fits) return Rule::move_kind_mismatch;
  }
  Location at;
  MountIndex top;
  if (const Refusal r = find_destination(call, target, beneath, at, top)) return r;
  if (const Refusal r = check_moved(call, moved, at.mount)) return r;
  if (!is_root) return Rule::move_source_not_mount_point;
  if (!fits) return Rule::move_kind_mismatch;
  if (beneath) {
    if (const Refusal r = check_beneath(call, moved, top, at)) return r;
  }
  const std::vector<MountIndex> tree = world.subtree(moved);
  const auto is_unbindable = [&](MountIndex mount) { return world[mount].unbindable; };
  if (world.is_shared(at.mount) && std::ranges::any_of(tree, is_unbindable)) {
    return Rule::move_unbindable_to_shared;
  }
  if (std::ranges::find(tree, at.mount) != tree.end()) return Rule::move_into_itself;
  if (shows_removed(world, source, true)) return Rule::mount_source_removed;
  return attach(call, moved, at);
}

Refusal check_propagation_change(const Call& call, MountIndex mount) {
  const NamespaceId mount_ns = call.world[mount].mount_ns;
  if (!mount_ns.exists()) return Rule::propagation_detached;
  const UserNamespaceId owner = call.world[mount_ns].owner;
  const bool may = call.world.capable(call.task(), Capability::sys_admin, owner);
  return may ? Refusal{} : Rule::propagation_foreign;
}

MountFlags as_asked(MountFlags flags) {
  flags.set(MountFlag::relatime, false);
  if (flags.has(MountFlag::strictatime)) flags.set(MountFlag::noatime, false);
  return flags;
}

bool changes_locked_flags(const Mount& mount, MountFlags wanted) {
  const bool atime_is_locked = mount.locked_flags.has(MountFlag::noatime);
  const bool atime_changes = wanted.intersect(atime_flags) != mount.flags.intersect(atime_flags);
  return !wanted.contains(mount.locked_flags.without({MountFlag::noatime})) ||
         (atime_is_locked && atime_changes);
}

bool is_usable_detached_tree(const Call& call, NamespaceId tree) {
  const World& world = call.world;
  return world.traits.detached_trees_can_grow && world.is_detached_tree(tree) &&
         (!world[tree].origin.exists() || world[tree].origin == call.task().mount_ns);
}

}  // namespace pivotcheck::model
