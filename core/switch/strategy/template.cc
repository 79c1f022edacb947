// SPDX-License-Identifier: Apache-2.0
// template.cc: the fast way, this project's own. The other strategies cost what it takes to copy
// the caller's mount tree, which unshare does and the detach undoes, and to wait until the copy is
// gone. This one never copies it: a namespace with one small mount is made once and kept, and each
// switch enters a copy of that.
//
// Once (`prepare`):
//     unshare user             only without privileges; its ids are mapped
//     unshare mnt, keep        only without privileges: a copy of the caller's tree that belongs to
//                              this user namespace, because open_tree clones only in a namespace
//                              that the caller is privileged over. Its mounts are slaves: it sees
//                              what is mounted later
//     unshare mnt              the template
//     make-rprivate /
//     mount tmpfs NEW ro ...   any place will do. Read-only: all switches share it
//     chdir NEW, pivot_root . ., umount . detach, chdir /
//     keep                     a descriptor; the process ends
//
// For each switch:
//     (setns user, setns mnt   without privileges: into the copy)
//     open_tree clone recursive NEW      the new root and what is mounted below, detached
//     mount_setattr private    or slave: before it is attached, because a clone of a shared mount
//                              is its peer, and what is mounted below one appears below the other
//     the caller's mounts are gathered: the old root is out of reach after this
//     setns T mnt              leaves the old namespace without destroying it: nothing to wait for
//     unshare mnt              so that the template stays as it is: a copy of one mount
//     move_mount @image /      covers the tmpfs
//     fchdir, chroot .         setns has put the process on the tmpfs; this is one step up
//
// It guarantees that no mount of the caller's tree, except the clone, was ever in the namespace. A
// command with CAP_SYS_ADMIN and CAP_SYS_CHROOT can take the clone away as in move_chroot.cc; what
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
    steps.push_back({Phase::prepare, Op{Unshare{{NamespaceKind::user}}}});
    steps.push_back({Phase::prepare, MapIds{}});
    steps.push_back({Phase::prepare, Op{Unshare{{NamespaceKind::mnt}}}});
    steps.push_back({Phase::prepare, KeepNamespace{copy_of_the_callers()}});
  }
  steps.push_back({Phase::prepare, Op{Unshare{{NamespaceKind::mnt}}}});
  steps.push_back({Phase::prepare, Op{ChangePropagation{"/", Propagation::private_, true}}});
  steps.push_back({Phase::prepare, Op{Mount{FilesystemType::tmpfs, plan.new_root, flags}}});
  steps.push_back({Phase::prepare, Op{Chdir{plan.new_root}}});
  steps.push_back({Phase::prepare, Op{PivotRoot{".", "."}}});
  steps.push_back({Phase::prepare, Op{Umount{".", {UmountFlag::detach}}}});
  steps.push_back({Phase::prepare, Op{Chdir{"/"}}});
  steps.push_back({Phase::prepare, KeepNamespace{the_template()}});
  return steps;
}

Steps template_(const Plan& plan) {
  Steps steps;
  if (plan.user_namespace) {
    steps.push_back({Phase::namespaces, Op{Setns{copy_of_the_callers(), {NamespaceKind::user}}}});
    steps.push_back({Phase::namespaces, Op{Setns{copy_of_the_callers(), {NamespaceKind::mnt}}}});
  }
  if (plan.pid_namespace) steps.push_back({Phase::namespaces, NewPidNamespace{}});
  if (plan.other_namespaces != 0) {
    steps.push_back({Phase::namespaces, UnshareOthers{plan.other_namespaces}});
  }
  const OpenTreeFlags whole{OpenTreeFlag::clone, OpenTreeFlag::recursive};
  const AttributeChange change{.set = plan.read_only ? MountFlags{MountFlag::ro} : MountFlags{},
                               .clear = {},
                               .propagation = plan.propagation};
  steps.push_back({Phase::bind, Op{OpenTree{image(), plan.new_root, whole}}});
  steps.push_back({Phase::propagation, Op{MountSetattr{{image().text, ""}, change, {true}}}});
  gather_mounts(plan.mounts, steps);
  steps.push_back({Phase::namespaces, Op{Setns{the_template(), {NamespaceKind::mnt}}}});
  steps.push_back({Phase::namespaces, Op{Unshare{{NamespaceKind::mnt}}}});
  steps.push_back({Phase::pivot, Op{MoveMount{{image().text, ""}, "/", {}}}});
  steps.push_back({Phase::pivot, Op{Fchdir{image()}}});
  steps.push_back({Phase::pivot, Op{Chroot{"."}}});
  steps.push_back({Phase::detach, Op{Close{image()}}});
  place_mounts(plan.mounts, "/", steps);
  return steps;
}

}  // namespace pivotcheck::strategy
