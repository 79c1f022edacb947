// SPDX-License-Identifier: Apache-2.0
// chroot.cc: chroot(2), older than all the others, and no boundary: it changes where the lookup of
// a path begins, and nothing else.
//
//     chroot NEW
//     chdir /                  '.' would still be outside, and a way out in one step
//
// What it can't promise. Whoever has CAP_SYS_CHROOT inside calls chroot once more, on a directory
// below; then '.' is outside of the new root, '..' is not stopped by it any more, and leads to the
// real one. The command is in the mount namespace of the caller: what it mounts, the caller sees;
// setns on that namespace leads out; and so does every process's /proc/PID/root.
//
// Mounts that are asked for need a namespace of one's own, as nothing is done in the caller's: then
// unshare, a private / and a bind (put_old.cc) come first. It is no more of a boundary for that.
#include "switch/strategy/parts.h"

namespace pivotcheck::strategy {

Steps chroot(const Plan& plan) {
  const bool own_mounts = plan.mount_namespace || plan.read_only || !plan.mounts.empty();
  Steps steps;
  if (own_mounts) {
    enter_namespaces(plan, steps);
    change_propagation(Propagation::private_, steps);
    bind_root_to_itself(plan, steps);
    mount_requests(plan.mounts, plan.new_root, steps);
  } else {
    enter_other_namespaces(plan, steps);
  }
  steps.push_back({Phase::pivot, Op{Chroot{plan.new_root}}});
  steps.push_back({Phase::pivot, Op{Chdir{"/"}}});
  return steps;
}

}  // namespace pivotcheck::strategy
