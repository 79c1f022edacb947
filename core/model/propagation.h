// SPDX-License-Identifier: Apache-2.0
// propagation.h: what happens to other mounts when a mount is made, moved or unmounted.
// propagation.cc explains it with drawings. Sources: sharedsubtree.rst (5 and 6),
// mount_namespaces(7), propagate_umount.txt (Linux 6.17).
#pragma once

#include <vector>

#include "model/apply.h"
#include "model/world.h"

namespace pivotcheck::model {

// Every mount that receives what is mounted on `mount` (which is not among them): its peers, the
// slaves of its group, their peers, their slaves, and so on. Each once; first its peers, around the
// ring; a group comes before its slaves. Empty if `mount` is not shared.
std::vector<MountIndex> receivers(const World& world, MountIndex mount);

struct CloneOptions {
  bool recursive = false;
  bool keep_unbindable = false;  // otherwise they and all below them are left out
  bool shared_to_slave = false;  // a copy for a less privileged namespace: no peer of the original
};
// Copies the mount `source` (the copy shows `root`) and, if recursive, what is mounted below
// `root`. The copies are in no namespace yet, and attached to each other only. Returns the copy of
// `source`.
MountIndex clone_tree(World& world, MountIndex source, DentryId root, CloneOptions options);

// Mounts the tree `source` (new and in no namespace; or attached elsewhere, or a detached tree:
// then it moves) at a location, and copies of it everywhere `at.mount` propagates to. Where
// something is mounted already, it is tucked beneath that. `callers_owner` is the user namespace
// that owns the caller's mount namespace. Returns why the run ends before this, if it does.
Verdict::Stop attach_tree(World& world, MountIndex source, Location at,
                          UserNamespaceId callers_owner);

// What is mounted on `place` of `mount` is also mounted, by propagation, on the root of `top`.
bool propagates_onto(const World& world, MountIndex mount, DentryId place, MountIndex top);

// What goes by propagation when `mount`, which nothing is mounted on, is unmounted.
std::vector<MountIndex> unmounted_with(const World& world, MountIndex mount);

// Unmounts `mount` and all below it. A mount that a task still uses stays, in no namespace. Returns
// why the run ends before this, if it does: only where it propagates.
struct UmountOptions {
  bool propagate = false;
  bool lazy = true;            // false: not a detach, so nothing stays connected
  bool stay_connected = false;  // the tree stays together below its root
};
Verdict::Stop umount_tree(World& world, MountIndex mount, UmountOptions options);

// Unmounts, in every namespace, what is mounted on a dentry that is being removed.
void umount_from_removed(World& world, DentryId dentry);

// mount(2), MS_SHARED, MS_PRIVATE, MS_SLAVE, MS_UNBINDABLE, for one mount.
void change_propagation(World& world, MountIndex mount, Propagation to);

// Locks a tree: its mounts can't be separated, and flags that are set can't be cleared
// (mount_namespaces(7), Restrictions on mount namespaces).
void lock_tree(World& world, MountIndex mount);

// The namespace lost its last task.
void drop_namespace(World& world, NamespaceId mount_ns);

// Unmounts the detached trees whose handles are closed, and forgets the unmounted mounts that no
// task uses any more. To be called after every operation.
void forget_unused(World& world);

}  // namespace pivotcheck::model
