// SPDX-License-Identifier: Apache-2.0
// propagation.h: what happens to other mounts when a mount is made, moved or taken away. The part
// of Linux that few people can predict; propagation.cc teaches it with drawings. Source:
// sharedsubtree.rst (5 and 6), mount_namespaces(7), propagate_umount.txt (Linux 6.17).
#pragma once

#include <vector>

#include "model/world.h"

namespace pivotcheck::model {

// Every mount that receives what is mounted on `mount` (which is not among them): its peers, the
// slaves of its group, their peers, their slaves, and so on. Each once; who receives from a group
// comes behind the group. Empty if `mount` is not shared.
std::vector<MountIndex> receivers(const World& world, MountIndex mount);

// How clones are made.
struct CloneOptions {
  bool recursive = false;
  bool keep_unbindable = false;  // otherwise they and all below them are left out
  bool shared_to_slave = false;  // a copy for a less privileged namespace: no peer of the original
};
// Copies the mount `source` (showing `root` of it) and, if recursive, what is mounted below `root`.
// The copies are in no namespace yet, and attached to each other only; the first is the root's.
// `none` if too many mounts would exist.
MountIndex clone_tree(World& world, MountIndex source, DentryId root, CloneOptions options);

// Puts the tree `source` (new and in no namespace, or attached elsewhere, or a detached tree: then
// it moves) on a mount point, and copies of it everywhere `at.mount` propagates to. Where the place
// is taken, it slides beneath what is there. `actor` owns the mount namespace of the task that does
// it. False if the world gets too large.
bool attach_tree(World& world, MountIndex source, Location at, UserNamespaceId actor);

// What is mounted on `place` of `mount` is also mounted, by propagation, on the root of `top`.
bool propagates_onto(const World& world, MountIndex mount, DentryId place, MountIndex top);

// Unmounts `mount` and all below it. Whoever still stands in one of them keeps it, in no namespace.
struct UmountOptions {
  bool propagate = false;
  bool lazy = true;            // false: not a detach, so nothing stays connected
  bool stay_connected = false; // the whole tree stays as it is below its root (its mount point was removed)
};
void umount_tree(World& world, MountIndex mount, UmountOptions options);

// Unmounts, in every namespace, what is mounted on a dentry that is being removed.
void umount_from_removed(World& world, DentryId dentry);

// mount --make-*.
void change_propagation(World& world, MountIndex mount, Propagation to);

// Locks a tree against its namespace's owner: mounts that came together stay together, and flags
// that are set stay set (mount_namespaces(7), Restrictions on mount namespaces).
void lock_tree(World& world, MountIndex mount);

// The namespace lost its last task.
void drop_namespace(World& world, NamespaceId mount_ns);

// Takes down the detached trees whose handles are closed, and forgets the unmounted mounts in which
// nobody stands any more. To be called behind every operation.
void forget_unused(World& world);

}  // namespace pivotcheck::model
