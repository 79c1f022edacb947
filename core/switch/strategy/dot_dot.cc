// SPDX-License-Identifier: Apache-2.0
// dot_dot.cc: pivot_root(".", "."), the way of LXC and runc, described in pivot_root(2): the old
// root is stacked on the new one at the same place, so it needs no directory.
//
//     chdir NEW                by the descriptor that was checked: '.' is the new root from now on
//     unshare mnt              so that nothing below happens in the caller's namespace
//     make-rslave /            or rprivate: nobody outside sees what is done here. A slave still
//                              sees what the host mounts later. runc then makes the mount private
//                              that NEW is in, because pivot_root refuses a shared one: after this
//                              step none is shared
//     open_tree, move_mount .  runc has rbind NEW NEW, by a path that may lead elsewhere by now.
//     fchdir newroot           NEW must be a mount, and not the one that the root is in
//     open oldroot /           the only way back to it after the pivot
//     pivot_root . .           the old root now lies on the new one, at "/"; but a process does not
//                              see what is mounted on its own root
//     fchdir oldroot           so that '.' is the old root, on top
//     make-rslave .            the umount that follows must not reach the host, where the old
//                              root's mounts are the originals
//     umount . detach          takes the old root off; '.' is now in a tree without a namespace
//     chdir /                  out of it; when the last descriptor is closed, the old tree is gone
//
// It guarantees what put-old does, and writes nothing to NEW, which may be read-only. With paths,
// as runc does it: corpus/strategies/classic/dot-dot.scn.
#include "switch/strategy/parts.h"

namespace pivotcheck::strategy {

Steps dot_dot(const Plan& plan) {
  const HandleName old_root{"oldroot"};
  Steps steps;
  set_up_root(plan, RootUse::as_asked, steps, plan.propagation);
  add(steps, Phase::pivot, Open{old_root, "/"}, PivotRoot{".", "."});
  add(steps, Phase::detach, Fchdir{old_root}, ChangePropagation{".", Propagation::slave, true},
      Umount{".", {UmountFlag::detach}}, Chdir{"/"}, Close{old_root});
  return steps;
}

}  // namespace pivotcheck::strategy
