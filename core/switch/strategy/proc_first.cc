// SPDX-License-Identifier: Apache-2.0
// proc_first.cc: the way of programs that run without privileges (unshare --user --pid --fork
// --mount-proc, and tutorials that build a container by hand): /proc is mounted before the pivot,
// because afterwards the kernel refuses it.
//
// In a user namespace the kernel refuses a new proc filesystem that would show more than one that
// is visible already (mount_namespaces(7), "Restrictions on mount namespaces"): the namespace must
// have a /proc, nothing may be mounted on it, and the new one must show a PID namespace of one's
// own. After the old root is detached there is no /proc. So:
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
// It guarantees what put-old does; and /proc shows the command's own processes only, so that no
// /proc/PID/root leads out.
#include "switch/strategy/parts.h"

namespace pivotcheck::strategy {

Steps proc_first(const Plan& asked) {
  Plan plan = asked;
  plan.pid_namespace = true;
  if (only_proc(plan.mounts).empty()) plan.mounts.push_back({ProcAt{"/proc"}});
  Steps steps;
  set_up_root(plan, plan.mounts, RootUse::room_for_put_old, steps);
  pivot_to_put_old(plan, steps);
  remove_put_old(below("/", plan.put_old), steps);
  add(steps, Phase::detach, Chdir{"/"});
  seal_root(plan, steps);
  return steps;
}

}  // namespace pivotcheck::strategy
