// SPDX-License-Identifier: Apache-2.0
// manual.cc: what pivot_root(8) tells people to type:
//
//     cd new_root
//     pivot_root . old_root
//     exec chroot . sh <dev/console >dev/console 2>&1
//     umount /old_root
//
// That page was written for an init, alone in the first namespace. For any other process, a
// namespace, a private / and a bind come first (as in put_old.cc, for the same reasons). Then:
//
//     chdir NEW                so that '.' is the new root before and after
//     mkdir -m 0700 old        as on that page, but no other user can enter it
//     pivot_root . old         '.' stays where it is; the page warns that the caller's root may not
//                              follow, which no kernel known to this project does
//     chroot .                 for a kernel that does; elsewhere it changes nothing
//     umount old detach        from inside, and before the command, not after it: a command that is
//                              to be contained is not asked to remove its own way out. Not a plain
//                              umount, because the old tree has mounts below it
//     rmdir old
//
// It guarantees what put-old does. '.' is '/' all the time, so no chdir is needed.
#include "switch/strategy/parts.h"

namespace pivotcheck::strategy {

Steps manual(const Plan& plan) {
  Steps steps;
  set_up_root(plan, plan.mounts, RootUse::room_for_put_old, steps);
  add(steps, Phase::pivot, Chdir{plan.new_root}, MakePrivateDirectory{plan.put_old},
      PivotRoot{".", plan.put_old}, Chroot{"."});
  remove_put_old(plan.put_old, steps);
  seal_root(plan, steps);
  return steps;
}

}  // namespace pivotcheck::strategy
