// SPDX-License-Identifier: Apache-2.0
// move_chroot.cc: the way of switch_root(8) and of every initramfs: the root there is the kernel's
// own rootfs, which can't be moved, so pivot_root refuses it. runc and crun call it --no-pivot.
//
//     unshare mnt, make-rprivate /, rbind NEW NEW        as in put_old.cc; MS_MOVE too refuses a
//                              mount whose parent is shared
//     chdir NEW                into the bind: right after the move no path leads to it
//     move . /                 the new root now covers the old one. The root of this process is
//                              still the old one, below
//     chroot .                 the process steps on top
//     chdir /
//
// What it can't promise: the old root is covered, not gone. A command with CAP_SYS_ADMIN and
// CAP_SYS_CHROOT takes the cover away (umount -l /) and enters its own mount namespace once more
// (setns on a descriptor of it, from pidfd_open on itself): the kernel then puts it at the top of
// what is left, the old root. Without these two capabilities there is no way back.
#include "switch/strategy/parts.h"

namespace pivotcheck::strategy {

Steps move_chroot(const Plan& plan) {
  Steps steps;
  set_up_root(plan, plan.mounts, RootUse::as_asked, steps);
  add(steps, Phase::pivot, Chdir{plan.new_root}, Move{".", "/"}, Chroot{"."}, Chdir{"/"});
  return steps;
}

}  // namespace pivotcheck::strategy
