// SPDX-License-Identifier: Apache-2.0
// proc_first.cc: the way of programs that run without privileges (unshare --user --pid --fork
// --mount-proc, and tutorials that build a container by hand): /proc comes first, because later it
// is too late.
//
// In a user namespace the kernel lets nobody mount a proc filesystem from which more could be seen
// than from one that he can see already (mount_namespaces(7), "Restrictions on mount namespaces"):
// there must be a /proc in the namespace, nothing may be mounted on it, and it must be a PID
// namespace of one's own that the new one shows. After the old root is detached there is none. So:
//
//     new PID namespace        by the fork that makes the process which does the rest
//     unshare mnt, make-rprivate /, rbind NEW NEW        as in put_old.cc
//     mount proc NEW/proc      while the old /proc is still there
//     mkdir, pivot_root        as in put_old.cc
//     umount /old detach       an absolute path: the root has changed with the pivot, wherever
//                              '.' is
//     rmdir /old
//     chdir /                  last: '.' may be in the old tree until then, and nothing looks at it
//
// It guarantees what put-old does; and that /proc has nothing but the command's own processes, so
// that no /proc/PID/root leads out.
#include <algorithm>

#include "switch/strategy/parts.h"

namespace pivotcheck::strategy {

Steps proc_first(const Plan& asked) {
  Plan plan = asked;
  plan.pid_namespace = true;
  if (only_proc(plan.mounts).empty()) plan.mounts.emplace_back(ProcMount{"/proc"});
  const Path old_outside = below(plan.new_root, plan.put_old);
  const Path old_inside = below("/", plan.put_old);
  Steps steps;
  enter_namespaces(plan, steps);
  change_propagation(Propagation::private_, steps);
  bind_root_with_room_for_put_old(plan, steps);
  mount_requests(plan.mounts, plan.new_root, steps);
  steps.push_back({Phase::pivot, MakePrivateDirectory{old_outside}});
  steps.push_back({Phase::pivot, Op{PivotRoot{plan.new_root, old_outside}}});
  steps.push_back({Phase::detach, Op{Umount{old_inside, {UmountFlag::detach}}}});
  steps.push_back({Phase::detach, Op{Rmdir{old_inside}}});
  steps.push_back({Phase::detach, Op{Chdir{"/"}}});
  seal_root(plan, steps);
  return steps;
}

}  // namespace pivotcheck::strategy
