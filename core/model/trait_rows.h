// SPDX-License-Identifier: Apache-2.0
// trait_rows.h: the rows of the table of traits (traits.h), one TRAIT for each. Included several
// times, so it has no include guard.
//
// `in` are the releases that have it: from one, before another (a missing end: all later ones).
// What is mended in stable releases ends in each of them. `probe` is a scenario of a few lines that
// kernels with the trait answer otherwise than those without; it may rely on the traits above it,
// and makes no state that a known bug turns into a crash.

// clang-format off

TRAIT(knows_move_mount_beneath,
      .sentence = "move_mount knows MOVE_MOUNT_BENEATH",
      .in = {{.from = {{6, 5}}}},
      .probe = "move_mount / /missing beneath")

TRAIT(detached_target_is_gone,
      .sentence = "mounting on a detached mount is ENOENT; elsewhere EINVAL",
      .in = {{.from = {{6, 2}}}},
      .probe = "mkdir /d\n"
               "mount tmpfs /d\n"
               "open h /d\n"
               "umount /d detach\n"
               "mount tmpfs @h")

// Before, it took the reference first, and so cleared the expiry mark of the directory's mount.
TRAIT(open_checks_name_first,
      .sentence = "open(O_CREAT) checks that the name ends in no slash before it takes a "
                  "reference to the directory, so that an expiry mark stays",
      .in = {{.from = {{6, 12}}}},
      .probe = "mkdir /d\n"
               "mount tmpfs /d\n"
               "umount /d expire\n"
               "touch /d/g/\n"
               "umount /d expire")

TRAIT(move_mount_target_first,
      .sentence = "move_mount looks its target up before its source; elsewhere after it",
      .in = {{.from = {{6, 15}}}},
      .probe = "touch /f\n"
               "move_mount /missing /f/x")

TRAIT(detached_trees_can_grow,
      .sentence = "a detached tree may be copied, bound from and mounted on; elsewhere it can "
                  "only be attached, as a whole, and only in a mount namespace",
      .in = {{.from = {{6, 15}}}},
      .probe = "fsmount h tmpfs\n"
               "open_tree k @h clone")

// Before, the old occupant sits directly on the copy's root, so that two mounts can have the same
// mount point, and lookups find the newer one.
TRAIT(tucks_beneath_whole_stack,
      .sentence = "a propagated copy that is tucked beneath what occupies its place goes there "
                  "with all that is stacked on its root",
      .in = {{.from = {{6, 17}}}},
      .finding = "Before 6.17 a propagated stack hides the mount that it is tucked beneath",
      .probe = "mkdir /m\n"
               "mount tmpfs /m\n"
               "make-shared /m\n"
               "mkdir /m/d\n"
               "mkdir /s\n"
               "bind /m /s\n"
               "make-slave /s\n"
               "mount tmpfs /s/d\n"
               "mkdir /a\n"
               "mount tmpfs /a\n"
               "chdir /a\n"
               "mount tmpfs /a\n"
               "rbind . /m/d")

// Before, it looked for a place to mount on first.
TRAIT(umounts_largest_set,
      .sentence = "what goes by the propagation of a umount is the largest set that loses and "
                  "reveals nothing; elsewhere a locked mount that covers one which goes stays, "
                  "and takes its place",
      .in = {{.from = {{6, 17}}}},
      .probe = "mkdir /a\n"
               "mount tmpfs /a\n"
               "mkdir /a/a\n"
               "mount tmpfs /a/a\n"
               "mount tmpfs /a/a\n"
               "make-rshared /\n"
               "spawn H\n"
               "H: unshare mnt,user\n"
               "umount /a detach")

TRAIT(umounts_deepest_first,
      .sentence = "where the umount of a tree propagates and several covers come to one place, the "
                  "one from what is deepest and last in the tree comes first, so it ends below the "
                  "others; elsewhere the one from what is highest and first",
      .in = {{.from = {{6, 8}}, .before = {{6, 17}}}},
      .probe = "mkdir /a\n"
               "mkdir /b\n"
               "make-shared /\n"
               "bind / /b\n"
               "mount tmpfs /a\n"
               "mkdir /a/x\n"
               "mkdir /a/y\n"
               "mount tmpfs /a/x\n"
               "mount tmpfs /a/y\n"
               "make-private /b/a/x\n"
               "make-private /b/a/y\n"
               "mount tmpfs /b/a/x\n"
               "mount tmpfs /b/a/y\n"
               "mkdir /b/a/x/c\n"
               "umount /a detach\n"
               "chdir /b/a/c")

