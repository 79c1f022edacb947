// SPDX-License-Identifier: Apache-2.0
// rule_rows.h: the rows of the rule table, one RULE for each rule. Included several times
// (rules.h makes the enumeration of it, rules.cc the table), so it has no include guard. The names
// that the rows use (documents, citations, calls) are those of rules.cc.

// clang-format off

// --- paths: the same in every call that looks one up ---------------------------------------------

RULE(handle_closed, .calls = any_path, .error = EBADF, .fix = other_put_old,
     .reason = "the handle is not open in this task",
     .source = {errors(open_2, "dirfd is neither AT_FDCWD nor a valid file descriptor")})
RULE(path_empty, .calls = any_path, .error = ENOENT, .fix = other_put_old,
     .reason = "the path is the empty string, or nothing follows the handle where a name is needed",
     .source = {cite(path_resolution_7, "Empty pathname", "Linux returns ENOENT in this case")})
RULE(path_too_long, .calls = any_path, .error = ENAMETOOLONG, .fix = other_put_old,
     .reason = "the path is 4096 bytes or longer",
     .source = {cite(path_resolution_7, "Length limit", "There is a maximum length for pathnames")})
RULE(search_denied, .calls = any_path, .error = EACCES, .fix = other_put_old,
     .reason = "a directory on the way, or the one to enter, may not be searched: its mode has no "
               "x for the owner, and the task has neither CAP_DAC_OVERRIDE nor "
               "CAP_DAC_READ_SEARCH",
     .source = {cite(path_resolution_7, "Step 2", "not have search permission"),
                cite(path_resolution_7, "Bypassing permission checks",
                     "CAP_DAC_READ_SEARCH capability grants read and search permission")},
     .advice = "Every directory on the way must be searchable (x).")
RULE(not_a_directory, .calls = any_path, .error = ENOTDIR, .fix = other_put_old,
     .reason = "a component of the path is not a directory, or the last one is not and must be one",
     .source = {cite(path_resolution_7, "Step 2", "an ENOTDIR error is returned"),
                cite(path_resolution_7, "Step 3", "it may have to be a directory")},
     .advice = "Both arguments must be directories.")
RULE(too_many_links, .calls = any_path, .error = ELOOP, .fix = other_put_old,
     .reason = "the path leads through more than 40 symbolic links",
     .source = {cite(path_resolution_7, "Step 2", "followed while resolving a pathname is 40")})
RULE(link_not_followed, .calls = any_path, .error = ELOOP, .fix = other_put_old,
     .reason = "the path leads through a symbolic link on a mount that is nosymfollow",
     .source = {cite(mount_2, "Additional mount flags",
                     "Do not follow symbolic links when resolving paths"),
                observed})
RULE(directory_removed, .calls = any_path, .error = ENOENT, .fix = other_put_old,
     .reason = "the name is looked up in a directory that has been removed",
     .source = {errors(symlink_2, "newdirfd refers to a directory that has been deleted"),
                observed})
RULE(name_too_long, .calls = any_path, .error = ENAMETOOLONG, .fix = other_put_old,
     .reason = "a component of the path is longer than 255 bytes",
     .source = {text(pathname_7, "A filename can be at most a certain number of bytes")})
RULE(name_missing, .calls = any_path, .error = ENOENT, .fix = make_directory,
     .reason = "the directory has no entry of that name",
     .source = {cite(path_resolution_7, "Step 2", "is not found, an ENOENT error is returned")},
     .advice = "Make the directory.")
RULE(dot_dot_escaped, .calls = any_path, .error = ENOENT, .since = {{4, 3}}, .fix = other_put_old,
     .reason = "'..' would leave what the mount shows: the directory was renamed to a place "
               "outside of the subtree that was bound",
     .source = {observed, silent(mount_namespaces_7)})
RULE(name_exists, .calls = any_path, .error = EEXIST, .fix = other_put_old,
     .reason = "the name to make exists already, or is '/', '.' or '..'",
     .source = {errors(mkdir_2, "path already exists"),
                errors(open_2, "path already exists and O_CREAT and O_EXCL were used")})
RULE(read_only, .calls = any_path, .error = EROFS, .fix = other_put_old,
     .reason = "the mount, or its filesystem, is read-only",
     .source = {errors(mkdir_2, "path refers to a file on a read-only filesystem"),
                cite(mount_2, "Additional mount flags", "MS_RDONLY Mount filesystem read-only")})
