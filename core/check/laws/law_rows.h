// SPDX-License-Identifier: Apache-2.0
// law_rows.h: the laws, one LAW for each (STATE_LAW: about one state): its function, its sentence,
// its source. Included several times, so it has no include guard. ci/citations finds the sources.

// clang-format off
#ifndef STATE_LAW
#define STATE_LAW LAW
#endif

// --- one state (one_state.cc) -------------------------------------------------------------------

STATE_LAW(one_mount_at_each_place,
    "No two mounts have the same parent and the same mount point.",
    R"law(propagate_umount.txt, "having no more than one mount with the same )law"
    R"law(parent/mountpoint pair")law")
STATE_LAW(mounts_form_trees,
    "Each mount is reached from the lowest mount of its own tree, by its parent, its parent's "
    "parent, and so on.",
    R"law(path_resolution(7), Mount points, "One can walk out of a mounted filesystem")law")
STATE_LAW(unbindable_is_private,
    "An unbindable mount has no peers and no master.",
    R"law(sharedsubtree.rst, 5a) Mount states, "does not receive or forward any propagation )law"
    R"law(events and cannot be bind mounted")law")
STATE_LAW(peers_are_alike,
    "Peers show the same filesystem, and have the same master.",
    R"law(sharedsubtree.rst, 5a) Mount states, "having its own peer group, and this peer-group )law"
    R"law(is a slave of some other peer group")law")
STATE_LAW(no_group_above_itself,
    "No peer group is a slave of itself, nor of one that is below it.",
    R"law(sharedsubtree.rst, 5a) Mount states, "Events do not propagate from the slave mount )law"
    R"law(to the master")law")
STATE_LAW(masters_have_members,
    "The group of which a mount is a slave has members.",
    R"law(sharedsubtree.rst, 5a) Mount states, "A slave mount as the name implies has a master )law"
    R"law(mount from which mount/unmount events are received")law")
STATE_LAW(detached_trees_are_held,
    "A detached tree ends when no task holds a handle in it.",
    R"law(open_tree(2), DESCRIPTION, "This mount object will be unmounted and destroyed when )law"
    R"law(the file descriptor is closed"; observed)law")

// --- what a step changes, and what it does not (attributes.cc) ----------------------------------

LAW(refused_changes_nothing,
    "A refused call changes no mount, no root, no directory and no handle.",
    R"law(umount(2), RETURN VALUE, "On error, -1 is returned, and errno is set to indicate )law"
    R"law(the error"; observed)law")
LAW(only_mounting_changes_mounts,
    "A call that neither mounts nor unmounts, ends nothing, and removes or renames nothing "
    "leaves all mounts as they are.",
    R"law(mount_namespaces(7), DESCRIPTION, "Subsequent modifications to the mount list )law"
    R"law((mount(2) and umount(2))")law")
LAW(flags_stay,
    "A mount's flags change by remount and mount_setattr only, and only in the caller's own "
    "namespace or in a detached tree.",
    R"law(mount(2), Remounting an existing mount, "the MS_REMOUNT flag can be used with )law"
    R"law(MS_BIND to modify only the per-mount-point flags")law")
LAW(locked_flags_stay,
    "What was read-only, nosuid, nodev or noexec when it came to a less privileged namespace "
    "stays so, and its access-time settings stay what they were.",
    R"law(mount_namespaces(7), Restrictions on mount namespaces, "become locked when )law"
    R"law(propagated from a more privileged to a less privileged mount namespace")law")
LAW(attributes_are_as_asked,
    "remount and mount_setattr leave the mount that is named (recursive: all below it) with the "
    "flags that are asked for, not with two ways to keep access times, and no other mount with "
    "other flags.",
    R"law(mount_setattr(2), DESCRIPTION, "changes the mount properties of a mount or an )law"
    R"law(entire mount tree")law")
LAW(types_change_by_the_table,
    "make-shared, make-private, make-slave and make-unbindable change the type as the table "
    "says, and no other mount becomes shared, unbindable or neither.",
    R"law(sharedsubtree.rst, 5a) Mount states, "explains the state transition of a mount, in )law"
    R"law(response to various commands")law")
LAW(group_is_joined,
    "move_mount with MOVE_MOUNT_SET_GROUP leaves the target with the source's peer group and "
    "master, not unbindable, and changes no other mount.",
    R"law(move_mount(2), DESCRIPTION, "this operation does not move or attach any mount )law"
    R"law(objects")law")

// --- mounts that come and go (events.cc) --------------------------------------------------------

LAW(receivers_receive,
    "What is mounted on a mount is mounted at the same place of each mount that received from it "
    "before, shows the place, and is in no detached tree; and nowhere else.",
    R"law(sharedsubtree.rst, 5b) Bind semantics, "are created and mounted at the dentry 'b' )law"
    R"law(on all mounts where 'B' propagates to")law")
LAW(copies_are_related,
    "What comes by propagation is related as the mounts are on which it comes: on peers peers, "
    "on a slave a slave; it shows the same, with as many mounts on it.",
    R"law(sharedsubtree.rst, 5b) Bind semantics, "This propagation tree is identical to the )law"
    R"law(propagation tree of 'B'")law")
LAW(mount_is_new,
    "mount makes a private mount of a new filesystem, shared where its parent is shared, with "
    "the flags that are asked for.",
    R"law(sharedsubtree.rst, 5e) Mount semantics, "the source mount is always a private )law"
    R"law(mount")law")
LAW(bind_copies,
    "bind makes a copy with the source's flags and relations; rbind also of all that is mounted "
    "below the source, except what is unbindable.",
    R"law(sharedsubtree.rst, 5c) Rbind semantics, "Rbind mount is bind mount applied to all )law"
    R"law(the mounts in the tree")law")