// The kernels that do not have it ask that the mount is in the caller's own namespace: EINVAL. It
// came as a stable mend between 6.12.43 and 6.12.100, and between 6.16.3 and 6.16.12.
TRAIT(propagation_by_owner,
      .sentence = "the propagation type of a mount elsewhere, or of a detached tree, may be "
                  "changed by a task with CAP_SYS_ADMIN over the owner of its namespace; "
                  "elsewhere it is EINVAL",
      .in = {{.from = {}, .before = {{6, 12}}},
             {.from = {{6, 12, 44}}, .before = {{6, 13}}},
             {.from = {{6, 16, 4}}}},
      .probe = "fsmount h tmpfs\n"
               "make-shared @h")

TRAIT(beneath_checks_place_first,
      .sentence = "MOVE_MOUNT_BENEATH first checks that the place of the target's mount is there, "
                  "then that the target, or what is mounted on it, is the root of a mount",
      .in = {{.from = {{6, 5}}, .before = {{6, 17}}}},
      .probe = "mkdir /d\n"
               "mount tmpfs /d\n"
               "mkdir /d/e\n"
               "open h /d/e\n"
               "umount /d detach\n"
               "fsmount k tmpfs\n"
               "move_mount @k @h beneath")

TRAIT(move_checks_kinds_first,
      .sentence = "a move first checks that the source is the root of a mount, and that both are "
                  "directories, or neither is",
      .in = {{.from = {{6, 18}}}},
      .probe = "mkdir /d\n"
               "mkdir /e\n"
               "open h /e\n"
               "rmdir /e\n"
               "move /d @h")

TRAIT(namespace_copy_loses_unbindable, .is_quirk = true,
      .sentence = "the copy of an unbindable mount in a new mount namespace is private",
      .in = {{.from = {{6, 17}}, .before = {{7, 2, 11}}}},
      .finding = "A new mount namespace forgets that a mount is unbindable",
      .probe = "make-unbindable /\n"
               "unshare mnt")

TRAIT(goes_beneath_detached_cover,
      .sentence = "MOVE_MOUNT_BENEATH, where the target is the lowest mount of a detached tree, "
                  "goes beneath its cover if it has one; elsewhere EINVAL",
      .in = {{.from = {{6, 15}}, .before = {{6, 17}}}, {.from = {{6, 18}}}},
      .probe = "mount tmpfs /\n"
               "fsmount k tmpfs\n"
               "open_tree h / clone,recursive\n"
               "move_mount @k @h beneath")

TRAIT(beneath_checks_detached_root, .is_quirk = true,
      .sentence = "MOVE_MOUNT_BENEATH, where the target is the lowest mount of a detached tree "
                  "with one cover: the lowest mount is checked instead of the cover",
      .in = {{.from = {{6, 18}}}},
      .finding = "Beneath the cover of a detached tree, the wrong mount is checked",
      .probe = "mount tmpfs /\n"
               "make-shared /\n"
               "fsmount k tmpfs\n"
               "open_tree h / clone,recursive\n"
               "move_mount @k @h beneath")

TRAIT(umount_takes_busy_copies, .is_quirk = true,
      .sentence = "a umount without MNT_DETACH is refused only for a copy in use that nothing is "
                  "mounted on; others go, in use or not",
      .in = {{.from = {}, .before = {{6, 12, 117}}}, {.from = {{6, 13}}, .before = {{7, 2, 11}}}},
      .finding = "An unmount takes away a copy that is in use",
      .probe = "mkdir /b\n"
               "make-shared /\n"
               "bind / /b\n"
               "chdir /b\n"
               "bind /b/b /b/b\n"
               "umount /b/b")

TRAIT(set_group_leaves_unbindable, .is_quirk = true,
      .sentence = "MOVE_MOUNT_SET_GROUP makes an unbindable mount a slave that stays unbindable; "
                  "elsewhere it is EINVAL",
      .in = {{.from = {}, .before = {{7, 2, 11}}}},
      .finding = "MOVE_MOUNT_SET_GROUP leaves a slave unbindable",
      .probe = "mkdir /a\n"
               "mkdir /b\n"
               "make-shared /\n"
               "bind / /a\n"
               "make-slave /a\n"
               "bind / /b\n"
               "make-unbindable /b\n"
               "move_mount /a /b set_group")

TRAIT(lock_rises_with_cover, .is_quirk = true,
      .sentence = "a mount that arrives beneath a locked one is not locked, and so takes the lock "
                  "off what that covered; elsewhere the lock is handed down",
      .in = {{.from = {}, .before = {{7, 1}}}},
      .finding = "A mount that arrives beneath a locked one takes the lock off what that covered",
      .probe = "make-shared /\n"
               "mkdir /a\n"
               "spawn C\n"
               "unshare mnt\n"
               "C: make-slave /\n"
               "C: mount tmpfs /a\n"
               "C: unshare mnt,user\n"
               "mount tmpfs /a\n"
               "C: bind / /")