RULE(directory_write_denied, .calls = any_path, .error = EACCES, .fix = other_put_old,
     .reason = "the task may not add or remove names in that directory: its mode lacks w or x for "
               "the owner, and the task has no CAP_DAC_OVERRIDE",
     .source = {errors(unlink_2, "Write access to the directory containing path is not allowed"),
                cite(path_resolution_7, "Bypassing permission checks",
                     "CAP_DAC_OVERRIDE capability overrides all permission checking")})

// --- names ---------------------------------------------------------------------------------------

RULE(rmdir_dot, .calls = {rmdir}, .error = EINVAL,
     .reason = "the last component of the path is '.'",
     .source = {errors(rmdir_2, "path has . as last component")})
RULE(rmdir_dot_dot, .calls = {rmdir}, .error = ENOTEMPTY,
     .reason = "the last component of the path is '..'",
     .source = {errors(rmdir_2, "path has .. as its final component")})
RULE(rmdir_root, .calls = {rmdir}, .error = EBUSY,
     .reason = "the path is the root directory",
     .source = {errors(rmdir_2, "is the root directory of the calling process")})
RULE(rmdir_not_directory, .calls = {rmdir}, .error = ENOTDIR,
     .reason = "what should be removed is not a directory",
     .source = {errors(rmdir_2, "is not, in fact, a directory")})
RULE(rmdir_mount_point, .calls = {rmdir}, .error = EBUSY,
     .reason = "something is mounted on that directory in the task's mount namespace, on this "
               "mount or on another that shows the directory",
     .source = {errors(rmdir_2, "path is currently used as a mount point"), may_go_elsewhere})
RULE(rmdir_not_empty, .calls = {rmdir}, .error = ENOTEMPTY,
     .reason = "the directory is not empty",
     .source = {errors(rmdir_2, "path contains entries other than . and ..")})
RULE(touch_trailing_slash, .calls = {touch}, .error = EISDIR,
     .reason = "the name of the new file ends in a slash",
     .source = {observed, silent(open_2)})
RULE(unlink_directory, .calls = {unlink}, .error = EISDIR,
     .reason = "what should be unlinked is a directory",
     .source = {errors(unlink_2, "This is the non-POSIX value returned since Linux")})
RULE(unlink_trailing_slash, .calls = {unlink}, .error = ENOTDIR,
     .reason = "the path ends in a slash, but does not name a directory",
     .source = {trailing_slash})
RULE(unlink_mount_point, .calls = {unlink}, .error = EBUSY,
     .reason = "something is mounted on that file in the task's mount namespace",
     .source = {errors(unlink_2, "it is a mount point"), may_go_elsewhere})
RULE(rename_other_mount, .calls = {rename}, .error = EXDEV,
     .reason = "the two names are on different mounts; the same filesystem is not enough",
     .source = {errors(rename_2, "rename() does not work across different mount points")})
RULE(rename_dots, .calls = {rename}, .error = EBUSY,
     .reason = "one of the two names is '/', '.' or '..'",
     .source = {observed, silent(rename_2)})
RULE(rename_into_itself, .calls = {rename}, .error = EINVAL,
     .reason = "the directory would become a subdirectory of itself",
     .source = {errors(rename_2, "to make a directory a subdirectory of itself")})
RULE(rename_onto_ancestor, .calls = {rename}, .error = ENOTEMPTY,
     .reason = "the new name is a directory that contains the old name",
     .source = {errors(rename_2, "newpath is a nonempty directory"), observed})
RULE(rename_trailing_slash, .calls = {rename}, .error = ENOTDIR,
     .reason = "one of the names ends in a slash, but what is renamed is not a directory",
     .source = {trailing_slash})
RULE(rename_onto_file, .calls = {rename}, .error = ENOTDIR,
     .reason = "a directory would replace something that is not a directory",
     .source = {errors(rename_2, "newpath exists but is not a directory")})
RULE(rename_onto_directory, .calls = {rename}, .error = EISDIR,
     .reason = "something that is not a directory would replace a directory",
     .source = {errors(rename_2, "newpath is an existing directory, but oldpath is not")})
RULE(rename_mount_point, .calls = {rename}, .error = EBUSY,
     .reason = "something is mounted on one of the two in the task's mount namespace",
     .source = {errors(rename_2, "in use by the system (for example as a mount point)"),
                may_go_elsewhere})
RULE(rename_not_empty, .calls = {rename}, .error = ENOTEMPTY,
     .reason = "the directory that would be replaced is not empty",
     .source = {errors(rename_2, "newpath is a nonempty directory")})
RULE(symlink_target_empty, .calls = {symlink}, .error = ENOENT,
     .reason = "the target of the link is the empty string",
     .source = {errors(symlink_2, "target or linkpath is an empty string")})
