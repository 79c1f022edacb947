// SPDX-License-Identifier: Apache-2.0
// roots.cc: pivot_root, chroot, chdir.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "base/unique_fd.h"
#include "check/driver/paths.h"
#include "check/driver/perform/perform.h"
#include "check/driver/reserved_fds.h"
#include "syscalls/syscalls.h"

namespace pivotcheck::kernel {

StepResult perform(TaskContext& context, const PivotRoot& op) {
  return call_paths(context, op.new_root, op.put_old, sys_pivot_root);
}

namespace {

// Back to a directory in which the task was. If its mode denies that by now, to a task that gave up
// CAP_DAC_OVERRIDE, the mode changes for that moment: the task owns every file of its world.
SetupError go_back_to(const UniqueFd& directory) {
  if (::fchdir(directory.get()) == 0) return no_setup_error;
  struct stat status {};
  std::array<char, 32> path{};
  std::snprintf(path.data(), path.size(), "fd/%d", directory.get());
  const UniqueFd proc(open_proc_directory());
  if (::fstat(directory.get(), &status) != 0 ||
      ::fchmodat(proc.get(), path.data(), 0700, 0) != 0) {
    return setup_error("chmod of the current directory, to return to it after chroot @handle");
  }
  const bool back = ::fchdir(directory.get()) == 0;
  const bool restored = ::fchmodat(proc.get(), path.data(), status.st_mode & 07777U, 0) == 0;
  return back && restored ? no_setup_error : setup_error("returning to the current directory");
}

// chroot takes no descriptor, and no helper can call it in the task's stead: it is about the root
// of its caller. So the task goes there and returns. The errors come in chroot's own order: lookup,
// then ENOTDIR and EACCES from fchdir, then what chroot(".") says.
StepResult chroot_from_handle(const TaskContext& context, const Path& path) {
  const UniqueFd target = open_path(context, path);
  if (!target) return result_of(-1);
  // By the link in /proc: looking "." up would ask for the permission to search it.
  const UniqueFd before(::openat(reserved_fds::proc, "self/cwd", O_PATH | O_CLOEXEC));
  if (!before) return broken(setup_error("opening /proc/self/cwd"));
  if (::fchdir(target.get()) != 0) return result_of(-1);
  const StepResult result = result_of(::chroot("."));
  const SetupError not_back = go_back_to(before);
  return not_back ? broken(not_back) : result;
}

}  // namespace

StepResult perform(TaskContext& context, const Chroot& op) {
  if (!handles_are_open(context, op.path)) return answered(EBADF);
  if (op.path.handle.empty()) return result_of(::chroot(op.path.text.c_str()));
  return chroot_from_handle(context, op.path);
}

StepResult perform(TaskContext& context, const Chdir& op) {
  if (!handles_are_open(context, op.path)) return answered(EBADF);
  if (op.path.handle.empty()) return result_of(::chdir(op.path.text.c_str()));
  if (op.path.text.empty()) return result_of(::fchdir(context.find(op.path.slot)));
  const UniqueFd target = open_path(context, op.path);
  return result_of(target ? ::fchdir(target.get()) : -1);
}

}  // namespace pivotcheck::kernel
