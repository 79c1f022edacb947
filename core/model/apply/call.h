// SPDX-License-Identifier: Apache-2.0
// call.h: one operation of one task on its way through the model; the functions that perform
// operations, and what several of them need. Only for core/model.
#pragma once

#include "model/apply.h"
#include "model/lookup.h"
#include "model/world.h"

namespace pivotcheck::model {

struct Call {
  World& world;
  TaskIndex caller;
  TaskIndex subject;  // the task that is entered (setns)
  Verdict::Stop stop = Verdict::Stop::no;

  [[nodiscard]] Task& task() const { return world[caller]; }
};

// Each lists its refusals in the order in which kernels were seen to give them, and then does what
// the operation does. A refused operation changes nothing but expiry marks (lookup.h).

// names.cc
Refusal apply(Call& call, const Mkdir& op);
Refusal apply(Call& call, const Rmdir& op);
Refusal apply(Call& call, const Touch& op);
Refusal apply(Call& call, const Unlink& op);
Refusal apply(Call& call, const Rename& op);
Refusal apply(Call& call, const Symlink& op);
Refusal apply(Call& call, const Chmod& op);
// mounts.cc
Refusal apply(Call& call, const pivotcheck::Mount& op);
Refusal apply(Call& call, const Bind& op);
Refusal apply(Call& call, const Move& op);
Refusal apply(Call& call, const ChangePropagation& op);
Refusal apply(Call& call, const Remount& op);
Refusal apply(Call& call, const Umount& op);
// roots.cc
Refusal apply(Call& call, const PivotRoot& op);
Refusal apply(Call& call, const Chroot& op);
Refusal apply(Call& call, const Chdir& op);
Refusal apply(Call& call, const Open& op);
Refusal apply(Call& call, const Fchdir& op);
Refusal apply(Call& call, const Close& op);
// tasks.cc
Refusal apply(Call& call, const Spawn& op);
Refusal apply(Call& call, const Exit& op);
Refusal apply(Call& call, const Unshare& op);
Refusal apply(Call& call, const Setns& op);
Refusal apply(Call& call, const DropCapabilities& op);
Refusal apply(Call& call, const Limit& op);
// mount_api.cc
Refusal apply(Call& call, const OpenTree& op);
Refusal apply(Call& call, const MoveMount& op);
Refusal apply(Call& call, const MountSetattr& op);
Refusal apply(Call& call, const Fsmount& op);

// look_up() and look_up_parent() for the caller; what was found is in `found`.
inline Refusal find(Call& call, const Path& path, Location& found, LookupOptions options = {}) {
  const LookupResult result = look_up(call.world, call.task(), path, options);
  found = result.at;
  return result.refused;
}
inline Refusal find_parent(Call& call, const Path& path, ParentResult& found,
                           bool keep_expiry_mark = false) {
  return look_up_parent(call.world, call.task(), path, found, keep_expiry_mark);
}

// In the caller's own user namespace.
inline bool has_sys_admin(const Call& call) {
  return call.world.capable(call.task(), Capability::sys_admin, call.task().user_ns);
}
// mount_namespaces(7): changing mounts needs CAP_SYS_ADMIN over the owner of one's mount namespace.
inline bool may_mount(const Call& call) {
  const UserNamespaceId owner = call.world[call.task().mount_ns].owner;
  return call.world.capable(call.task(), Capability::sys_admin, owner);
}

// Ends the run before this step: the world would get too large (FORMAT.md).
inline Refusal too_large(Call& call) {
  call.stop = Verdict::Stop::too_large;
  return {};
}

// Opens the handle, in place of an open one of that name. `detached_tree` lasts as long as a handle
// that came with it is open.
Refusal store_handle(Call& call, const HandleName& name, Location at, NamespaceId detached_tree);

// --- mounting.cc: what mount(2), umount(2), pivot_root(2) and the mount API by descriptors have in
// common: where something can be mounted, and what may be copied, moved or changed

// Nothing can be mounted there: removed, or (since 6.2) on a detached mount.
bool is_gone(const World& world, Location place);
bool same_kind(const World& world, DentryId one, DentryId other);  // both directories, or neither

// Mounts the tree on that place and wherever this propagates to.
Refusal attach(Call& call, MountIndex tree, Location at);

// Copies a mount, as a bind or a clone does: may that be done? `source` is what the copy shows.
Refusal check_copy(const Call& call, Location source, bool recursive);
// A locked mount on this mount, at that place or below, covers something.
bool has_locked_children(const World& world, Location at);

// What would be mounted shows a removed directory. `with_stack`: so does what is stacked on it.
bool shows_removed(const World& world, Location at, bool with_stack);

// MS_MOVE and move_mount. `beneath`: MOVE_MOUNT_BENEATH.
Refusal move_mount(Call& call, Location source, Location target, bool beneath);

// The propagation of this mount may be changed, or be read to be given to another mount.
Refusal check_propagation_change(const Call& call, MountIndex mount);

// The flags of a mount for which these are asked. mount(2): MS_STRICTATIME overrides MS_NOATIME, and
// either MS_RELATIME, which is the default.
MountFlags as_asked(MountFlags flags);

// mount_namespaces(7), Restrictions: `wanted` clears a locked flag, or changes a locked atime.
bool changes_locked_flags(const Mount& mount, MountFlags wanted);

// A detached tree that the caller's mount namespace may copy, and mount on.
bool is_usable_detached_tree(const Call& call, NamespaceId tree);

}  // namespace pivotcheck::model