RULE(symlink_target_too_long, .calls = {symlink}, .error = ENAMETOOLONG,
     .reason = "the target of the link is 4096 bytes or longer",
     .source = {errors(symlink_2, "target or linkpath was too long")})
RULE(symlink_trailing_slash, .calls = {symlink}, .error = ENOENT,
     .reason = "the name of the new link ends in a slash",
     .source = {observed, silent(symlink_2)})

// --- mount: new, bind, move, propagation, remount ------------------------------------------------

RULE(mount_no_capability, .calls = any_mount, .error = EPERM,
     .reason = "the task has no CAP_SYS_ADMIN in the user namespace that owns its mount namespace",
     .source = {errors(mount_2, "The caller does not have the required privileges"), owner_decides})
RULE(mount_type_no_capability, .calls = {mount_new, fsmount}, .error = EPERM,
     .reason = "a new filesystem needs CAP_SYS_ADMIN in the task's own user namespace",
     .source = {errors(fsopen_2, "does not have the required CAP_SYS_ADMIN capability")})
RULE(mount_source_too_long, .calls = {mount_bind, mount_move}, .error = EINVAL,
     .reason = "the source of the bind or move is 4096 bytes or longer",
     .source = {observed, silent(mount_2)})
RULE(mount_source_empty, .calls = {mount_bind, mount_move}, .error = EINVAL,
     .reason = "the source of the bind or move is the empty string",
     .source = {observed, silent(mount_2)})
RULE(move_source_not_mount_point, .calls = moves, .error = EINVAL,
     .reason = "what should be moved is not the root of a mount",
     .source = {errors(mount_2, "source was not a mount, or was '/'"),
                errors(move_mount_2, "is not a mount object")})
RULE(move_kind_mismatch, .calls = moves, .error = EINVAL,
     .reason = "a directory can be moved only onto a directory, a file only onto a file",
     .source = {errors(move_mount_2, "the source is a file but the target is a directory")})
RULE(mount_target_gone, .calls = attachments, .error = ENOENT,
     .reason = "the directory to mount on has been removed, or its mount has been detached",
     .source = {observed, silent(mount_2)})
RULE(mount_target_foreign, .calls = attachments, .error = EINVAL,
     .reason = "the place to mount on is in another mount namespace",
     .source = {errors(move_mount_2, "not in the calling process's mount namespace"),
                own_mounts_only})
RULE(mount_kind_mismatch, .calls = {mount_new, mount_bind}, .error = ENOTDIR,
     .reason = "a directory can be mounted only on a directory, a file only on a file",
     .source = {errors(mount_2, "target, or a prefix of source, is not a directory"), observed})
RULE(open_tree_limit, .calls = {open_tree_clone}, .error = ENOSPC, .since = {{5, 2}},
     .reason = "a user namespace that counts it allows no more mount namespaces, and a detached tree "
               "is one",
     .source = {observed, silent(open_tree_2)})
RULE(bind_unbindable, .calls = binds, .error = EINVAL,
     .reason = "the source of the bind or clone is unbindable",
     .source = {errors(mount_2, "An attempt was made to bind mount an unbindable mount"),
                cite(sharedsubtree, "5b) Bind semantics",
                     "A unbindable mount cannot be bind mounted")})
RULE(bind_source_foreign, .calls = binds, .error = EINVAL,
     .reason = "the source of the bind or clone is on a detached mount, or in another mount "
               "namespace",
     .source = {observed, silent(mount_2)})
RULE(bind_locked_children, .calls = binds, .error = EINVAL,
     .reason = "a bind that is not recursive would reveal what locked mounts below the source "
               "cover",
     .source = {errors(mount_2, "would have revealed the filesystem tree underneath"),
                mounts_are_locked})
RULE(bind_locked_unbindable, .calls = binds, .error = EPERM,
     .reason = "a recursive bind would leave out a mount that is unbindable and locked, and so "
               "reveal what that mount covers",
     .source = {mounts_are_locked, observed})
RULE(move_foreign, .calls = moves, .error = EINVAL,
     .reason = "the mount to move is detached, or in another mount namespace",
     .source = {errors(move_mount_2, "not in the calling process's mount namespace")})
RULE(move_locked, .calls = moves, .error = EINVAL,
     .reason = "the mount to move is locked: it was inherited from a more privileged mount "
               "namespace",
     .source = {mounts_are_locked})
RULE(move_shared_parent, .calls = moves, .error = EINVAL,
     .reason = "the parent mount of the mount to move is shared",
     .source = {errors(mount_2, "the parent mount of source mount has propagation type"),
                cite(sharedsubtree, "5d) Move semantics",
                     "moving a mount residing under a shared mount is invalid")})
