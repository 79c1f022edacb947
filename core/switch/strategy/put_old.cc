// SPDX-License-Identifier: Apache-2.0
// put_old.cc: the way that the manual page of pivot_root(2) shows in its example program, and that
// most container programs started with: the old root gets a directory in the new one, and is then
// unmounted from there.
//
//     unshare mnt              nothing that follows is in the caller's namespace
//     make-rprivate /          pivot_root refuses a shared parent, and the umount of the old root
//                              below would reach every peer of it
//     rbind NEW NEW            NEW must be a mount, and not the one that the root is in;
//                              recursively, because what is mounted below it belongs to it
//     mkdir -m 0700 NEW/old    put_old must be at or below NEW; 0700, because the host sees it too
//     pivot_root NEW NEW/old   the root of every process of the namespace changes with it
//     chdir /                  whoever stood elsewhere in the old tree stands there still, and '.'
//                              is a way back
//     umount /old detach       not plain: the old tree has mounts, and is busy. Now no path leads
//                              there, and the last descriptor that is closed gives it up
//     rmdir /old               what is left of it on the caller's disk
//     mount proc /proc         of one's own PID namespace, if there is one. In a user namespace the
//                              kernel asks for another /proc that is visible, so there it is
//                              mounted before the pivot
//
// It guarantees: no name leads to the old root, the namespace has no mount of it, and neither
// umount nor setns brings one back. It needs to write to NEW for a moment; should the process be
// killed between mkdir and rmdir, whoever started it removes the directory (rootswitch/).
#include "switch/strategy/parts.h"

namespace pivotcheck::strategy {

Steps put_old(const Plan& plan) {
  const bool proc_is_last = !plan.user_namespace && !plan.in_user_namespace;
  const Path old_outside = below(plan.new_root, plan.put_old);
  const Path old_inside = below("/", plan.put_old);
  Steps steps;
  enter_namespaces(plan, steps);
  change_propagation(Propagation::private_, steps);
  bind_root_with_room_for_put_old(plan, steps);
  mount_requests(proc_is_last ? without_proc(plan.mounts) : plan.mounts, plan.new_root, steps);
  steps.push_back({Phase::pivot, MakePrivateDirectory{old_outside}});
  steps.push_back({Phase::pivot, Op{PivotRoot{plan.new_root, old_outside}}});
  steps.push_back({Phase::pivot, Op{Chdir{"/"}}});
  steps.push_back({Phase::detach, Op{Umount{old_inside, {UmountFlag::detach}}}});
  steps.push_back({Phase::detach, Op{Rmdir{old_inside}}});
  if (proc_is_last) mount_requests(only_proc(plan.mounts), "/", steps);
  seal_root(plan, steps);
  return steps;
}

}  // namespace pivotcheck::strategy
