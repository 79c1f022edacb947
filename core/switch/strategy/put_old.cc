// SPDX-License-Identifier: Apache-2.0
// put_old.cc: the way of the example program in pivot_root(2), with which most container programs
// started: the old root gets a directory in the new one, and is then unmounted from there.
//
//     unshare mnt              so that nothing below happens in the caller's namespace
//     make-rprivate /          pivot_root refuses a shared parent, and the umount of the old root
//                              below would reach every peer of it
//     rbind NEW NEW            NEW must be a mount, and not the one that the root is in;
//                              recursively, because what is mounted below NEW belongs to it
//     mkdir -m 0700 NEW/old    put_old must be at or below NEW; 0700, because the host sees it too
//     pivot_root NEW NEW/old   the root of every process of the namespace changes with it
//     chdir /                  a current directory elsewhere in the old tree stays there, and '.'
//                              is a way back
//     umount /old detach       not plain: the old tree has mounts, and is busy. From now on no path
//                              leads there; the kernel frees it with the last descriptor
//     rmdir /old               the only thing left on the caller's disk
//     mount proc /proc         of the new PID namespace, if there is one. In a user namespace the
//                              kernel asks for another visible /proc, so there it is mounted before
//                              the pivot
//
// It guarantees: no name leads to the old root, the namespace has no mount of it, and neither
// umount nor setns brings one back. It writes to NEW for a moment; if the process is killed between
// mkdir and rmdir, the caller removes the directory (switch/root_switch.cc).
#include "switch/strategy/parts.h"

namespace pivotcheck::strategy {

Steps put_old(const Plan& plan) {
  const bool proc_is_last = !plan.user_namespace && !plan.in_user_namespace;
  Steps steps;
  set_up_root(plan, proc_is_last ? without_proc(plan.mounts) : plan.mounts,
              RootUse::room_for_put_old, steps);
  pivot_to_put_old(plan, steps);
  add(steps, Phase::pivot, Chdir{"/"});
  remove_put_old(below("/", plan.put_old), steps);
  if (proc_is_last) mount_requests(only_proc(plan.mounts), "/", steps);
  seal_root(plan, steps);
  return steps;
}

}  // namespace pivotcheck::strategy