RULE(move_unbindable_to_shared, .calls = moves, .error = EINVAL,
     .reason = "the tree to move contains an unbindable mount, and the target is on a shared mount",
     .source = {errors(mount_2, "the mount tree under source includes unbindable mounts"),
                cite(sharedsubtree, "5d) Move semantics",
                     "'A' is a unbindable mount and 'B' is a shared mount")})
RULE(move_into_itself, .calls = moves, .error = ELOOP,
     .reason = "the target is inside the tree to move",
     .source = {errors(mount_2, "target is a descendant of source")})
RULE(mount_source_removed, .calls = binds_and_moves, .error = ENOENT,
     .reason = "the directory or file to bind, or the one that the mount to move shows, has been "
               "removed",
     .source = {observed, silent(mount_2)})
RULE(propagation_not_mount_point, .calls = {mount_propagation}, .error = EINVAL,
     .reason = "only a mount has a propagation type, and the path does not name the root of a "
               "mount",
     .source = {cite(mount_2, "Changing the propagation type of an existing mount",
                     "the propagation type of an existing mount is changed"), observed})
RULE(propagation_detached, .calls = {mount_propagation, move_mount_set_group}, .error = EINVAL,
     .reason = "the mount whose propagation type should change is detached",
     .source = {observed, silent(mount_2)})
RULE(propagation_elsewhere, .calls = {mount_propagation}, .error = EINVAL,
     .since = {{6, 12}}, .until = {{6, 17}},
     .reason = "the mount is in another mount namespace, or in a detached tree; newer kernels, and "
               "stable releases, ask the owner of its namespace instead",
     .source = {own_mounts_only, observed})
RULE(propagation_foreign, .calls = {mount_propagation, move_mount_set_group}, .error = EPERM,
     .since = {{6, 17}}, .stable_since = {{6, 1}},
     .reason = "the task has no CAP_SYS_ADMIN in the user namespace that owns the mount's "
               "namespace",
     .source = {owner_decides, observed})
RULE(remount_foreign, .calls = {mount_remount}, .error = EINVAL,
     .reason = "the mount is detached, or in another mount namespace",
     .source = {observed, silent(mount_2)})
RULE(remount_not_mount_point, .calls = {mount_remount}, .error = EINVAL,
     .reason = "what should be remounted is not the root of a mount",
     .source = {errors(mount_2, "but source was not already mounted on target")})
RULE(remount_locked_flag, .calls = {mount_remount}, .error = EPERM,
     .reason = "the remount would clear a locked flag, or change a locked atime setting: they "
               "were inherited from a more privileged mount namespace",
     .source = {errors(mount_2, "of an existing mount, but the mount is locked"),
                cite(mount_namespaces_7, restrictions, "settings become locked when propagated")})

// --- umount --------------------------------------------------------------------------------------

RULE(umount_no_capability, .calls = {umount}, .error = EPERM,
     .reason = "the task has no CAP_SYS_ADMIN in the user namespace that owns its mount namespace",
     .source = {errors(umount_2, "The caller does not have the required privileges"),
                owner_decides})
RULE(umount_not_mount_point, .calls = {umount}, .error = EINVAL,
     .reason = "what should be unmounted is not the root of a mount",
     .source = {errors(umount_2, "target is not a mount point")})
RULE(umount_foreign, .calls = {umount}, .error = EINVAL,
     .reason = "the mount is already detached, or in another mount namespace",
     .source = {observed, silent(umount_2)})
RULE(umount_locked, .calls = {umount}, .error = EINVAL,
     .reason = "the mount is locked: it was inherited from a more privileged mount namespace",
     .source = {errors(umount_2, "target is locked"), mounts_are_locked})
RULE(umount_expire_with_detach, .calls = {umount_expire}, .error = EINVAL,
     .reason = "MNT_EXPIRE and MNT_DETACH exclude each other",
     .source = {errors(umount_2, "MNT_EXPIRE and either MNT_DETACH or MNT_FORCE")})
RULE(umount_expire_root, .calls = {umount_expire}, .error = EINVAL,
     .reason = "the mount of the task's own root cannot expire",
     .source = {observed, silent(umount_2)})
RULE(umount_expire_busy, .calls = {umount_expire}, .error = EBUSY,
     .reason = "the mount is in use: something is mounted on it, or a root, a current directory "
               "or a handle is on it",
     .source = {text(umount_2, "If a mount is not currently in use"),
                errors(umount_2, "could not be unmounted because it is busy")})
RULE(umount_expire_marked, .calls = {umount_expire}, .error = EAGAIN,
     .reason = "the mount was not in use and is now marked as expired; the next such call "
               "unmounts it",
     .source = {errors(umount_2, "successfully marked an unbusy filesystem as expired")})
