// SPDX-License-Identifier: Apache-2.0
// rules.h: every reason for which an operation is refused, as one table. A verdict of the model
// names exactly one rule, and `pivotcheck rules` prints the table.
//
// Where several rules of one system call with the same errno are broken at once, nobody can observe
// which of them the kernel looked at first; the model then names the one that stands first here.
// Where their errnos differ, the order in the table is the order that the kernel was seen to keep.
#pragma once

#include <span>
#include <string_view>

#include "base/release.h"

namespace pivotcheck {

// X(identifier, "name", "syscall", errno, "reason", "source", "since") syscall: more than one where
// the same rule is in each of them (MS_MOVE and move_mount; MS_BIND and open_tree). "*path*": a
// rule of looking up, making or removing a name, the same in every call. since: "always" means
// older than every kernel this project was tried on (6.1); "5.2 until 6.5": not any more from 6.5
// on.
#define PIVOTCHECK_RULES(X)                                                                        \
  X(handle_closed, "handle-closed", "*path*", EBADF,                                               \
    "the handle is not open in this task", "openat(2), ERRORS", "always")                          \
  X(path_empty, "path-empty", "*path*", ENOENT,                                                    \
    "the path, or what is left of it behind the handle, is the empty string",                      \
    "path_resolution(7), Empty pathname", "always")                                                \
  X(path_too_long, "path-too-long", "*path*", ENAMETOOLONG,                                        \
    "the path has 4096 bytes or more", "path_resolution(7), limits(7) PATH_MAX", "always")         \
  X(search_denied, "search-denied", "*path*", EACCES,                                              \
    "a directory on the way (or the one to stand in) may not be searched: its mode has no x for "  \
    "the owner, and the task has no CAP_DAC_OVERRIDE or CAP_DAC_READ_SEARCH",                      \
    "path_resolution(7), Permissions", "always")                                                   \
  X(not_a_directory, "not-a-directory", "*path*", ENOTDIR,                                         \
    "something on the way, or what must be a directory at its end, is not one",                    \
    "path_resolution(7), Step 2 and Step 3", "always")                                             \
  X(too_many_links, "too-many-links", "*path*", ELOOP,                                             \
    "more than 40 symbolic links were met on the way", "path_resolution(7), Step 2", "always")     \
  X(directory_removed, "directory-removed", "*path*", ENOENT,                                      \
    "the name is looked for in a directory that has been removed", "rmdir(2), unlink(2)",          \
    "always")                                                                                      \
  X(name_too_long, "name-too-long", "*path*", ENAMETOOLONG,                                        \
    "a component of the path is longer than 255 bytes", "path_resolution(7), Step 2",              \
    "always")                                                                                      \
  X(name_missing, "name-missing", "*path*", ENOENT,                                                \
    "there is nothing of that name in that directory", "path_resolution(7), Step 2", "always")     \
  X(dot_dot_escaped, "dot-dot-escaped", "*path*", ENOENT,                                          \
    "'..' leads to a directory outside of what its mount shows: the directory was renamed out of " \
    "the subtree that was bound",                                                                  \
    "observed; mount_namespaces(7) is silent", "4.3")                                              \
  X(name_exists, "name-exists", "*path*", EEXIST,                                                  \
    "the name to be made is there already (or is '/', '.' or '..')",                               \
    "mkdir(2), symlink(2), open(2) O_EXCL, ERRORS", "always")                                      \
  X(read_only, "read-only", "*path*", EROFS,                                                       \
    "the mount, or its filesystem, is read-only", "path_resolution(7), Permissions; mount(2)",     \
    "always")                                                                                      \
  X(directory_write_denied, "directory-write-denied", "*path*", EACCES,                            \
    "a name may not be made in or removed from that directory: its mode lacks w or x for the "     \
    "owner, and the task has no CAP_DAC_OVERRIDE",                                                 \
    "path_resolution(7), Permissions", "always")                                                   \
  X(rmdir_dot, "rmdir-dot", "rmdir", EINVAL, "the last component is '.'", "rmdir(2), ERRORS",      \
    "always")                                                                                      \
  X(rmdir_dot_dot, "rmdir-dot-dot", "rmdir", ENOTEMPTY, "the last component is '..'",              \
    "rmdir(2), ERRORS", "always")                                                                  \
  X(rmdir_root, "rmdir-root", "rmdir", EBUSY, "the path is the root directory",                    \
    "rmdir(2), ERRORS", "always")                                                                  \
  X(rmdir_not_directory, "rmdir-not-directory", "rmdir", ENOTDIR, "it is not a directory",         \
    "rmdir(2), ERRORS", "always")                                                                  \
  X(rmdir_mount_point, "rmdir-mount-point", "rmdir", EBUSY,                                        \
    "something is mounted on that directory in the caller's mount namespace, on whichever mount",  \
    "mount_namespaces(7), Restrictions: since Linux 3.18 only the own namespace counts",           \
    "always")                                                                                      \
  X(rmdir_not_empty, "rmdir-not-empty", "rmdir", ENOTEMPTY, "the directory is not empty",          \
    "rmdir(2), ERRORS", "always")                                                                  \
  X(touch_trailing_slash, "touch-trailing-slash", "touch", EISDIR,                                 \
    "a file is to be made, but its name ends in a slash", "open(2), EISDIR; observed", "always")   \
  X(unlink_directory, "unlink-directory", "unlink", EISDIR, "it is a directory",                   \
    "unlink(2), ERRORS: EISDIR on Linux", "always")                                                \
  X(unlink_trailing_slash, "unlink-trailing-slash", "unlink", ENOTDIR,                             \
    "it is no directory, but its name ends in a slash", "unlink(2), ERRORS", "always")             \
  X(unlink_mount_point, "unlink-mount-point", "unlink", EBUSY,                                     \
    "something is mounted on that file in the caller's mount namespace",                           \
    "unlink(2), ERRORS; mount_namespaces(7)", "always")                                            \
  X(rename_other_mount, "rename-other-mount", "rename", EXDEV,                                     \
    "the two names are not on the same mount, though perhaps on the same filesystem",              \
    "rename(2), EXDEV", "always")                                                                  \
  X(rename_dots, "rename-dots", "rename", EBUSY, "one of the names is '/', '.' or '..'",           \
    "rename(2), EBUSY; observed", "always")                                                        \
  X(rename_into_itself, "rename-into-itself", "rename", EINVAL,                                    \
    "a directory would become a subdirectory of itself", "rename(2), EINVAL", "always")            \
  X(rename_onto_ancestor, "rename-onto-ancestor", "rename", ENOTEMPTY,                             \
    "the new name is a directory above the old one", "rename(2), ENOTEMPTY; observed", "always")   \
  X(rename_trailing_slash, "rename-trailing-slash", "rename", ENOTDIR,                             \
    "what is renamed is no directory, but one of the names ends in a slash", "rename(2), ENOTDIR", \
    "always")                                                                                      \
  X(rename_onto_file, "rename-onto-file", "rename", ENOTDIR,                                       \
    "a directory would replace something that is not one", "rename(2), ENOTDIR", "always")         \
  X(rename_onto_directory, "rename-onto-directory", "rename", EISDIR,                              \
    "a directory would be replaced by something that is not one", "rename(2), EISDIR", "always")   \
  X(rename_mount_point, "rename-mount-point", "rename", EBUSY,                                     \
    "something is mounted on one of the two in the caller's mount namespace",                      \
    "rename(2), EBUSY; mount_namespaces(7), Restrictions", "always")                               \
  X(rename_not_empty, "rename-not-empty", "rename", ENOTEMPTY,                                     \
    "the directory that would be replaced is not empty", "rename(2), ENOTEMPTY", "always")         \
  X(symlink_target_empty, "symlink-target-empty", "symlink", ENOENT,                               \
    "the text of the link is the empty string", "symlink(2), ENOENT", "always")                    \
  X(symlink_target_too_long, "symlink-target-too-long", "symlink", ENAMETOOLONG,                   \
    "the text of the link has 4096 bytes or more", "symlink(2), ENAMETOOLONG", "always")           \
  X(symlink_trailing_slash, "symlink-trailing-slash", "symlink", ENOENT,                           \
    "a link is to be made, but its name ends in a slash", "symlink(2), ENOENT; observed",          \
    "always")                                                                                      \
  X(mount_no_capability, "mount-no-capability", "mount", EPERM,                                    \
    "the task has no CAP_SYS_ADMIN in the user namespace that owns its mount namespace",           \
    "mount(2), EPERM; mount_namespaces(7); user_namespaces(7)", "always")                          \
  X(mount_type_no_capability, "mount-type-no-capability", "mount,fsmount", EPERM,                 \
    "a new filesystem is asked for, and the task has no CAP_SYS_ADMIN in its own user namespace",  \
    "user_namespaces(7), Effect of capabilities", "always")                                        \
  X(mount_source_too_long, "mount-source-too-long", "mount", EINVAL,                               \
    "the source of a bind or move has 4096 bytes or more", "observed; mount(2) is silent",         \
    "always")                                                                                      \
  X(mount_source_empty, "mount-source-empty", "mount", EINVAL,                                     \
    "the source of a bind or move is the empty string", "mount(2), EINVAL; observed", "always")    \
  X(move_source_not_mount_point, "move-source-not-mount-point", "mount,move_mount", EINVAL,       \
    "what is to be moved is not the root of a mount", "mount(2), EINVAL for MS_MOVE", "always")    \
  X(move_kind_mismatch, "move-kind-mismatch", "mount,move_mount", EINVAL,                         \
    "a directory can be moved only onto a directory, a file only onto a file", "observed",         \
    "always")                                                                                      \
  X(mount_target_gone, "mount-target-gone", "mount,move_mount", ENOENT,                           \
    "the directory to mount on has been removed, or the mount it is on has been detached",         \
    "mount(2), ENOENT; observed", "always")                                                        \
  X(mount_target_foreign, "mount-target-foreign", "mount,move_mount", EINVAL,                     \
    "the place to mount on is in another mount namespace", "mount_namespaces(7); observed",        \
    "always")                                                                                      \
  X(mount_kind_mismatch, "mount-kind-mismatch", "mount", ENOTDIR,                                  \
    "a directory can be mounted only on a directory, a file only on a file",                       \
    "mount(2), ENOTDIR; observed for files", "always")                                             \
  X(bind_unbindable, "bind-unbindable", "mount,open_tree", EINVAL,                                \
    "the source of the bind or clone is unbindable",                                               \
    "sharedsubtree.rst, 2) unbindable mount; mount_namespaces(7), MS_UNBINDABLE", "always")        \
  X(bind_source_foreign, "bind-source-foreign", "mount,open_tree", EINVAL,                        \
    "the source of the bind is on a mount that is detached, or in another mount namespace",        \
    "mount_namespaces(7); observed", "always")                                                     \
  X(bind_locked_children, "bind-locked-children", "mount,open_tree", EINVAL,                      \
    "a bind that is not recursive would reveal what locked mounts below the source cover",         \
    "mount_namespaces(7), Restrictions: mounts inherited as a unit", "always")                     \
  X(bind_locked_unbindable, "bind-locked-unbindable", "mount,open_tree", EPERM,                   \
    "a recursive bind would have to leave out a mount that is unbindable and locked: what it "     \
    "covers would be revealed",                                                                    \
    "mount_namespaces(7), Restrictions; observed", "always")                                       \
  X(move_foreign, "move-foreign", "mount,move_mount", EINVAL,                                     \
    "the mount to be moved is detached, or in another mount namespace", "observed", "always")      \
  X(move_locked, "move-locked", "mount,move_mount", EINVAL,                                       \
    "the mount to be moved is locked: it was inherited from a more privileged mount namespace",    \
    "mount_namespaces(7), Restrictions: may not be separated", "always")                           \
  X(move_shared_parent, "move-shared-parent", "mount,move_mount", EINVAL,                         \
    "the mount on which the moved one is mounted is shared", "mount(2), EINVAL for MS_MOVE",       \
    "always")                                                                                      \
  X(move_unbindable_to_shared, "move-unbindable-to-shared", "mount,move_mount", EINVAL,           \
    "the tree to be moved contains an unbindable mount, and the place is on a shared mount",       \
    "sharedsubtree.rst, 5c) move semantics", "always")                                             \
  X(move_into_itself, "move-into-itself", "mount,move_mount", ELOOP,                              \
    "the place to move to is in the tree that is to be moved", "mount(2), ELOOP for MS_MOVE",      \
    "always")                                                                                      \
  X(mount_source_removed, "mount-source-removed", "mount,move_mount", ENOENT,                     \
    "the directory or file to be bound, or that the moved mount shows, has been removed",          \
    "observed; mount(2) is silent", "always")                                                      \
  X(propagation_not_mount_point, "propagation-not-mount-point", "mount", EINVAL,                   \
    "the propagation of something that is not the root of a mount is to be changed",               \
    "mount(2), EINVAL; observed", "always")                                                        \
  X(propagation_detached, "propagation-detached", "mount,move_mount", EINVAL,                     \
    "the propagation of a detached mount is to be changed", "observed", "always")                  \
  X(propagation_foreign, "propagation-foreign", "mount,move_mount", EPERM,                        \
    "the task has no CAP_SYS_ADMIN in the user namespace that owns the mount's namespace",         \
    "observed", "6.1 and later stable releases, 6.17")                                             \
  X(remount_foreign, "remount-foreign", "mount", EINVAL,                                           \
    "the mount is detached, or in another mount namespace", "observed", "always")                  \
  X(remount_not_mount_point, "remount-not-mount-point", "mount", EINVAL,                           \
    "what is to be remounted is not the root of a mount", "mount(2), EINVAL for MS_REMOUNT",       \
    "always")                                                                                      \
  X(remount_locked_flag, "remount-locked-flag", "mount", EPERM,                                    \
    "a flag is locked that the remount would clear (or the atime setting, which it would change): "\
    "it was inherited from a more privileged mount namespace",                                     \
    "mount_namespaces(7), Restrictions: flags become locked", "always")                            \
  X(umount_no_capability, "umount-no-capability", "umount", EPERM,                                 \
    "the task has no CAP_SYS_ADMIN in the user namespace that owns its mount namespace",           \
    "umount(2), EPERM; user_namespaces(7)", "always")                                              \
  X(umount_not_mount_point, "umount-not-mount-point", "umount", EINVAL,                            \
    "it is not the root of a mount", "umount(2), EINVAL", "always")                                \
  X(umount_foreign, "umount-foreign", "umount", EINVAL,                                            \
    "the mount is detached already, or in another mount namespace", "umount(2), EINVAL; observed", \
    "always")                                                                                      \
  X(umount_locked, "umount-locked", "umount", EINVAL,                                              \
    "the mount is locked: it was inherited from a more privileged mount namespace",                \
    "umount(2), EINVAL; mount_namespaces(7), Restrictions", "always")                              \
  X(umount_expire_with_detach, "umount-expire-with-detach", "umount", EINVAL,                      \
    "expire and detach exclude each other", "umount(2), EINVAL for MNT_EXPIRE", "always")          \
  X(umount_expire_root, "umount-expire-root", "umount", EINVAL,                                    \
    "the mount of the task's own root cannot expire", "observed; umount(2) is silent", "always")   \
  X(umount_expire_busy, "umount-expire-busy", "umount", EBUSY,                                     \
    "something is mounted on the mount, or a root, a current directory or a handle is on it",      \
    "umount(2), MNT_EXPIRE and EBUSY", "always")                                                   \
  X(umount_expire_marked, "umount-expire-marked", "umount", EAGAIN,                                \
    "the mount was not in use and is now marked as expired; the next such call unmounts it",       \
    "umount(2), MNT_EXPIRE", "always")                                                             \
  X(umount_root_no_capability, "umount-root-no-capability", "umount", EPERM,                       \
    "a plain umount of the task's own root makes its filesystem read-only, and the task has no "   \
    "CAP_SYS_ADMIN in the user namespace in which that was mounted",                               \
    "observed; umount(2) is silent", "always")                                                     \
  X(umount_root_removed_in_use, "umount-root-removed-in-use", "umount", EBUSY,                     \
    "a plain umount of the task's own root makes its filesystem read-only, and a directory or file " \
    "that was removed from it is still in use",                                                    \
    "observed; umount(2) is silent", "always")                                                     \
  X(umount_busy, "umount-busy", "umount", EBUSY,                                                   \
    "something is mounted on the mount, or a root, a current directory or a handle is on it",      \
    "umount(2), EBUSY", "always")                                                                  \
  X(umount_propagation_busy, "umount-propagation-busy", "umount", EBUSY,                           \
    "a mount that the umount would reach by propagation is in use, and nothing is mounted on it",  \
    "sharedsubtree.rst, 5d) unmount semantics", "always")                                          \
  X(pivot_no_capability, "pivot-no-capability", "pivot_root", EPERM,                               \
    "the task has no CAP_SYS_ADMIN in the user namespace that owns its mount namespace",           \
    "pivot_root(2), EPERM; user_namespaces(7)", "always")                                          \
  X(put_old_gone, "put-old-gone", "pivot_root", ENOENT,                                            \
    "put_old has been removed, or the mount it is on has been detached",                           \
    "observed; pivot_root(2) is silent", "always")                                                 \
  X(root_mount_foreign, "root-mount-foreign", "pivot_root", EINVAL,                                \
    "the task's root is on a mount that is detached, or in another mount namespace",               \
    "observed; pivot_root(2) is silent", "always")                                                 \
  X(new_root_foreign, "new-root-foreign", "pivot_root", EINVAL,                                    \
    "new_root is on a mount that is detached, or in another mount namespace",                      \
    "observed; pivot_root(2) is silent", "always")                                                 \
  X(put_old_mount_shared, "put-old-mount-shared", "pivot_root", EINVAL,                            \
    "the mount on which the old root would be mounted is shared: nothing may propagate by pivoting", \
    "pivot_root(2), ERRORS: put_old is a mount point with propagation type MS_SHARED", "always")   \
  X(new_root_parent_shared, "new-root-parent-shared", "pivot_root", EINVAL,                        \
    "the mount on which new_root is mounted is shared", "pivot_root(2), NOTES and ERRORS",         \
    "always")                                                                                      \
  X(root_parent_shared, "root-parent-shared", "pivot_root", EINVAL,                                \
    "the mount on which the task's root is mounted is shared", "pivot_root(2), NOTES and ERRORS",  \
    "always")                                                                                      \
  X(new_root_locked, "new-root-locked", "pivot_root", EINVAL,                                      \
    "new_root is a locked mount: it was inherited from a more privileged mount namespace",         \
    "pivot_root(2), EINVAL; mount_namespaces(7), Restrictions", "always")                          \
  X(new_root_removed, "new-root-removed", "pivot_root", ENOENT,                                    \
    "the directory new_root has been removed", "observed; pivot_root(2) is silent", "always")      \
  X(new_root_on_root_mount, "new-root-on-root-mount", "pivot_root", EBUSY,                         \
    "new_root is on the mount that is the task's root", "pivot_root(2), EBUSY", "always")          \
  X(put_old_on_root_mount, "put-old-on-root-mount", "pivot_root", EBUSY,                           \
    "put_old is on the mount that is the task's root", "pivot_root(2), EBUSY", "always")           \
  X(root_not_mount_point, "root-not-mount-point", "pivot_root", EINVAL,                            \
    "the task's root is a plain directory, not the root of a mount: a chroot",                     \
    "pivot_root(2), EINVAL: the current root directory is not a mount point", "always")            \
  X(new_root_not_mount_point, "new-root-not-mount-point", "pivot_root", EINVAL,                    \
    "new_root is not the root of a mount", "pivot_root(2), EINVAL: new_root is not a mount point", \
    "always")                                                                                      \
  X(put_old_not_under_new_root, "put-old-not-under-new-root", "pivot_root", EINVAL,                \
    "put_old is neither new_root nor below it", "pivot_root(2), EINVAL: put_old is not at or "     \
    "underneath new_root", "always")                                                               \
  X(new_root_not_under_root, "new-root-not-under-root", "pivot_root", EINVAL,                      \
    "new_root cannot be reached from the task's root", "observed; pivot_root(2) is silent",        \
    "always")                                                                                      \
  X(chroot_no_capability, "chroot-no-capability", "chroot", EPERM,                                 \
    "the task has no CAP_SYS_CHROOT in its user namespace", "chroot(2), EPERM", "always")          \
  X(fchdir_not_directory, "fchdir-not-directory", "fchdir", ENOTDIR,                               \
    "the handle shows something that is not a directory", "fchdir(2), ENOTDIR", "always")          \
  X(unshare_user_chrooted, "unshare-user-chrooted", "unshare", EPERM,                              \
    "the task's root is not what is on top at the root of its mount namespace: a chroot, or a "    \
    "covered root",                                                                                \
    "user_namespaces(7), Creating: EPERM when chrooted; unshare(2)", "always")                     \
  X(unshare_mnt_no_capability, "unshare-mnt-no-capability", "unshare", EPERM,                      \
    "the task has no CAP_SYS_ADMIN in its user namespace", "unshare(2), EPERM", "always")          \
  X(setns_may_not_inspect, "setns-may-not-inspect", "setns", EPERM,                                \
    "the caller may not inspect that task, which is in a user namespace that is not the caller's " \
    "and not below it",                                                                            \
    "setns(2), EPERM; ptrace(2), Ptrace access mode checking", "always")                           \
  X(setns_same_user_namespace, "setns-same-user-namespace", "setns", EINVAL,                       \
    "the caller is in that user namespace already", "setns(2), EINVAL", "always")                  \
  X(setns_mnt_no_capability, "setns-mnt-no-capability", "setns", EPERM,                            \
    "entering a mount namespace needs CAP_SYS_ADMIN in its owner, and CAP_SYS_ADMIN and "          \
    "CAP_SYS_CHROOT in the user namespace the caller is in or enters",                             \
    "setns(2), EPERM and CLONE_NEWNS", "always")                                                   \
  X(open_tree_recursive_alone, "open-tree-recursive-alone", "open_tree", EINVAL,                   \
    "`recursive` is about what to clone, and nothing is cloned", "open_tree(2), EINVAL", "5.2")    \
  X(open_tree_no_capability, "open-tree-no-capability", "open_tree", EPERM,                        \
    "a clone is asked for, and the task has no CAP_SYS_ADMIN in the user namespace that owns its " \
    "mount namespace", "open_tree(2), EPERM", "5.2")                                               \
  X(move_mount_no_capability, "move-mount-no-capability", "move_mount", EPERM,                     \
    "the task has no CAP_SYS_ADMIN in the user namespace that owns its mount namespace",           \
    "move_mount(2), EPERM", "5.2")                                                                 \
  X(move_mount_beneath_unknown, "move-mount-beneath-unknown", "move_mount", EINVAL,                \
    "this kernel does not know `beneath`, which came with Linux 6.5", "move_mount(2), EINVAL",     \
    "5.2 until 6.5")                                                                               \
  X(move_mount_both, "move-mount-both", "move_mount", EINVAL,                                      \
    "`beneath` and `set_group` exclude each other", "observed; move_mount(2) is silent", "6.5")    \
  X(beneath_not_mount_point, "beneath-not-mount-point", "move_mount", EINVAL,                      \
    "something is to be mounted beneath a place that is not the root of a mount",                  \
    "move_mount(2), MOVE_MOUNT_BENEATH", "6.5")                                                    \
  X(beneath_detached_root, "beneath-detached-root", "move_mount", EINVAL,                          \
    "something is to be mounted beneath the lowest mount of a detached tree: there is nothing it " \
    "could be mounted on", "observed", "6.5")                                                      \
  X(move_inside_detached_tree, "move-inside-detached-tree", "mount,move_mount", EINVAL,           \
    "the mount to be moved is in a detached tree, but not the lowest of it: only all of it moves", \
    "move_mount(2), EINVAL", "5.2")                                                                \
  X(move_detached_into_itself, "move-detached-into-itself", "mount,move_mount", EINVAL,           \
    "a detached tree would be attached to itself", "observed", "6.15")                             \
  X(beneath_locked, "beneath-locked", "move_mount", EINVAL,                                        \
    "the mount on top is locked: who may not unmount it may not get beneath it",                   \
    "move_mount(2), EINVAL; mount_namespaces(7), Restrictions", "6.5")                             \
  X(beneath_source_covered, "beneath-source-covered", "move_mount", EINVAL,                        \
    "something is mounted on the root of the mount that is to go beneath",                         \
    "move_mount(2), EINVAL", "6.5")                                                                \
  X(beneath_own_root, "beneath-own-root", "move_mount", EINVAL,                                    \
    "the mount on top is the task's root: for that there is pivot_root(\".\", \".\")",             \
    "move_mount(2), EINVAL", "6.5")                                                                \
  X(beneath_namespace_root, "beneath-namespace-root", "move_mount", EINVAL,                        \
    "the mount on top is the lowest of the mount namespace", "move_mount(2), EINVAL", "6.5")       \
  X(beneath_ancestor, "beneath-ancestor", "move_mount", EINVAL,                                    \
    "the mount that is to go beneath is the one on top, or is mounted below it",                   \
    "move_mount(2), EINVAL", "6.5")                                                                \
  X(beneath_propagates_onto_top, "beneath-propagates-onto-top", "move_mount", EINVAL,              \
    "what is mounted beneath would propagate onto the mount on top",                               \
    "move_mount(2), EINVAL", "6.5")                                                                \
  X(beneath_propagates_onto_source, "beneath-propagates-onto-source", "move_mount", EINVAL,        \
    "what is mounted beneath would propagate onto itself", "move_mount(2), EINVAL", "6.5")         \
  X(set_group_source_not_mount_point, "set-group-source-not-mount-point", "move_mount", EINVAL,    \
    "that whose peer group is to be taken over is not the root of a mount",                        \
    "move_mount(2), MOVE_MOUNT_SET_GROUP", "5.15")                                                 \
  X(set_group_target_not_mount_point, "set-group-target-not-mount-point", "move_mount", EINVAL,    \
    "what is to get a peer group is not the root of a mount",                                      \
    "move_mount(2), MOVE_MOUNT_SET_GROUP", "5.15")                                                 \
  X(set_group_other_filesystem, "set-group-other-filesystem", "move_mount", EINVAL,                \
    "the two mounts show different filesystems", "move_mount(2), MOVE_MOUNT_SET_GROUP", "5.15")    \
  X(set_group_wider, "set-group-wider", "move_mount", EINVAL,                                      \
    "the mount that is to get the peer group shows something that the other one does not show",    \
    "move_mount(2), MOVE_MOUNT_SET_GROUP", "5.15")                                                 \
  X(set_group_locked_children, "set-group-locked-children", "move_mount", EINVAL,                  \
    "on the source a locked mount covers a part of what the target shows",                         \
    "move_mount(2), MOVE_MOUNT_SET_GROUP", "5.15")                                                 \
  X(set_group_target_not_private, "set-group-target-not-private", "move_mount", EINVAL,            \
    "the mount that is to get the peer group is shared or a slave already",                        \
    "move_mount(2), MOVE_MOUNT_SET_GROUP", "5.15")                                                 \
  X(set_group_source_private, "set-group-source-private", "move_mount", EINVAL,                    \
    "the source is neither shared nor a slave: there is nothing to take over",                     \
    "move_mount(2), MOVE_MOUNT_SET_GROUP", "5.15")                                                 \
  X(setattr_no_capability, "setattr-no-capability", "mount_setattr", EPERM,                        \
    "the task has no CAP_SYS_ADMIN in the user namespace that owns its mount namespace",           \
    "mount_setattr(2), EPERM", "5.12")                                                             \
  X(setattr_not_mount_point, "setattr-not-mount-point", "mount_setattr", EINVAL,                   \
    "it is not the root of a mount", "mount_setattr(2), EINVAL", "5.12")                           \
  X(setattr_foreign, "setattr-foreign", "mount_setattr", EINVAL,                                   \
    "the mount is in another mount namespace, unmounted, or inside a detached tree",               \
    "mount_setattr(2), EINVAL", "5.12")                                                            \
  X(setattr_locked_flag, "setattr-locked-flag", "mount_setattr", EPERM,                            \
    "an attribute of the mount, or of one below it, is locked and would be cleared (or the atime " \
    "setting, which would be changed); nothing is changed then",                                   \
    "mount_setattr(2), EPERM; mount_namespaces(7), Restrictions", "5.12")                          \
  X(fsmount_no_capability, "fsmount-no-capability", "fsmount", EPERM,                              \
    "the task has no CAP_SYS_ADMIN in the user namespace that owns its mount namespace",           \
    "fsopen(2), fsmount(2), EPERM", "5.2")

enum class Rule : unsigned char {
  none,
#define PIVOTCHECK_RULE_ID(id, ...) id,
  PIVOTCHECK_RULES(PIVOTCHECK_RULE_ID)
#undef PIVOTCHECK_RULE_ID
};

struct RuleInfo {
  Rule rule;
  std::string_view name;
  std::string_view syscall;  // "*path*" for a rule of names, which exists once for all calls
  int error;                 // the errno
  std::string_view reason;   // one line
  std::string_view source;   // where it is documented
  std::string_view since;    // the release since which kernels have it
};

// A kernel of that release can refuse something by this rule.
bool shown_by(const RuleInfo& rule, const Release& release);

// All rules, in the order of the enumeration, without `none`.
std::span<const RuleInfo> rule_table();
const RuleInfo& info(Rule rule);             // not for `none`
Rule find_rule(std::string_view name);       // none if there is no such rule

}  // namespace pivotcheck
