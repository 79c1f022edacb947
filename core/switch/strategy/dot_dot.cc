// SPDX-License-Identifier: Apache-2.0
// dot_dot.cc: pivot_root(".", "."), the way of LXC and runc, described in pivot_root(2): the old
// root is stacked on the new one at the same place, so it needs no directory.
//
//     unshare mnt              so that nothing below happens in the caller's namespace
//     make-rslave /            or rprivate: nobody outside sees what is done here. A slave still
//                              sees what the host mounts later
//     make-private PARENT      the mount that NEW is in: pivot_root refuses a shared one. After the
//                              change of all of / it is private already; the step shows which mount
//                              it is that counts
//     rbind NEW NEW            NEW must be a mount, and not the one that the root is in
//     open oldroot /           the only way back to it after the pivot
//     chdir into NEW           by a descriptor, because '.' becomes both arguments
//     pivot_root . .           the old root now lies on the new one, at "/"; but a process does not
//                              see what is mounted on its own root
//     fchdir oldroot           so that '.' is the old root, on top
//     make-rslave .            the umount that follows must not reach the host, where the old
//                              root's mounts are the originals
//     umount . detach          takes the old root off; '.' is now in a tree without a namespace
//     chdir /                  out of it; when the last descriptor is closed, the old tree is gone
//
// It guarantees what put-old does, and writes nothing to NEW, which may be read-only.
#include "switch/strategy/parts.h"

namespace pivotcheck::strategy {

Steps dot_dot(const Plan& plan) {
  const HandleName old_root{"oldroot"};
  const HandleName new_root{"newroot"};
  Steps steps;
  enter_namespaces(plan, steps);
  add(steps, Phase::propagation, ChangePropagation{"/", plan.propagation, true},
      ChangePropagation{plan.parent_mount, Propagation::private_, false});
  bind_root_to_itself(plan, RootUse::as_asked, steps);
  mount_requests(plan.mounts, plan.new_root, steps);
  add(steps, Phase::pivot, Open{old_root, "/"}, Open{new_root, plan.new_root}, Fchdir{new_root},
      PivotRoot{".", "."});
  add(steps, Phase::detach, Fchdir{old_root}, ChangePropagation{".", Propagation::slave, true},
      Umount{".", {UmountFlag::detach}}, Chdir{"/"}, Close{new_root}, Close{old_root});
  return steps;
}

}  // namespace pivotcheck::strategy
