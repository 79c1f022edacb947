// SPDX-License-Identifier: Apache-2.0
// manual.cc: what pivot_root(8) tells people to type:
//
//     cd new_root
//     pivot_root . old_root
//     exec chroot . sh <dev/console >dev/console 2>&1
//     umount /old_root
//
// That page was written for an init, alone in the first namespace. For anybody else a namespace, a
// private / and a bind go before it (as in put_old.cc, with the same reasons). Then:
//
//     chdir NEW                so that '.' is the new root before and after
//     mkdir -m 0700 old        as the page has it, but nobody else can enter it
//     pivot_root . old         '.' stays where it is; the page warns that the root of the caller
//                              may not follow, which no kernel that this project knows does
//     chroot .                 for one that does not; elsewhere it changes nothing
//     umount old detach        from inside, before the command and not after it: a command that is
//                              to be contained is not asked to take its own way out away. Not
//                              plain, as the old tree has mounts below it
//     rmdir old
//
// It guarantees what put-old does; '.' is '/' all the time, so that no chdir is needed.
#include "switch/strategy/parts.h"

namespace pivotcheck::strategy {

Steps manual(const Plan& plan) {
  Steps steps;
  enter_namespaces(plan, steps);
  change_propagation(Propagation::private_, steps);
  bind_root_with_room_for_put_old(plan, steps);
  mount_requests(plan.mounts, plan.new_root, steps);
  steps.push_back({Phase::pivot, Op{Chdir{plan.new_root}}});
  steps.push_back({Phase::pivot, MakePrivateDirectory{plan.put_old}});
  steps.push_back({Phase::pivot, Op{PivotRoot{".", plan.put_old}}});
  steps.push_back({Phase::pivot, Op{Chroot{"."}}});
  steps.push_back({Phase::detach, Op{Umount{plan.put_old, {UmountFlag::detach}}}});
  steps.push_back({Phase::detach, Op{Rmdir{plan.put_old}}});
  seal_root(plan, steps);
  return steps;
}

}  // namespace pivotcheck::strategy