RULE(umount_root_no_capability, .calls = {umount}, .error = EPERM,
     .reason = "a plain umount of the task's own root makes its filesystem read-only; that needs "
               "CAP_SYS_ADMIN in the user namespace in which the filesystem was mounted",
     .source = {observed, silent(umount_2)})
RULE(umount_root_removed_in_use, .calls = {umount}, .error = EBUSY,
     .reason = "a plain umount of the task's own root makes its filesystem read-only, but a "
               "removed directory or file of it is still in use",
     .source = {observed, silent(umount_2)})
RULE(umount_busy, .calls = {umount}, .error = EBUSY,
     .reason = "the mount is in use: something is mounted on it, or a root, a current directory "
               "or a handle is on it",
     .source = {errors(umount_2, "could not be unmounted because it is busy")})
RULE(umount_propagation_busy, .calls = {umount}, .error = EBUSY,
     .reason = "the umount would propagate to a mount that is in use and has nothing mounted on it",
     .source = {cite(sharedsubtree, "5f) Unmount semantics",
                     "has some child mounts, then that mount is not unmounted"), observed})

// --- pivot_root ----------------------------------------------------------------------------------

RULE(pivot_no_capability, .calls = {pivot_root}, .error = EPERM, .fix = own_namespace,
     .reason = "the task has no CAP_SYS_ADMIN in the user namespace that owns its mount namespace",
     .source = {text(pivot_root_2, "in the user namespace that owns the caller's mount namespace")},
     .advice = "Call it with CAP_SYS_ADMIN in the user namespace that owns the mount namespace: "
               "in new namespaces of your own, or as root.")
RULE(put_old_gone, .calls = {pivot_root}, .error = ENOENT, .about = {put_old}, .fix = other_put_old,
     .reason = "put_old has been removed, or its mount has been detached",
     .source = {observed, silent(pivot_root_2)},
     .advice = "Name an existing directory in new_root.")
RULE(root_mount_foreign, .calls = {pivot_root}, .error = EINVAL, .about = {root},
     .reason = "the task's root is on a detached mount, or in another mount namespace",
     .source = {observed, silent(pivot_root_2)},
     .advice = "The root of the process has been unmounted: enter the mount namespace again "
               "(setns, nsenter --mount).")
RULE(new_root_foreign, .calls = {pivot_root}, .error = EINVAL, .about = {new_root},
     .reason = "new_root is on a detached mount, or in another mount namespace",
     .source = {observed, silent(pivot_root_2)}, .advice = advice_new_root)
RULE(put_old_mount_shared, .calls = {pivot_root}, .error = EINVAL, .about = {put_old},
     .fix = make_put_old_mount_private,
     .reason = "put_old is on a shared mount: the old root, mounted there, would propagate",
     .source = {errors(pivot_root_2, "put_old is a mount point and has the propagation type"),
                text(pivot_root_2, "never propagates any changes")})
RULE(new_root_parent_shared, .calls = {pivot_root}, .error = EINVAL,
     .about = {new_root, new_root_parent}, .fix = make_new_root_parent_private,
     .reason = "the parent mount of new_root is shared",
     .source = {errors(pivot_root_2,
                       "parent mount of that mount point, has propagation type MS_SHARED")})
RULE(root_parent_shared, .calls = {pivot_root}, .error = EINVAL, .about = {root, root_parent},
     .fix = make_root_parent_private,
     .reason = "the parent mount of the task's root is shared",
     .source = {text(pivot_root_2, "the current root directory must not be MS_SHARED")})
RULE(new_root_locked, .calls = {pivot_root}, .error = EINVAL, .about = {new_root},
     .fix = bind_new_root,
     .reason = "new_root is a locked mount: it was inherited from a more privileged mount "
               "namespace",
     .source = {mounts_are_locked, silent(pivot_root_2)},
     .advice = "A mount that came from a more privileged namespace can't be moved; a recursive "
               "bind of it to itself can.")
RULE(new_root_removed, .calls = {pivot_root}, .error = ENOENT, .about = {new_root},
     .reason = "the directory new_root has been removed",
     .source = {observed, silent(pivot_root_2)}, .advice = advice_new_root)
RULE(new_root_on_root_mount, .calls = {pivot_root}, .error = EBUSY, .about = {root},
     .fix = bind_new_root,
     .reason = "new_root is on the same mount as the task's root",
     .source = {errors(pivot_root_2, "new_root or put_old is on the current root mount")},
     .advice = "new_root must be a mount of its own; if it is the root itself, name another "
               "directory.")
