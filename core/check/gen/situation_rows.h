// SPDX-License-Identifier: Apache-2.0
// situation_rows.h: the situations, one SITUATION for each: its name and what it is. Included
// several times, so it has no include guard. The conditions are in situations.cc.

// clang-format off
// --- what the world is like ---------------------------------------------------------------------

SITUATION(slave_chain_2, "a mount is a slave of a slave: it has two masters above it")
SITUATION(slave_chain_3, "a mount has three masters above it")
SITUATION(slave_chain_4, "a mount has four masters above it")
SITUATION(group_in_3_namespaces, "a peer group has members in three or more namespaces")
SITUATION(four_namespaces, "there are four or more mount namespaces at once")
SITUATION(user_namespaces_three_deep,
    "a task is in a user namespace that is three levels below the first one")
SITUATION(many_mounts, "there are 32 or more mounts")

// --- mounting and moving ------------------------------------------------------------------------

SITUATION(mount_over_3_namespaces, "one mount arrives in three or more namespaces")
SITUATION(mount_reaches_slave_of_slave, "a new mount arrives at a slave of a slave")
SITUATION(copy_arrives_locked,
    "a tree arrives in a less privileged namespace, and a mount in it is locked there")
SITUATION(copy_tucked_beneath, "a copy arrives where something is mounted, and goes beneath it")
SITUATION(detached_tree_propagates,
    "a detached tree is attached, and copies of it arrive elsewhere")
SITUATION(move_propagates, "a mount is moved, and copies of it arrive elsewhere")
SITUATION(beneath_propagates, "MOVE_MOUNT_BENEATH, and copies of what was moved arrive elsewhere")

// --- unmounting ---------------------------------------------------------------------------------

SITUATION(umount_over_3_namespaces, "one umount takes mounts away in three or more namespaces")
SITUATION(nested_mounts_go,
    "a umount takes away, in another namespace, a mount together with one that is mounted in it")
SITUATION(locked_copy_stays,
    "a umount takes a mount away, and leaves a locked copy of it elsewhere")
SITUATION(cover_reparented,
    "a umount takes away a mount that is covered, and the cover takes its place")
SITUATION(umount_with_busy_copy,
    "a mount without MNT_DETACH is unmounted or refused, and a task uses a copy of it")
SITUATION(umount_takes_busy_copy, "a umount without MNT_DETACH takes away a mount that a task uses")
SITUATION(unmounted_tree_stays_together,
    "mounts that were unmounted are still mounted on each other, because a task uses one of them")

// --- pivot_root, names, namespaces --------------------------------------------------------------

SITUATION(pivot_moves_foreign_task, "pivot_root moves a task that is in another mount namespace")
SITUATION(pivot_of_shared_root, "pivot_root moves an old root that propagates to other mounts")
SITUATION(name_takes_foreign_mount,
    "a name is removed or replaced, and a mount of another namespace goes with it")
SITUATION(namespace_leaves_slaves,
    "a mount loses its master, or gets the master of that, because a namespace ended")
// clang-format on
