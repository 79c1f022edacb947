// SPDX-License-Identifier: Apache-2.0
// template.cc: the fast way, this project's own. The other strategies cost what it takes to copy
// the caller's mount tree, which unshare does and the detach undoes, and to wait until the copy is
// gone. This one never copies it: a namespace with one small mount is made once and kept, and each
// switch enters a copy of that.
//
// Once (`prepare`):
//     unshare user             only without privileges; its ids are mapped
//     chdir NEW                only without privileges: by the descriptor that was checked. What is
//                              '.' in the copy is kept with it
//     unshare mnt, keep        only without privileges: a copy of the caller's tree that belongs to
//                              this user namespace, because open_tree clones only in a namespace
//                              that the caller is privileged over. Its mounts are slaves: it sees
//                              what is mounted later
//     unshare mnt              the template
//     make-rprivate /
//     fsmount tmpfs ro ...     read-only: all switches share it
//     move_mount /, fchdir     any place will do; on / it covers the root, and no name leads there
//     pivot_root . ., umount . detach, chdir /
//     keep                     a descriptor; the process ends
//
// For each switch:
//     (setns user, setns mnt   without privileges: into the copy)
//     chdir NEW                by the descriptor that was checked, or that was kept with the copy
//     open_tree clone recursive .        the new root and what is mounted below, detached
//     mount_setattr private    or slave: before it is attached, because a clone of a shared mount
//                              is its peer, and what is mounted below one appears below the other
//     the caller's mounts are gathered: the old root is out of reach after this
//     setns T mnt              leaves the old namespace without destroying it: nothing to wait for
//     unshare mnt              so that the template stays as it is: a copy of one mount
//     move_mount @newroot /    covers the tmpfs
//     fchdir, chroot .         setns has put the process on the tmpfs; this is one step up
//
// It guarantees that no mount of the caller's tree, except the clone, was ever in the namespace. A
// command with CAP_SYS_ADMIN and CAP_SYS_CHROOT can take the clone away as with move-chroot; what
// it reaches is the template's tmpfs, which is empty.
#include "switch/strategy/parts.h"

namespace pivotcheck::strategy {
namespace {

TaskName copy_of_the_callers() { return {"C"}; }
TaskName the_template() { return {"T"}; }
HandleName image() { return {"image"}; }

}  // namespace

Steps template_preparation(const Plan& plan) {
  const MountFlags flags{MountFlag::ro, MountFlag::nosuid, MountFlag::nodev, MountFlag::noexec};
  Steps steps;
  if (plan.user_namespace) {
    add(steps, Phase::prepare, Unshare{{NamespaceKind::user}}, MapIds{}, EnterRoot{plan.new_root},
        Unshare{{NamespaceKind::mnt}}, KeepNamespace{copy_of_the_callers()});
  }
  add(steps, Phase::prepare, Unshare{{NamespaceKind::mnt}},
      ChangePropagation{"/", Propagation::private_, true},
      Fsmount{image(), FilesystemType::tmpfs, flags}, MoveMount{{image().text, ""}, "/", {}},
      Fchdir{image()}, Close{image()}, PivotRoot{".", "."}, Umount{".", {UmountFlag::detach}},
      Chdir{"/"}, KeepNamespace{the_template()});
  return steps;
}

Steps template_(const Plan& plan) {
  Steps steps;
  if (plan.user_namespace) {
    add(steps, Phase::namespaces, Setns{copy_of_the_callers(), {NamespaceKind::user}},
        Setns{copy_of_the_callers(), {NamespaceKind::mnt}});
  }
  if (plan.pid_namespace) add(steps, Phase::namespaces, NewPidNamespace{});
  if (plan.other_namespaces != 0) {
    add(steps, Phase::namespaces, UnshareOthers{plan.other_namespaces});
  }
  const OpenTreeFlags whole{OpenTreeFlag::clone, OpenTreeFlag::recursive};
  add(steps, Phase::namespaces, EnterRoot{plan.new_root});
  add(steps, Phase::bind, OpenTree{new_root(), ".", whole});
  add(steps, Phase::propagation,
      MountSetattr{{new_root().text, ""}, change_of_root(plan, plan.propagation), {true}});
  gather_mounts(plan.mounts, steps);
  add(steps, Phase::namespaces, Setns{the_template(), {NamespaceKind::mnt}},
      Unshare{{NamespaceKind::mnt}});
  add(steps, Phase::pivot, MoveMount{{new_root().text, ""}, "/", {}}, Fchdir{new_root()},
      Chroot{"."});
  place_mounts(plan.mounts, steps);
  add(steps, Phase::detach, Close{new_root()});
  return steps;
}

}  // namespace pivotcheck::strategy
