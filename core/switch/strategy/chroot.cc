// SPDX-License-Identifier: Apache-2.0
// chroot.cc: the ways that do without pivot_root: chroot(2), and a mount moved over / before it.
#include "switch/strategy/parts.h"

namespace pivotcheck::strategy {

// chroot: chroot(2), the oldest way, and no boundary: it changes where the lookup of a path begins,
// and nothing else.
//
//     chdir NEW                by the descriptor that was checked. People write chroot NEW,
//                              chdir /; a path may lead elsewhere by now
//     chroot .                 '.' is inside: outside, it would be a way out in one step
//
// What it can't promise. A command with CAP_SYS_CHROOT calls chroot once more, on a directory
// below: then '.' is outside the new root, '..' is no longer stopped by it, and leads to the real
// root. The command is in the caller's mount namespace: the caller sees what it mounts; setns on
// that namespace leads out; so does /proc/PID/root of any process.
//
// If mounts are asked for, unshare, a private / and a bind (put_old.cc) come first, because nothing
// is done in the caller's namespace. That makes it no more of a boundary.
Steps chroot(const Plan& plan) {
  Steps steps;
  if (plan.mount_namespace || plan.read_only || !plan.mounts.empty()) {
    set_up_root(plan, RootUse::as_asked, steps);
  } else {
    enter_other_namespaces(plan, steps);
    add(steps, Phase::namespaces, EnterRoot{plan.new_root});
  }
  if (plan.lock_mounts) add(steps, Phase::start, LockMounts{});
  add(steps, Phase::pivot, Chroot{"."});
  return steps;
}

// move-chroot: the way of switch_root(8) and of every initramfs: the root there is the kernel's own
// rootfs, which can't be moved before Linux 7.0, so pivot_root refuses it. runc and crun call it
// --no-pivot.
//
//     chdir NEW, unshare mnt, make-rprivate /, a clone on '.', fchdir    as in put_old.cc; MS_MOVE
//                              too refuses a mount whose parent is shared
//     move . /                 the new root now covers the old one. The root of this process is
//                              still the old one, below
//     chroot .                 the process steps on top
//     chdir /
//
// What it can't promise: the old root is covered, not gone. A command with CAP_SYS_ADMIN and
// CAP_SYS_CHROOT takes the cover away (umount -l /) and enters its own mount namespace once more
// (setns on a descriptor of it, from pidfd_open on itself): the kernel then puts it at the top of
// what is left, the old root. Without these two capabilities there is no way back.
Steps move_chroot(const Plan& plan) {
  Steps steps;
  set_up_root(plan, RootUse::as_asked, steps);
  add(steps, Phase::pivot, Move{".", "/"}, Chroot{"."}, Chdir{"/"});
  return steps;
}

}  // namespace pivotcheck::strategy
