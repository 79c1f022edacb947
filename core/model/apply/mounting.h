// SPDX-License-Identifier: Apache-2.0
// mounting.h: what mount(2), umount(2), pivot_root(2) and the mount API by descriptors have in
// common: where something can be mounted, and what may be copied, moved or changed.
#pragma once

#include "model/apply/call.h"

namespace pivotcheck::model {

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

// mount_namespaces(7), Restrictions: `wanted` clears a locked flag, or changes a locked atime.
bool changes_locked_flags(const Mount& mount, MountFlags wanted);

// A detached tree that the caller's mount namespace may copy, and mount on.
bool is_usable_detached_tree(const Call& call, NamespaceId tree);

}  // namespace pivotcheck::model
