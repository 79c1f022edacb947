// SPDX-License-Identifier: Apache-2.0
// chroot.cc: chroot(2), the oldest way, and no boundary: it changes where the lookup of a path
// begins, and nothing else.
//
//     chroot NEW
//     chdir /                  without it '.' is still outside: a way out in one step
//
// What it can't promise. A command with CAP_SYS_CHROOT calls chroot once more, on a directory
// below: then '.' is outside the new root, '..' is no longer stopped by it, and leads to the real
// root. The command is in the caller's mount namespace: the caller sees what it mounts; setns on
// that namespace leads out; so does /proc/PID/root of any process.
//
// If mounts are asked for, unshare, a private / and a bind (put_old.cc) come first, because nothing
// is done in the caller's namespace. That makes it no more of a boundary.
#include "switch/strategy/parts.h"

namespace pivotcheck::strategy {

Steps chroot(const Plan& plan) {
  Steps steps;
  if (plan.mount_namespace || plan.read_only || !plan.mounts.empty()) {
    set_up_root(plan, plan.mounts, RootUse::as_asked, steps);
  } else {
    enter_other_namespaces(plan, steps);
  }
  add(steps, Phase::pivot, Chroot{plan.new_root}, Chdir{"/"});
  return steps;
}

}  // namespace pivotcheck::strategy