RULE(put_old_on_root_mount, .calls = {pivot_root}, .error = EBUSY, .about = {root, new_root},
     .fix = other_put_old,
     .reason = "put_old is on the same mount as the task's root",
     .source = {errors(pivot_root_2, "new_root or put_old is on the current root mount")},
     .advice = advice_put_old)
RULE(root_not_mount_point, .calls = {pivot_root}, .error = EINVAL, .about = {root},
     .fix = mount_root,
     .reason = "the task's root is a plain directory, as after a chroot, not the root of a mount",
     .source = {errors(pivot_root_2, "The current root directory is not a mount point")},
     .advice = "The process is in a chroot to a plain directory: it must chroot to a mount, or "
               "leave the chroot.")
RULE(new_root_not_mount_point, .calls = {pivot_root}, .error = EINVAL, .about = {new_root},
     .fix = bind_new_root,
     .reason = "new_root is not the root of a mount",
     .source = {errors(pivot_root_2, "new_root is not a mount point")},
     .advice = "Bind new_root to itself.")
RULE(put_old_not_under_new_root, .calls = {pivot_root}, .error = EINVAL,
     .about = {new_root, put_old}, .fix = other_put_old,
     .reason = "put_old is neither new_root nor a directory below it",
     .source = {errors(pivot_root_2, "put_old is not at or underneath new_root")},
     .advice = advice_put_old)
RULE(new_root_not_under_root, .calls = {pivot_root}, .error = EINVAL, .about = {root, new_root},
     .reason = "new_root cannot be reached from the task's root",
     .source = {observed, silent(pivot_root_2)},
     .advice = "new_root must be below the root of the process; its current directory is not.")

// --- root, current directory, namespaces ---------------------------------------------------------

RULE(chroot_no_capability, .calls = {chroot}, .error = EPERM,
     .reason = "the task has no CAP_SYS_CHROOT in its user namespace",
     .source = {text(chroot_2, "the CAP_SYS_CHROOT capability in its user namespace")})
RULE(fchdir_not_directory, .calls = {fchdir}, .error = ENOTDIR,
     .reason = "the handle does not show a directory",
     .source = {errors(chdir_2, "fd does not refer to a directory")})
RULE(user_namespace_limit, .calls = {unshare_user}, .error = ENOSPC,
     .reason = "the task's user namespace, or one above it, allows no more user namespaces",
     .source = {errors(unshare_2, "would have caused the limit defined by the corresponding file")})
RULE(unshare_user_chrooted, .calls = {unshare_user}, .error = EPERM,
     .reason = "the task's root is not the topmost root of its mount namespace: the task is in a "
               "chroot, or a mount covers the root",
     .source = {errors(unshare_2, "the caller is in a chroot environment")})
RULE(unshare_mnt_no_capability, .calls = {unshare_mnt}, .error = EPERM,
     .reason = "the task has no CAP_SYS_ADMIN in its user namespace",
     .source = {text(unshare_2, "Use of CLONE_NEWNS requires the CAP_SYS_ADMIN capability")})
RULE(setns_may_not_inspect, .calls = {setns_task}, .error = EPERM,
     .reason = "the caller may not inspect that task: the task's user namespace is neither the "
               "caller's nor below it",
     .source = {cite(ptrace_2, "Ptrace access mode checking",
                     "The caller and the target process are in the same user namespace"),
                silent(setns_2)})
RULE(setns_same_user_namespace, .calls = {setns}, .error = EINVAL,
     .reason = "the caller is already in that user namespace",
     .source = {errors(setns_2, "the user namespace in which it is already a member")})
RULE(setns_mnt_no_capability, .calls = {setns}, .error = EPERM,
     .reason = "to enter a mount namespace, the caller needs CAP_SYS_ADMIN in its owner, and "
               "CAP_SYS_ADMIN and CAP_SYS_CHROOT in the user namespace that the caller is in or "
               "enters",
     .source = {cite(setns_2, "Details for specific namespace types",
                     "both CAP_SYS_CHROOT and CAP_SYS_ADMIN")})

// --- the mount API by descriptors ----------------------------------------------------------------

RULE(open_tree_recursive_alone, .calls = {open_tree}, .error = EINVAL, .since = {{5, 2}},
     .reason = "AT_RECURSIVE says what to clone, but OPEN_TREE_CLONE is missing",
     .source = {text(open_tree_2, "only permitted in conjunction with OPEN_TREE_CLONE")})
RULE(open_tree_no_capability, .calls = {open_tree_clone}, .error = EPERM, .since = {{5, 2}},
     .reason = "a clone needs CAP_SYS_ADMIN in the user namespace that owns the task's mount "
               "namespace",
     .source = {errors(open_tree_2, "flags contains OPEN_TREE_CLONE but")})
