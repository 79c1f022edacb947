// SPDX-License-Identifier: Apache-2.0
// step_executor_test.cc: what the library does for operations that no strategy has yet is what the
// test driver does for them, and so what the model is compared with. A child in namespaces of its
// own performs the steps and looks at the mounts.
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>

#include "examples.h"
#include "switch/step_executor.h"

namespace pivotcheck {
namespace {

const Path tree{"tree", ""};
const HandleName tree_name{"tree"};

int perform(const strategy::Steps& steps) {
  rootswitch::StepExecutor executor(steps);
  for (const strategy::SwitchStep& step : steps) {
    if (const int error = executor.perform(step)) return error;
  }
  return 0;
}

strategy::Steps steps_of(std::initializer_list<Op> ops) {
  strategy::Steps steps;
  for (const Op& op : ops) steps.push_back({strategy::Phase::bind, op});
  return steps;
}

unsigned long flags_of_mount(const char* path) {
  struct statvfs filesystem {};
  return ::statvfs(path, &filesystem) == 0 ? filesystem.f_flag : 0;
}

// The number of the check that failed, 0 if none did.
int check_attributes() {
  const MountFlags flags{MountFlag::ro, MountFlag::noatime};
  if (perform(steps_of({Fsmount{tree_name, FilesystemType::tmpfs, flags},
                        MoveMount{tree, "/tmp", {}}})) != 0) {
    return 1;
  }
  if ((flags_of_mount("/tmp") & (ST_NOATIME | ST_RDONLY)) != (ST_NOATIME | ST_RDONLY)) return 2;
  const AttributeChange clear{.set = {}, .clear = flags, .propagation = {}};
  if (perform(steps_of({MountSetattr{"/tmp", clear, {}}})) != 0) return 3;
  if ((flags_of_mount("/tmp") & ST_NOATIME) != 0) return 4;
  // The mount is writable again, the filesystem is not.
  if (::mkdir("/tmp/made", 0755) == 0 || errno != EROFS) return 5;
  const AttributeChange set{.set = {MountFlag::noatime}, .clear = {}, .propagation = {}};
  if (perform(steps_of({MountSetattr{"/tmp", set, {}}})) != 0) return 6;
  return (flags_of_mount("/tmp") & ST_NOATIME) != 0 ? 0 : 7;
}

int check_beneath() {
  const MountFlags top{MountFlag::nodev};
  if (perform(steps_of({Mount{FilesystemType::tmpfs, "/tmp", top}})) != 0) return 11;
  const int error =
      perform(steps_of({Fsmount{tree_name, FilesystemType::tmpfs, {MountFlag::noexec}},
                        MoveMount{tree, "/tmp", {MoveMountFlag::beneath}}}));
  if (error == EINVAL) return 0;  // before Linux 6.5
  if (error != 0) return 12;
  if ((flags_of_mount("/tmp") & ST_NOEXEC) != 0) return 13;
  if (perform(steps_of({Umount{"/tmp", {}}})) != 0) return 14;
  return (flags_of_mount("/tmp") & ST_NOEXEC) != 0 ? 0 : 15;
}

TEST_CASE("the library passes noatime, a read-only filesystem and MOVE_MOUNT_BENEATH on") {
  if (!user_namespaces_allowed()) return;
  const auto in_child = [] {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return 77;
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 77;
    const int failed = check_attributes();
    return failed != 0 ? failed : check_beneath();
  };
  const int status = status_of_child(in_child);
  if (status == 77) return not_run("no mount namespace can be made private here");
  CHECK(status == 0);  // else the number of the check in the child
}

}  // namespace
}  // namespace pivotcheck
