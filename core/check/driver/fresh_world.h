// SPDX-License-Identifier: Apache-2.0
// fresh_world.h: the world a scenario starts in, and how the executor comes by a fresh one.
//
//     rootfs (the kernel's own, in a copy)           template: a mount namespace with two mounts,
//       `-- tmpfs, private, empty, mode 1777         in which the executor stands between cases
//
//     world = unshare(CLONE_NEWNS) in the template   a copy of two mounts; what is mounted in
//                                                    it is gone when its last task is
//     back  = setns(template)                        root and current directory are the tmpfs again
//
// Template and worlds share one tmpfs, so what a case does to the *filesystem* outlives it: files
// and directories, the root's mode, and the superblock's read-only state (a plain umount of a
// task's root sets that, through any mount of the filesystem). return_to_template() looks at all
// three. It removes files one by one; for anything else, and for very deep directories, it mounts
// a new tmpfs in place of the old one, which costs as much as two cases.
//
// What can't outlive a case: mounts (the template is private, and no task can get at its
// namespace), mount flags and propagation (they are the copy's), tasks (reaped before), user
// namespaces (they are the tasks').
#pragma once

#include <sys/types.h>

#include "syscalls/setup_error.h"

namespace pivotcheck::kernel {

// Once, in a fresh mount namespace with uid 0 mapped: makes the template, moves the caller into it
// and puts template_ns and template_root among reserved_fds. Wherever the caller's root is (a
// container's, a chroot's, the initramfs), it ends up on the namespace's own lowest mount.
// With `locked`, as in a new user namespace, the root mount of the worlds is locked; else not.
SetupError make_template(bool locked);

// Moves the caller back to the template and cleans it. Every other task of the world must be
// reaped.
SetupError return_to_template();

// From the template to a fresh world.
SetupError enter_fresh_world();

// For the machine's own user namespace only: the device number of rootfs, by which a task that has
// come to stand in rootfs is known. It takes a throwaway process whose root mount is unmounted; if
// that root is locked, no world can be as privilege `root` promises, which is an error.
SetupError find_rootfs(dev_t& device);

// In a new user namespace: uid 0 and gid 0 of it are these ids outside, setgroups is denied.
SetupError map_ids(uid_t uid, gid_t gid);

// The descriptors that the executor keeps, always under the same numbers. Tasks are forks of the
// executor and have them as well.
//
//     0 owner          the socket to the process that owns the KernelDriver
//     1 proc           /proc of the machine (O_PATH): the world has none
//     2 stderr         as inherited, for the text of a failed assertion
//     3 template_ns    the mount namespace of which every world is a copy
//     4 template_root  the root directory of the template's tmpfs, for reading
//     5 kcov           of the kernel's coverage, where that is followed (kernel_coverage.h)
//     6...             handles of the scenario
//
// None of them holds a reference to a mount of a world, which would change its answers (EBUSY from
// a plain umount): `proc` is a mount of the executor's own first namespace, `template_root` is the
// template's mount, of which a world has a copy.
namespace reserved_fds {

inline constexpr int owner = 0;
inline constexpr int proc = 1;
inline constexpr int template_ns = 3;
inline constexpr int template_root = 4;
inline constexpr int kcov = 5;
inline constexpr unsigned first_free = 6;

}  // namespace reserved_fds

}  // namespace pivotcheck::kernel