RULE(move_mount_no_capability, .calls = any_move_mount, .error = EPERM, .since = {{5, 2}},
     .reason = "the task has no CAP_SYS_ADMIN in the user namespace that owns its mount namespace",
     .source = {errors(move_mount_2, "does not have the required CAP_SYS_ADMIN capability"),
                owner_decides})
RULE(move_mount_beneath_unknown, .calls = {move_mount_beneath}, .error = EINVAL, .since = {{5, 2}},
     .until = {{6, 5}},
     .reason = "this kernel does not know MOVE_MOUNT_BENEATH, which came with Linux 6.5",
     .source = {text(move_mount_2, "MOVE_MOUNT_BENEATH (since Linux 6.5)"),
                errors(move_mount_2, "Invalid flag specified in flags")})
RULE(move_mount_both, .calls = {move_mount_beneath, move_mount_set_group}, .error = EINVAL,
     .since = {{6, 5}},
     .reason = "MOVE_MOUNT_BENEATH and MOVE_MOUNT_SET_GROUP exclude each other",
     .source = {observed, silent(move_mount_2)})
RULE(beneath_not_mount_point, .calls = {move_mount_beneath}, .error = EINVAL, .since = {{6, 5}},
     .reason = "the target is not the root of a mount, so nothing can be mounted beneath it",
     .source = {text(move_mount_2, "is an existing mount object")})
RULE(beneath_detached_root, .calls = {move_mount_beneath}, .error = EINVAL, .since = {{6, 5}},
     .reason = "the target is the lowest mount of a detached tree, and is mounted on nothing",
     .source = {text(move_mount_2, "must not be a detached mount object")})
RULE(move_inside_detached_tree, .calls = moves, .error = EINVAL, .since = {{5, 2}},
     .reason = "the mount to move is in a detached tree, but is not its lowest mount: only the "
               "whole tree can be moved",
     .source = {observed, silent(move_mount_2)})
RULE(move_detached_into_itself, .calls = moves, .error = EINVAL, .since = {{6, 15}},
     .reason = "a detached tree would be attached inside itself",
     .source = {observed, silent(move_mount_2)})
RULE(beneath_locked, .calls = {move_mount_beneath}, .error = EINVAL, .since = {{6, 5}},
     .until = {{7, 1}},
     .reason = "the mount on top is locked: only a task that may unmount it may mount beneath it",
     .source = {text(move_mount_2, "sufficient privileges to unmount the top mount"),
                mounts_are_locked})
RULE(beneath_source_covered, .calls = {move_mount_beneath}, .error = EINVAL, .since = {{6, 5}},
     .reason = "something is mounted on the root of the mount to move",
     .source = {text(move_mount_2, "The source mount object must not have any overmounts")})
RULE(beneath_own_root, .calls = {move_mount_beneath}, .error = EINVAL, .since = {{6, 5}},
     .until = {{7, 1}},
     .reason = "the mount on top is the task's root; pivot_root(\".\", \".\") is made for that",
     .source = {text(move_mount_2, "beneath the filesystem root, pivot_root(2) must be used")})
RULE(beneath_namespace_root, .calls = {move_mount_beneath}, .error = EINVAL, .since = {{6, 5}},
     .until = {{7, 0}},
     .reason = "the mount on top is the lowest mount of the mount namespace",
     .source = {text(move_mount_2, "Mount objects cannot be attached beneath the filesystem root")})
RULE(beneath_ancestor, .calls = {move_mount_beneath}, .error = EINVAL, .since = {{6, 5}},
     .reason = "the mount to move is the mount on top itself, or is mounted below it",
     .source = {text(move_mount_2, "cannot be an ancestor in the mount tree of the source")})
RULE(beneath_propagates_onto_top, .calls = {move_mount_beneath}, .error = EINVAL, .since = {{6, 5}},
     .reason = "what is mounted beneath would propagate onto the mount on top",
     .source = {text(move_mount_2, "propagates to the top mount itself")})
RULE(beneath_propagates_onto_source, .calls = {move_mount_beneath}, .error = EINVAL,
     .since = {{6, 5}},
     .reason = "what is mounted beneath would propagate onto itself",
     .source = {text(move_mount_2, "propagates to the mount object being mounted beneath")})
RULE(set_group_source_not_mount_point, .calls = set_group, .error = EINVAL, .since = {{5, 15}},
     .reason = "the source, whose peer group should be shared, is not the root of a mount",
     .source = {text(move_mount_2, "non-private-propagation mount object indicated by")})
