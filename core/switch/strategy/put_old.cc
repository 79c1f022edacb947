// SPDX-License-Identifier: Apache-2.0
// put_old.cc: the ways that give the old root a directory in the new one, put_old: the example of
// pivot_root(2), what programs without privileges make of it, and what pivot_root(8) says to type.
//
// All three differ from what people write in one thing: they take paths (pivot_root NEW NEW/old,
// umount /old), and a path may lead elsewhere by the time it is used. Here the new root is '.' from
// the first step on, and the old one a descriptor (step.h). With paths: corpus/strategies/classic.
#include <algorithm>

#include "switch/strategy/parts.h"

namespace pivotcheck::strategy {
namespace {

// Where RootUse::room_for_put_old has left the root's own mount writable.
void seal_root(const Plan& plan, Steps& steps) {
  if (plan.read_only) add(steps, Phase::detach, MountSetattr{"/", change_to(true), {false}});
}

bool is_proc(const MountRequest& request) { return std::holds_alternative<ProcAt>(request.what); }

}  // namespace

// put-old: the way of the example program in pivot_root(2), with which most container programs
// started: the old root gets a directory in the new one, and is then unmounted from there.
//
//     chdir NEW                by the descriptor that was checked: '.' is the new root from now on
//     unshare mnt              so that nothing below happens in the caller's namespace
//     make-rprivate /          pivot_root refuses a shared parent, and the umount of the old root
//                              below would reach every peer of it
//     open_tree, move_mount .  rbind NEW NEW by descriptor: NEW must be a mount, and not the one
//     fchdir newroot           that the root is in; recursively, because what is mounted below NEW
//                              belongs to it. '.' is that mount
//     open oldroot /           for the umount below
//     mkdir -m 0700 old        put_old must be at or below NEW; 0700, because the host sees it too
//     pivot_root . old         the root of every process of the namespace changes with it
//     fchdir oldroot           umount /old, whatever 'old' is by now. Not a plain umount, because
//     umount . detach          the old tree has mounts, and is busy. From now on no path leads
//                              there; the kernel frees it with the last descriptor
//     chdir /                  out of it: a current directory in the old tree is a way back
//     rmdir old                the only thing left on the caller's disk
//
// It guarantees: no name leads to the old root, the namespace has no mount of it, and neither
// umount nor setns brings one back. It writes to NEW for a moment; if the process is killed between
// mkdir and rmdir, the caller removes the directory; if the caller is killed too, the next switch to
// this root does (switch/root_switch.cc). Whoever may exchange names in NEW meanwhile can have an
// empty directory of NEW removed, or the switch refused.
Steps put_old(const Plan& plan) {
  Steps steps;
  steps.reserve(32);  // as many as it has with a /proc
  set_up_root(plan, RootUse::room_for_put_old, steps);
  pivot_to_put_old(plan, steps);
  remove_put_old(plan, steps);
  seal_root(plan, steps);
  return steps;
}

// proc-first: the way of programs that run without privileges (unshare --user --pid --fork
// --mount-proc, and tutorials that build a container by hand): put-old in a PID namespace of its
// own, made by the fork of the process that does the rest; and /proc is mounted before the pivot,
// because afterwards the kernel refuses it:
//
// In a user namespace the kernel refuses a new proc filesystem that would show more than one that
// is visible already (mount_namespaces(7), "Restrictions on mount namespaces"): the namespace must
// have a /proc, nothing may be mounted on it, and the new one must show a PID namespace of one's
// own. After the old root is detached there is no /proc.
//
// It guarantees what put-old does; and /proc shows the command's own processes only, so that no
// /proc/PID/root leads out.
Steps proc_first(const Plan& asked) {
  Plan plan = asked;
  plan.pid_namespace = true;
  if (std::ranges::none_of(plan.mounts, is_proc)) plan.mounts.push_back({ProcAt{"/proc"}});
  return put_old(plan);
}

// manual: what pivot_root(8) tells people to type:
//
//     cd new_root
//     pivot_root . old_root
//     exec chroot . sh <dev/console >dev/console 2>&1
//     umount /old_root
//
// That page was written for an init, alone in the first namespace. For any other process, a
// namespace, a private / and a bind come first (as in put-old, for the same reasons). Then:
//
//     mkdir -m 0700 old        as on that page, but no other user can enter it
//     pivot_root . old         '.' stays where it is; the page warns that the caller's root may not
//                              follow, which no kernel known to this project does
//     chroot .                 for a kernel that does; elsewhere it changes nothing
//     fchdir oldroot           from inside, and before the command, not after it: a command that is
//     umount . detach          to be contained is not asked to remove its own way out
//     chdir /, rmdir old
//
// It guarantees what put-old does.
Steps manual(const Plan& plan) {
  Steps steps;
  set_up_root(plan, RootUse::room_for_put_old, steps);
  pivot_to_put_old(plan, steps);
  add(steps, Phase::pivot, Chroot{"."});
  remove_put_old(plan, steps);
  seal_root(plan, steps);
  return steps;
}

}  // namespace pivotcheck::strategy
