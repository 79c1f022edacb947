// SPDX-License-Identifier: Apache-2.0
// faults.h: small faults of the model that can be planted on purpose. A harness that finds nothing
// proves nothing, unless it is known to find what is there: ci/mutants plants each of these, and
// the harness has to notice.
//
//     if (world_.is_shared(put_old.mount) && !planted(Fault::pivot_shared_put_old)) return ...;
//
// Only a build with the CMake option PIVOTCHECK_PLANTED_FAULTS knows them. In every other one
// planted() is the constant false, so neither the faults nor their names are in it. A build that
// knows them says so in --version and can't be installed.
//
// A fault must leave the model's world in one piece (broken_invariant() in snapshot.cc), because
// what is to be tried is the comparison with the kernel, not the model's own checks. And it must be
// one that some scenario can see: a dropped check that another one repeats is no fault.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace pivotcheck {

// X(identifier, "what the model with this fault does")
#define PIVOTCHECK_FAULTS(X)                                                                       \
  /* pivot_root: what it refuses */                                                                \
  X(pivot_without_capability, "pivot_root asks for no capability")                                 \
  X(pivot_put_old_gone, "pivot_root accepts a put_old that was removed or unmounted")              \
  X(pivot_foreign, "pivot_root works on mounts of another namespace")                              \
  X(pivot_shared_put_old, "pivot_root accepts a put_old on a shared mount")                        \
  X(pivot_shared_new_root_parent, "pivot_root accepts a new root on a shared mount")               \
  X(pivot_shared_root_parent, "pivot_root accepts a root that sits on a shared mount")             \
  X(pivot_locked_new_root, "pivot_root accepts a locked new root")                                 \
  X(pivot_removed_new_root, "pivot_root accepts a new root that shows a removed directory")        \
  X(pivot_new_root_on_root, "pivot_root does not ask whether new_root is on the root mount")       \
  X(pivot_put_old_on_root, "pivot_root does not ask whether put_old is on the root mount")         \
  X(pivot_root_no_mount, "pivot_root accepts a root that is no mount point")                       \
  X(pivot_new_root_no_mount, "pivot_root accepts a new root that is no mount point")               \
  X(pivot_onto_itself, "pivot_root refuses a put_old that is new_root itself")                     \
  X(pivot_unreachable, "pivot_root accepts a new root beside the root")                            \
  X(pivot_shapes_before_busy, "pivot_root looks for mount points before it looks for EBUSY")       \
  X(pivot_paths_before_capability, "pivot_root looks at its paths before it asks for capability")  \
  /* pivot_root: what it does */                                                                   \
  X(pivot_lock_lost, "pivot_root does not lock the new root in the place of the old one")          \
  X(pivot_lock_kept, "the old root stays locked behind a pivot_root")                              \
  X(pivot_forgets_own_root, "pivot_root leaves the caller's root where it was")                    \
  X(pivot_forgets_other_roots, "pivot_root moves the caller's root only")                          \
  X(pivot_forgets_own_cwd, "pivot_root leaves the caller's current directory where it was")        \
  X(pivot_forgets_other_cwds, "pivot_root moves the caller's current directory only")              \
  X(pivot_moves_roots_elsewhere, "pivot_root moves roots that are anywhere on the old root")       \
  X(pivot_moves_cwds_elsewhere, "pivot_root moves directories that are anywhere on the old root")  \
  X(pivot_propagates, "pivot_root takes the masters of what receives from the two mounts away")    \
  /* propagation */                                                                                \
  X(peer_forgotten, "the first of several peers receives nothing")                                 \
  X(plain_slave_forgotten, "a slave that is not shared receives nothing")                          \
  X(slave_of_slave_forgotten, "what is below a slave group receives nothing")                      \
  X(slave_feeds_master, "a slave that is shared gives to its master")                              \
  X(copies_not_shared, "what is mounted on a shared mount without receivers stays private")        \
  X(hidden_place_received, "a mount receives what is mounted outside of what it shows")            \
  X(shown_root_not_received, "a mount does not receive what is mounted on the root of it")         \
  X(slide_beneath_forgotten, "a propagated copy goes on top of what is in its place")              \
  X(bind_makes_no_peer, "a copy of a shared mount is no peer of it")                               \
  X(copy_loses_master, "a copy of a slave has no master")                                          \
  X(shared_slave_loses_master, "a slave that is made shared has no master any more")               \
  X(lone_peer_becomes_slave, "make-slave of the last peer makes it a slave of its empty group")    \
  X(orphans_keep_master, "the slaves of a group that dissolves are not handed on")                 \
  X(unbindable_forgotten, "make-unbindable is make-private")                                       \
  X(recursive_change_stops, "make-r* changes the mount that was named only")                       \
  /* unmounting */                                                                                 \
  X(umount_stays_here, "umount does not propagate")                                                \
  X(umount_cover_holds, "a mount that is covered stays where umount propagates to")                \
  X(umount_takes_locked, "umount propagates to locked mounts")                                     \
  X(umount_keeps_counterpart, "umount does not propagate to a locked counterpart of its target")   \
  X(umount_ignores_elsewhere, "umount does not care who stands in a mount it propagates to")       \
  X(umount_busy_parents_elsewhere, "umount counts those who stand in receivers that stay")         \
  X(umount_in_use, "umount does not care who stands in the mount")                                 \
  X(umount_with_children, "umount takes what is mounted on its target along")                      \
  X(umount_locked_root, "umount does not ask whether the mount is locked")                         \
  X(umount_foreign_mount, "umount works on mounts of another namespace")                           \
  X(umount_root_keeps_writable, "umount of the root does not make its filesystem read-only")       \
  X(umount_follows, "umount nofollow follows")                                                     \
  X(detached_stays_together, "a detached tree stays together")                                     \
  X(detached_locks_forgotten, "a detached tree falls apart, locked or not")                        \
  X(removed_elsewhere_stays, "a mount stays where its mount point was removed elsewhere")          \
  X(namespace_never_dies, "the mounts of a namespace outlive its last task")                       \
  /* expire marks */                                                                               \
  X(expire_never_marks, "umount expire sets no mark")                                              \
  X(expire_mark_survives_lookup, "a mark stays when somebody looks up its mount")                  \
  X(expire_mark_survives_making, "a mark stays when a name is made on its mount")                  \
  X(expire_of_busy, "umount expire marks a mount that is in use")                                  \
  X(expire_of_root, "umount expire does not refuse the root as such")                              \
  X(expire_with_detach, "umount detach,expire is umount expire")                                   \
  /* locks and less privileged namespaces */                                                       \
  X(namespace_copy_unlocked, "a less privileged copy of a namespace is not locked")                \
  X(namespace_copy_peer, "a less privileged copy of a namespace has peers, not slaves")            \
  X(propagated_unlocked, "what propagates to a less privileged namespace is not locked")           \
  X(propagated_root_locked, "what propagates to a less privileged namespace can't be unmounted")   \
  X(flags_unlocked, "flags are not locked in a less privileged namespace")                         \
  X(atime_unlocked, "noatime may be changed in a less privileged namespace")                       \
  X(bind_reveals, "bind leaves locked mounts behind")                                              \
  X(bind_stays_locked, "a bind of a locked mount is locked")                                       \
  X(move_of_locked, "move does not ask whether the mount is locked")                               \
  /* binds and moves */                                                                            \
  X(bind_of_unbindable, "bind copies an unbindable mount")                                         \
  X(rbind_of_unbindable, "rbind copies the unbindable mounts below")                               \
  X(move_from_shared, "move takes a mount from a shared one")                                      \
  X(move_unbindable_to_shared, "move puts an unbindable mount on a shared one")                    \
  X(remount_forgets_noatime, "a remount that says nothing of atime clears noatime")                \
  /* lookups and names */                                                                          \
  X(dot_dot_below_cover, "'..' at a covered root stays below the cover")                           \
  X(dot_dot_one_mount, "'..' goes down through one mount of a stack only")                         \
  X(name_enters_one_mount, "a name leads to the lowest mount of a stack only")                     \
  X(link_counted_too_soon, "40 symbolic links are too many")                                       \
  X(absolute_link_stays, "an absolute link is looked up where it stands")                          \
  X(read_only_first, "on a read-only mount a new name is EROFS even if it exists")                 \
  X(missing_before_read_only, "a missing name is ENOENT even on a read-only mount")                \
  X(read_only_filesystem, "a filesystem is writable as long as the mount is")                      \
  X(rmdir_sees_all_namespaces, "a mount point in another namespace can't be removed")              \
  X(rmdir_sees_whole_only, "a mount point that only a bind of a subtree shows can be removed")     \
  X(rename_takes_mounts, "rename takes a mount point along")                                       \
  /* tasks */                                                                                      \
  X(unshare_keeps_cwd, "a task stands where it stood when its namespace is new")                   \
  X(unshare_keeps_root, "a task has the root it had when its namespace is new")                    \
  X(unshare_user_anywhere, "a task with another root may make a user namespace")                   \
  X(setns_below_covers, "setns leads to the lowest mount, not to the topmost one")                 \
  X(setns_keeps_cwd, "setns leaves the current directory where it was")                            \
  X(setns_without_chroot, "setns to a mount namespace does not ask for CAP_SYS_CHROOT")            \
  X(chroot_without_capability, "chroot asks for no capability")                                    \
  X(mount_without_capability, "bind and move ask for no capability")                               \
  X(no_power_below, "a task has no capability in the user namespaces below its own")               \
  X(refusal_leaves_trace, "who is refused something finds itself at its root")                     \
  X(open_keeps_old, "open on a name in use leaves the handle as it is")                            \
  /* the mount API by descriptors */                                                               \
  X(open_tree_without_capability, "a clone of a mount asks for no capability")                     \
  X(detached_receives, "mounts propagate into detached trees")                                     \
  X(detached_outlives_handle, "a detached tree stays when its last handle is closed")              \
  X(move_mount_without_capability, "move_mount asks for no capability")                            \
  X(beneath_goes_on_top, "beneath mounts on top")                                                  \
  X(beneath_locked, "beneath accepts a locked mount on top")                                       \
  X(beneath_covered_source, "beneath accepts a source that something is mounted on")               \
  X(beneath_own_root, "beneath accepts the task's root on top")                                    \
  X(set_group_wider, "set_group accepts a target that shows more than the source")                 \
  X(set_group_only_master, "set_group makes a slave of the source's master, but no peer")          \
  X(setattr_stops, "a recursive mount_setattr changes the uppermost mount only")                   \
  X(setattr_by_halves, "a refused recursive mount_setattr leaves some mounts changed")             \
  X(setattr_unlocks, "mount_setattr changes locked attributes")                                    \
  X(setattr_propagation_forgotten, "mount_setattr leaves the propagation as it is")                \
  X(fsmount_forgets_flags, "fsmount makes a mount without attributes")

enum class Fault : std::uint8_t {
#define PIVOTCHECK_FAULT(identifier, description) identifier,
  PIVOTCHECK_FAULTS(PIVOTCHECK_FAULT)
#undef PIVOTCHECK_FAULT
};

#ifdef PIVOTCHECK_PLANTED_FAULTS

struct FaultInfo {
  Fault fault;
  std::string_view name;  // as the table has it
  std::string_view description;
};
std::span<const FaultInfo> fault_table();

// At most one fault is planted, in the whole process and in those it forks. False if there is none
// of that name; "" takes it out again.
bool plant(std::string_view name);
bool planted(Fault fault);

#else

constexpr bool planted(Fault) { return false; }

#endif

}  // namespace pivotcheck
