// SPDX-License-Identifier: Apache-2.0
// tasks.cc: spawn, exit, unshare, setns, drop_capabilities, limit. Sources: fork(2), unshare(2),
// setns(2), mount_namespaces(7), user_namespaces(7), namespaces(7).
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "model/apply/call.h"
#include "model/propagation.h"
#include "scenario/program.h"

namespace pivotcheck::model {
namespace {

constexpr Capabilities all_capabilities{Capability::sys_admin, Capability::sys_chroot,
                                        Capability::dac};

// A mount namespace ends with its last task.
void leave_mount_ns(World& world, NamespaceId left) {
  const bool in_use = std::ranges::any_of(
      world.tasks, [left](const Task& task) { return task.alive && task.mount_ns == left; });
  if (!in_use) drop_namespace(world, left);
}

void enter_new_user_ns(Call& call) {
  World& world = call.world;
  const UserNamespaceId entered{static_cast<std::uint32_t>(world.user_namespaces.size())};
  const UserNamespaceId parent = call.task().user_ns;
  world.user_namespaces.push_back({.parent = parent, .level = world[parent].level + 1});
  call.task().user_ns = entered;
  call.task().capabilities = all_capabilities;
}

// The caller gets a copy of all mounts, and its root and current directory move to the copies. In a
// less privileged copy all mounts are locked, and slaves of the originals.
Refusal enter_new_mount_ns(Call& call) {
  World& world = call.world;
  Task& task = call.task();
  const NamespaceId left = task.mount_ns;
  const MountIndex rootfs = world[left].rootfs;
  const std::vector<MountIndex> originals = world.subtree(rootfs);
  if (static_cast<std::size_t>(world.mount_count) + originals.size() - 1 > mounts_max) {
    return too_large(call);
  }
  const bool less_privileged = task.user_ns != world[left].owner;
  const NamespaceId entered{static_cast<std::uint32_t>(world.mount_namespaces.size())};
  const MountIndex copy =
      clone_tree(world, rootfs, world[rootfs].root,
                 {.recursive = true, .keep_unbindable = true, .shared_to_slave = less_privileged});
  world.mount_namespaces.push_back(
      {.owner = task.user_ns, .rootfs = copy, .detached_root = {}, .origin = {}});
  if (less_privileged) lock_tree(world, copy);
  const std::vector<MountIndex> copies = world.subtree(copy);
  PIVOTCHECK_CHECK(copies.size() == originals.size());
  for (std::size_t i = 0; i < copies.size(); ++i) {
    world[copies[i]].mount_ns = entered;
    if (task.root.mount == originals[i]) task.root.mount = copies[i];
    if (task.current_directory.mount == originals[i]) task.current_directory.mount = copies[i];
  }
  world.mount_count += static_cast<int>(copies.size()) - 1;
  task.mount_ns = entered;
  leave_mount_ns(world, left);
  return {};
}

}  // namespace

Refusal apply(Call& call, const Spawn& op) {
  if (call.world.tasks.size() >= tasks_max) return too_large(call);
  Task copy = call.task();
  copy.name = op.task.text;
  call.world.tasks.push_back(std::move(copy));
  return {};
}

Refusal apply(Call& call, const Exit&) {
  call.task().alive = false;
  leave_mount_ns(call.world, call.task().mount_ns);
  return {};
}

Refusal apply(Call& call, const Unshare& op) {
  const Task& task = call.task();
  if (op.kinds.has(NamespaceKind::user)) {
    if (call.world.is_exhausted(NamespaceKind::user, task.user_ns)) {
      return Rule::user_namespace_limit;
    }
    if (task.root != call.world.namespace_root(task.mount_ns)) return Rule::unshare_user_chrooted;
    if (call.world[task.user_ns].level >= user_namespace_depth_max) return too_large(call);
  } else if (!has_sys_admin(call)) {
    return Rule::unshare_mnt_no_capability;
  }
  if (op.kinds.has(NamespaceKind::mnt) &&
      call.world.is_exhausted(NamespaceKind::mnt, task.user_ns)) {
    return Rule::mount_namespace_limit;  // and no user namespace is left of the call
  }
  if (op.kinds.has(NamespaceKind::user)) enter_new_user_ns(call);
  return op.kinds.has(NamespaceKind::mnt) ? enter_new_mount_ns(call) : Refusal{};
}

Refusal apply(Call& call, const Setns& op) {
  World& world = call.world;
  Task& task = call.task();
  const TaskIndex other = call.subject;
  const UserNamespaceId user_ns = world[other].user_ns;
  const NamespaceId mount_ns = world[other].mount_ns;
  const bool enters_user_ns = op.kinds.has(NamespaceKind::user);
  const bool enters_mount_ns = op.kinds.has(NamespaceKind::mnt);
  if (user_ns != task.user_ns && !world.is_below(user_ns, task.user_ns)) {
    return Rule::setns_may_not_inspect;
  }
  if (enters_user_ns && user_ns == task.user_ns) return Rule::setns_same_user_namespace;
  Location root;
  if (enters_mount_ns) {
    const UserNamespaceId then = enters_user_ns ? user_ns : task.user_ns;
    if (!world.capable(task, Capability::sys_admin, world[mount_ns].owner) ||
        !world.capable(task, Capability::sys_admin, then) ||
        !world.capable(task, Capability::sys_chroot, then)) {
      return Rule::setns_mnt_no_capability;
    }
    root = world.namespace_root(mount_ns);
    if (!root.mount.exists()) {
      call.stop = Verdict::Stop::leaves_the_world;
      return {};
    }
  }
  if (enters_user_ns) {
    task.user_ns = user_ns;
    task.capabilities = all_capabilities;
  }
  if (enters_mount_ns) {
    const NamespaceId left = std::exchange(task.mount_ns, mount_ns);
    task.root = task.current_directory = root;
    leave_mount_ns(world, left);
  }
  return {};
}

Refusal apply(Call& call, const DropCapabilities& op) {
  call.task().capabilities = call.task().capabilities.without(op.capabilities);
  return {};
}

// The first user namespace is the machine's, or that of the executor, which goes on to other worlds.
Refusal apply(Call& call, const Limit& op) {
  UserNamespace& user_ns = call.world[call.task().user_ns];
  if (user_ns.level == 0) {
    call.stop = Verdict::Stop::leaves_the_world;
    return {};
  }
  user_ns.exhausted = user_ns.exhausted.with(op.kinds);
  return {};
}

}  // namespace pivotcheck::model