TRAIT(starves_slaves_of_detached, .is_quirk = true,
      .sentence = "a slave that the kernel keeps with a peer in a detached tree receives nothing",
      .in = {{.from = {}, .before = {{6, 15}}}},
      .finding = "A slave of a peer in a detached tree receives nothing",
      .probe = "make-shared /\n"
               "spawn B\n"
               "unshare mnt\n"
               "open_tree k / clone\n"
               "make-slave /\n"
               "B: mount tmpfs /")

TRAIT(bind_elsewhere_does_nothing, .is_quirk = true,
      .sentence = "a bind onto a mount of another namespace, or of a detached tree, succeeds and "
                  "does nothing; elsewhere it is EINVAL",
      .in = {{.from = {{6, 17}}, .before = {{6, 18}}}},
      .finding = "A bind onto a mount elsewhere succeeds, and does nothing",
      .probe = "open_tree m / clone\n"
               "bind / @m")

TRAIT(locks_what_goes_elsewhere, .is_quirk = true,
      .sentence = "what is mounted in a detached tree that another user namespace owns is locked, as "
                  "what propagates there would be",
      .in = {{.from = {{6, 17}}}},
      .finding = "What is mounted in a detached tree of another owner is locked",
      .probe = "fsmount h tmpfs\n"
               "unshare mnt,user\n"
               "fsmount k tmpfs\n"
               "move_mount @k @h\n"
               "move_mount @h /\n"
               "remount @k noatime")

TRAIT(arrival_unlocks_cover, .is_quirk = true,
      .sentence = "what arrives beneath a locked mount is locked instead of it",
      .in = {{.from = {{7, 1}}, .before = {{7, 2, 11}}}},
      .finding = "What arrives beneath a locked mount takes its lock over",
      .probe = "make-shared /\n"
               "mkdir /a\n"
               "spawn C\n"
               "unshare mnt\n"
               "C: make-slave /\n"
               "C: mount tmpfs /a\n"
               "C: unshare mnt,user\n"
               "mount tmpfs /a\n"
               "umount /a\n"
               "C: umount /a")

TRAIT(pivot_capability_last,
      .sentence = "pivot_root looks both paths up before it asks for the capability; elsewhere "
                  "after it",
      .in = {{.from = {{7, 0}}}},
      .probe = "dropcap sys_admin\n"
               "pivot_root / /missing")

// Since 7.0 an empty filesystem that nobody can change is the root of every namespace.
TRAIT(goes_beneath_lowest,
      .sentence = "MOVE_MOUNT_BENEATH may go beneath the lowest mount of a namespace; elsewhere "
                  "EINVAL",
      .in = {{.from = {{7, 0}}}},
      .probe = "open h /\n"
               "mkdir /e\n"
               "mount tmpfs /e\n"
               "chroot /e\n"
               "fsmount k tmpfs\n"
               "move_mount @k @h beneath")

TRAIT(lists_all_mounts,
      .sentence = "listmount shows a mount on a directory that was renamed out of what the lowest "
                  "mount of its namespace shows; elsewhere no list has it",
      .in = {{.from = {{7, 0}}}},
      .probe = "spawn B\n"
               "B: unshare mnt,user\n"
               "B: mkdir a\n"
               "B: bind /a /a\n"
               "B: mkdir /a/o\n"
               "B: pivot_root /a /a/o\n"
               "B: umount /o detach,nofollow\n"
               "B: mkdir /o/a\n"
               "B: mount tmpfs /o/a\n"
               "rename /a/o/a /b")

TRAIT(goes_beneath_own_root,
      .sentence = "MOVE_MOUNT_BENEATH may go beneath the root of the caller; elsewhere EINVAL",
      .in = {{.from = {{7, 1}}}},
      .probe = "mkdir /d\n"
               "mount tmpfs /d\n"
               "fsmount h tmpfs\n"
               "chroot /d\n"
               "move_mount @h / beneath")

TRAIT(goes_beneath_locked,
      .sentence = "MOVE_MOUNT_BENEATH may go beneath a locked mount, and takes over its lock; "
                  "elsewhere EINVAL",
      .in = {{.from = {{7, 1}}}},
      .probe = "mkdir /d\n"
               "mount tmpfs /d\n"
               "unshare mnt,user\n"
               "fsmount h tmpfs\n"
               "move_mount @h /d beneath")

TRAIT(unmounted_leave_dead_ends,
      .sentence = "what would stay mounted on an unmounted mount that is still used is taken off it, "
                  "and its place leads to an empty directory in which nothing can be found or made",
      .in = {{.from = {{7, 3}}}},
      .probe = "mkdir /a\n"
               "mount tmpfs /a\n"
               "mkdir /a/b\n"
               "mount tmpfs /a/b\n"
               "open_tree h /a clone,recursive\n"
               "open p @h\n"
               "chdir @h/b\n"
               "close h")

// clang-format on