LAW(move_keeps,
    "A mount that is moved keeps its peers, its master and all mounts on it, and becomes shared "
    "where its new parent is shared.",
    R"law(sharedsubtree.rst, 5d) Move semantics, "The mount 'A' becomes a shared mount")law")
LAW(shared_mounts_keep_what_is_on_them,
    "What is mounted on a shared mount is not moved.",
    R"law(sharedsubtree.rst, 5d) Move semantics, "moving a mount residing under a shared mount )law"
    R"law(is invalid")law")
LAW(umount_leaves_what_is_in_use,
    "A umount without MNT_DETACH takes away no mount that a task has as its root, its current "
    "directory or by a handle, in any namespace.",
    R"law(umount(2), ERRORS, "target could not be unmounted because it is busy")law")
LAW(umount_goes_where_mounting_goes,
    "umount takes away what it names. Where a mount receives from the place of that, or of a "
    "mount below it, the mount there goes as well if nothing is mounted on it; a locked one may "
    "stay, but not at the place of what is named. Nothing else goes.",
    R"law(sharedsubtree.rst, 5f) Unmount semantics, "on mounts that receive propagation from )law"
    R"law(mount 'B' and does not have sub-mounts within them are unmounted")law")
LAW(umount_shifts_nothing,
    "What goes by propagation has nothing on it that stays, except on its root; and that then "
    "lies where the lowest of the stack that went lay.",
    R"law(propagate_umount.txt, "They can be reparented to the place where the bottom of )law"
    R"law(stack is attached to a mount that will survive")law")
LAW(mounts_go_by_umount,
    "Mounts go by umount, with the last task of their namespace, with a name that is removed or "
    "renamed, or with the last handle of a detached tree; by nothing else.",
    R"law(umount(2), DESCRIPTION, "remove the attachment of the (topmost) filesystem mounted )law"
    R"law(on target"; observed)law")

// --- tasks and namespaces (tasks.cc) ------------------------------------------------------------

LAW(pivot_only_exchanges,
    "pivot_root makes, loses and changes no mount but by moving the old root and the new one.",
    R"law(pivot_root(2), DESCRIPTION, "These restrictions ensure that pivot_root() never )law"
    R"law(propagates any changes to another mount namespace")law")
LAW(pivot_moves_who_stood_there,
    "After pivot_root, exactly those roots and current directories that were the caller's old "
    "root are the new root, in whichever namespace; no handle moves.",
    R"law(pivot_root(2), DESCRIPTION, "changes the root directory and the current working )law"
    R"law(directory of each process or thread"; observed)law")
LAW(pivot_is_restricted,
    "pivot_root succeeds only where root and new_root are mount points of the caller's namespace, "
    "put_old is at or below new_root and that below the root, neither is on the root's mount, and "
    "neither put_old nor what root and new_root are mounted on is shared.",
    R"law(pivot_root(2), DESCRIPTION, "The following restrictions apply")law")
LAW(tasks_move_themselves,
    "But for pivot_root, a call changes no other task's root, current directory or handles.",
    R"law(chdir(2), DESCRIPTION, "changes the current working directory of the calling )law"
    R"law(process"; chroot(2), DESCRIPTION, "changes the root directory of the calling )law"
    R"law(process")law")
LAW(paths_cross_mounts,
    "chdir, chroot and open lead to what is on top at the end of the path: each name to what is "
    "mounted there, '..' out of a mount, but not above the root.",
    R"law(path_resolution(7), Mount points, "and no longer to whatever it referred to )law"
    R"law(earlier")law")
LAW(setns_enters_at_the_top,
    "After setns into a mount namespace, root and current directory are what is on top of its "
    "lowest mount's root.",
    R"law(observed; setns(2) says nothing)law")
LAW(namespace_is_copied,
    "A new mount namespace has the mounts of the old one, with the same flags, peers and "
    "masters; where it is less privileged, slaves of those that are shared. Root and current "
    "directory follow.",
    R"law(sharedsubtree.rst, 5g) Clone Namespace, "A cloned namespace contains all the )law"
    R"law(mounts as that of the parent namespace"; mount_namespaces(7), Restrictions on )law"
    R"law(mount namespaces, "shared mounts are reduced to slave mounts")law")
LAW(calls_need_their_capability,
    "chroot takes CAP_SYS_CHROOT in the caller's user namespace; what changes mounts takes "
    "CAP_SYS_ADMIN in the user namespace that owns the caller's mount namespace.",
    R"law(chroot(2), DESCRIPTION, "may call chroot()"; pivot_root(2), DESCRIPTION, "in the )law"
    R"law(user namespace that owns the caller's mount namespace")law")

// --- what must stay hidden (covers.cc) ----------------------------------------------------------

LAW(covered_stays_covered,
    "What a mount covered when it came to a less privileged namespace stays covered there by "
    "some mount, whatever the namespace's own tasks do; also in copies that they make. (Unless it "
    "was unmounted where this mount receives from, which takes the lock away.)",
    R"law(mount_namespaces(7), Restrictions on mount namespaces, "may not be separated in a )law"
    R"law(less privileged mount namespace")law")
LAW(expiry_needs_a_mark,
    "umount with MNT_EXPIRE succeeds only for a mount that an earlier one marked, in which no task "
    "opened anything or went since; not with MNT_DETACH, and not for the caller's root.",
    R"law(umount(2), DESCRIPTION, "The mount remains expired as long as it isn't accessed by )law"
    R"law(any process")law")
#undef STATE_LAW
