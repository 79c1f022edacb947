// SPDX-License-Identifier: Apache-2.0
// entered_namespace.cc: the child shares the caller's descriptors, so it opens the file for both. It
// shares neither root nor memory: setns refuses a shared root, and a memory whose process has entered a
// user namespace is no longer dumpable.
#include "observe/entered_namespace.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "observe/proc.h"
#include "syscalls/syscalls.h"

namespace pivotcheck {
namespace {

// In the child: 0 or an errno. The file gets the number `place`, which is open.
int open_inside(int proc, int mount_namespace, int owner, int start, int place) {
  // EINVAL: the caller is in that user namespace already.
  if (::setns(owner, CLONE_NEWUSER) != 0 && errno != EINVAL) return errno;
  if (::setns(mount_namespace, CLONE_NEWNS) != 0) return errno;
  if (start >= 0 && (::fchdir(start) != 0 || ::chroot(".") != 0)) return errno;
  const int file = ::openat(proc, "self/mountinfo", O_RDONLY | O_CLOEXEC);
  if (file < 0) return errno;
  const int error = ::dup3(file, place, O_CLOEXEC) == place ? 0 : errno;
  ::close(file);
  return error;
}

}  // namespace

Expected<UniqueFd> open_mountinfo_inside(int proc, int mount_namespace, int start) {
  const UniqueFd owner(::ioctl(mount_namespace, NS_GET_USERNS));
  if (!owner) return fail_with_errno("ioctl", "NS_GET_USERNS");
  UniqueFd place(::fcntl(proc, F_DUPFD_CLOEXEC, 0));
  if (!place) return fail_with_errno("fcntl", "F_DUPFD_CLOEXEC");
  const pid_t child = kernel::sys_fork(CLONE_FILES | SIGCHLD);
  if (child < 0) return fail_with_errno("fork", "of a process that enters a world");
  if (child == 0) {
    kernel::sys_exit(open_inside(proc, mount_namespace, owner.get(), start, place.get()));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) != child) {
    if (errno != EINTR) return fail_with_errno("waitpid", "of a process that enters a world");
  }
  errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
  if (errno != 0) return fail_with_errno("setns", "to read mountinfo in a world");
  return place;
}

}  // namespace pivotcheck
