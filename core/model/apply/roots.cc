// SPDX-License-Identifier: Apache-2.0
// roots.cc: pivot_root, chroot, chdir; and open, fchdir, close. A handle is a file descriptor that
// was opened with O_PATH. Sources: pivot_root(2), chroot(2), chdir(2).
#include <algorithm>
#include <utility>

#include "model/apply/call.h"

namespace pivotcheck::model {

//     before                    after pivot_root(new_root, put_old)
//
//     P                         P
//     `- root                   `- new_root      on the mount point that root had
//        `- new_root               `- put_old
//           `- put_old                `- root    on top of what was mounted on put_old
//
// Every task whose root or current directory is exactly the old root gets the new root instead.
Refusal apply(Call& call, const PivotRoot& op) {
  World& world = call.world;
  const bool capability_last = world.traits.pivot_capability_last;
  if (!capability_last && !may_mount(call)) return Rule::pivot_no_capability;
  Location new_root;
  Location put_old;
  if (const Refusal r = find(call, op.new_root, new_root, {.want_directory = true})) return r;
  if (const Refusal r = find(call, op.put_old, put_old, {.want_directory = true})) return r;
  if (capability_last && !may_mount(call)) return Rule::pivot_no_capability;
  put_old = world.topmost(put_old);  // the old root is mounted on top of what is there
  const Location root = call.task().root;
  world[put_old.mount].expiry_mark = world[root.mount].expiry_mark = false;

  const auto is_foreign = [&](MountIndex mount) {
    return world[mount].mount_ns != call.task().mount_ns;
  };
  if (is_gone(world, put_old)) return Rule::put_old_gone;
  if (is_foreign(root.mount)) return Rule::root_mount_foreign;
  if (is_foreign(new_root.mount)) return Rule::new_root_foreign;
  // Nothing propagates by pivoting, so neither mount may leave or enter a shared one.
  if (world.is_shared(put_old.mount)) return Rule::put_old_mount_shared;
  if (world.is_shared(world[new_root.mount].parent)) return Rule::new_root_parent_shared;
  if (world.is_shared(world[root.mount].parent)) return Rule::root_parent_shared;
  if (world[new_root.mount].locked) return Rule::new_root_locked;
  if (world[new_root.dentry].removed) return Rule::new_root_removed;
  if (new_root.mount == root.mount) return Rule::new_root_on_root_mount;
  if (put_old.mount == root.mount) return Rule::put_old_on_root_mount;
  if (!world.is_mount_root(root)) return Rule::root_not_mount_point;
  if (!world.is_mount_root(new_root)) return Rule::new_root_not_mount_point;
  if (!world.is_reachable(put_old, new_root)) return Rule::put_old_not_under_new_root;
  if (!world.is_reachable(new_root, root)) return Rule::new_root_not_under_root;

  const MountIndex root_parent = world[root.mount].parent;
  const DentryId root_mount_point = world[root.mount].mount_point;
  world.detach_from_parent(new_root.mount);
  world.detach_from_parent(root.mount);
  // The lock stays with the place: what is the lowest mount now can't be unmounted.
  if (std::exchange(world[root.mount].locked, false)) world[new_root.mount].locked = true;
  world.attach(root.mount, put_old.mount, put_old.dentry);
  world.attach(new_root.mount, root_parent, root_mount_point);
  for (Task& task : world.tasks) {
    if (task.root == root) task.root = new_root;
    if (task.current_directory == root) task.current_directory = new_root;
  }
  return {};
}

Refusal apply(Call& call, const Chroot& op) {
  Location at;
  if (const Refusal r = find(call, op.path, at, {.want_directory = true})) return r;
  if (!may_search(call.world, call.task(), at.dentry)) return Rule::search_denied;
  if (!call.world.capable(call.task(), Capability::sys_chroot, call.task().user_ns)) {
    return Rule::chroot_no_capability;
  }
  call.task().root = at;
  return {};
}

Refusal apply(Call& call, const Chdir& op) {
  Location at;
  if (const Refusal r = find(call, op.path, at, {.want_directory = true})) return r;
  if (!may_search(call.world, call.task(), at.dentry)) return Rule::search_denied;
  call.task().current_directory = at;
  return {};
}

Refusal store_handle(Call& call, const HandleName& name, Location at, NamespaceId detached_tree) {
  std::vector<Handle>& handles = call.task().handles;
  const auto open = std::ranges::find(handles, name.slot, &Handle::slot);
  if (open == handles.end()) {
    handles.push_back({name.text, name.slot, at, detached_tree});
  } else {
    *open = {name.text, name.slot, at, detached_tree};
  }
  return {};
}

Refusal apply(Call& call, const Open& op) {
  Location at;
  if (const Refusal r = find(call, op.path, at)) return r;
  return store_handle(call, op.handle, at, {});
}

Refusal apply(Call& call, const Fchdir& op) {
  const Handle* handle = find_handle(call.task(), op.handle.slot);
  if (handle == nullptr) return Rule::handle_closed;
  if (call.world[handle->at.dentry].kind != Kind::directory) return Rule::fchdir_not_directory;
  if (!may_search(call.world, call.task(), handle->at.dentry)) return Rule::search_denied;
  call.task().current_directory = handle->at;
  return {};
}

Refusal apply(Call& call, const Close& op) {
  const std::size_t closed = std::erase_if(
      call.task().handles, [&](const Handle& handle) { return handle.slot == op.handle.slot; });
  return closed > 0 ? Refusal{} : Rule::handle_closed;
}

}  // namespace pivotcheck::model
