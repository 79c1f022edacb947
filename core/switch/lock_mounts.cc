// SPDX-License-Identifier: Apache-2.0
// lock_mounts.cc: see lock_mounts.h.
#include "switch/lock_mounts.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "base/unique_fd.h"
#include "syscalls/namespaces.h"
#include "syscalls/syscalls.h"

namespace pivotcheck::rootswitch {
namespace {

struct Copying {
  int proc;
  int mount_namespace;  // descriptors to be replaced: the table is shared
  int directory;
};

int place_at(int number, int fd) {
  return fd < 0 || ::syscall(SYS_dup3, fd, number, O_CLOEXEC) < 0 || ::syscall(SYS_close, fd) < 0
             ? errno
             : 0;
}

int open_here() {
  return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, ".", O_PATH | O_CLOEXEC));
}

// The helper. It is in the copy from the beginning; its directory is there as well.
void give_copy(void* argument) {
  const auto& its = *static_cast<const Copying*>(argument);
  const int copy = kernel::own_namespace(kernel::mount_namespace, its.proc);
  int error = place_at(its.mount_namespace, copy);
  if (error == 0) error = place_at(its.directory, open_here());
  kernel::sys_exit(error);
}

// Returns when the helper has ended: 0 or an errno.
int run_helper(Copying& copying) {
  constexpr unsigned long flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_FILES | CLONE_VFORK;
  alignas(16) std::array<std::byte, 8192> stack{};
  clone_args args{};
  args.flags = flags | CLONE_VM;
  args.stack = reinterpret_cast<std::uintptr_t>(stack.data());
  args.stack_size = stack.size();
  pid_t helper = kernel::sys_clone3_on_stack(args, give_copy, &copying);
  if (helper < 0 && errno == ENOSYS) {  // as in clone.cc
    helper = kernel::sys_fork(flags);
    if (helper == 0) give_copy(&copying);
  }
  if (helper < 0) return errno;
  int status = 0;
  if (::syscall(SYS_wait4, helper, &status, __WALL, nullptr) < 0) return errno;
  return WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
}

}  // namespace

int lock_mounts(int proc) {
  const auto place = [proc] {
    return UniqueFd(static_cast<int>(::syscall(SYS_fcntl, proc, F_DUPFD_CLOEXEC, 3)));
  };
  const UniqueFd mount_namespace = place();
  const UniqueFd directory = place();
  if (!mount_namespace || !directory) return errno;
  Copying copying{proc, mount_namespace.get(), directory.get()};
  // Over the helper's user namespace an ordinary process with this uid has all capabilities; so that
  // it may not trace the helper, which has this memory, that is not dumpable for so long.
  const bool dumpable = ::syscall(SYS_prctl, PR_GET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) == 1;
  if (::syscall(SYS_prctl, PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) != 0) return errno;
  int error = run_helper(copying);
  if (dumpable) ::syscall(SYS_prctl, PR_SET_DUMPABLE, 1UL, 0UL, 0UL, 0UL);
  if (error != 0) return error;
  if (::syscall(SYS_setns, mount_namespace.get(), CLONE_NEWNS) != 0) return errno;
  return ::syscall(SYS_fchdir, directory.get()) == 0 ? 0 : errno;
}

}  // namespace pivotcheck::rootswitch