RULE(set_group_target_not_mount_point, .calls = set_group, .error = EINVAL, .since = {{5, 15}},
     .reason = "the target, which should get a peer group, is not the root of a mount",
     .source = {text(move_mount_2, "private-propagation mount object indicated by")})
RULE(set_group_other_filesystem, .calls = set_group, .error = EINVAL, .since = {{5, 15}},
     .reason = "the two mounts show different filesystems",
     .source = {observed, silent(move_mount_2)})
RULE(set_group_wider, .calls = set_group, .error = EINVAL, .since = {{5, 15}},
     .reason = "the target shows something that the source does not show",
     .source = {observed, silent(move_mount_2)})
RULE(set_group_locked_children, .calls = set_group, .error = EINVAL, .since = {{5, 15}},
     .reason = "a locked mount on the source covers a part of what the target shows",
     .source = {observed, silent(move_mount_2)})
RULE(set_group_target_not_private, .calls = set_group, .error = EINVAL, .since = {{5, 15}},
     .reason = "the target is already shared or a slave",
     .source = {text(move_mount_2, "Add the attached private-propagation mount object")})
RULE(set_group_source_private, .calls = set_group, .error = EINVAL, .since = {{5, 15}},
     .reason = "the source is neither shared nor a slave, so it has no peer group to give",
     .source = {text(move_mount_2, "of the attached non-private-propagation mount object")})
RULE(set_group_target_unbindable, .calls = set_group, .error = EINVAL, .since = {{7, 2, 11}},
     .reason = "the target is unbindable",
     .source = {observed, silent(move_mount_2)})
RULE(setattr_no_capability, .calls = {mount_setattr}, .error = EPERM, .since = {{5, 12}},
     .reason = "the task has no CAP_SYS_ADMIN in the user namespace that owns its mount namespace",
     .source = {owner_decides, silent(mount_setattr_2)})
RULE(setattr_atime_not_cleared, .calls = {mount_setattr}, .error = EINVAL, .since = {{5, 12}},
     .reason = "noatime or strictatime would be set or cleared, but not all of MOUNT_ATTR__ATIME is "
               "cleared",
     .source = {errors(mount_setattr_2, "An access-time setting was specified in the attr_set"),
                errors(mount_setattr_2, "instead of MOUNT_ATTR__ATIME being set")})
RULE(setattr_two_atimes, .calls = {mount_setattr}, .error = EINVAL, .since = {{5, 12}},
     .reason = "noatime and strictatime exclude each other",
     .source = {text(mount_setattr_2, "All other access-time settings are mutually exclusive")})
RULE(setattr_not_mount_point, .calls = {mount_setattr}, .error = EINVAL, .since = {{5, 12}},
     .reason = "the path does not name the root of a mount",
     .source = {errors(mount_setattr_2, "arguments to mount_setattr() isn't a mount point")})
RULE(setattr_foreign, .calls = {mount_setattr}, .error = EINVAL, .since = {{5, 12}},
     .reason = "the mount is in another mount namespace, unmounted, or inside a detached tree",
     .source = {errors(mount_setattr_2, "located outside the caller's mount namespace")})
RULE(setattr_locked_flag, .calls = {mount_setattr}, .error = EPERM, .since = {{5, 12}},
     .reason = "the call would clear a locked attribute of the mount or of a mount below it, or "
               "change a locked atime setting; nothing is changed then",
     .source = {errors(mount_setattr_2, "set and the flag is locked"),
                cite(mount_namespaces_7, restrictions, "settings become locked when propagated")})
RULE(fsmount_no_capability, .calls = {fsmount}, .error = EPERM, .since = {{5, 2}},
     .reason = "the task has no CAP_SYS_ADMIN in the user namespace that owns its mount namespace",
     .source = {errors(fsmount_2, "does not have the required CAP_SYS_ADMIN capability"),
                owner_decides})
RULE(fsmount_two_atimes, .calls = {fsmount}, .error = EINVAL, .since = {{5, 2}},
     .reason = "noatime and strictatime exclude each other",
     .source = {text(fsmount_2, "interpreted as though mount_setattr(2) was called"),
                text(mount_setattr_2, "All other access-time settings are mutually exclusive")})

RULE(mount_namespace_limit, .calls = {unshare_user, unshare_mnt, fsmount}, .error = ENOSPC,
     .reason = "a user namespace that counts it allows no more mount namespaces, and a detached tree "
               "is one",
     .source = {cite(namespaces_7, "The /proc/sys/user directory",
                     "clone(2) and unshare(2) fail with the error ENOSPC"), silent(fsmount_2)})

// clang-format on
