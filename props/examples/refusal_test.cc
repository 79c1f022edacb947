// SPDX-License-Identifier: Apache-2.0
// refusal_test.cc: which rule a refused step of a switch is reported with, if the process cannot be
// inspected: the only one of its call with that errno, or none.
#include <doctest/doctest.h>

#include <cerrno>
#include <string>

#include "switch/refusal.h"

namespace pivotcheck::rootswitch {
namespace {

// There is no process -1 to inspect.
SwitchFailure refused(Op op, int error) {
  return refusal({.process = -1}, {.action = std::move(op)}, error, {});
}
std::string rule_of(Op op, int error) { return refused(std::move(op), error).rule; }

}  // namespace

TEST_CASE("a refused clone of a source is not reported as a missing OPEN_TREE_CLONE") {
  const OpenTree clone{{"h"}, "/source", {OpenTreeFlag::clone, OpenTreeFlag::recursive}};
  const SwitchFailure failure = refused(clone, EINVAL);
  CHECK(failure.rule == "");  // bind-unbindable and others have that errno too
  CHECK(failure.message.ends_with(": Invalid argument (EINVAL)"));
  const OpenTree open{{"h"}, "/source", {OpenTreeFlag::recursive}};
  CHECK(rule_of(open, EINVAL) == "open-tree-recursive-alone");
}

TEST_CASE("a rule that several calls share is a rule of each of them") {
  CHECK(rule_of(OpenTree{{"h"}, "/source", {OpenTreeFlag::clone}}, EPERM) == "");
  CHECK(rule_of(Fsmount{{"h"}, FilesystemType::tmpfs, {}}, EPERM) == "");
  CHECK(rule_of(MoveMount{{"h", ""}, "/target", {}}, ELOOP) == "");
}

TEST_CASE("the only rule of a call with that errno is named") {
  CHECK(rule_of(MoveMount{{"h", ""}, "/target", {}}, EPERM) == "move-mount-no-capability");
  CHECK(rule_of(Chroot{"/new"}, EPERM) == "chroot-no-capability");
  CHECK(rule_of(Unshare{{NamespaceKind::user, NamespaceKind::mnt}}, EPERM) ==
        "unshare-user-chrooted");
  CHECK(rule_of(Unshare{{NamespaceKind::mnt}}, EPERM) == "unshare-mnt-no-capability");
  CHECK(rule_of(Setns{{"B"}, {NamespaceKind::mnt}}, EPERM) == "setns-mnt-no-capability");
  CHECK(rule_of(Remount{"/new", {}}, EROFS) == "read-only");
}

}  // namespace pivotcheck::rootswitch
