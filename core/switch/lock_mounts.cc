// SPDX-License-Identifier: Apache-2.0
// lock_mounts.cc: see lock_mounts.h.
#include "switch/lock_mounts.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>

#include "base/unique_fd.h"
#include "switch/pass_descriptor.h"
#include "syscalls/syscalls.h"

namespace pivotcheck::rootswitch {
namespace {

// Whoever may trace this helper has the process's memory before him: not dumpable, before there is
// a user namespace over which an ordinary process with the same uid has all capabilities.
// (By a pidfd of such a helper nobody without CAP_SYS_PTRACE could enter the copy.)
[[noreturn]] void make_copy(int proc, int socket) {
  int error = 0;
  if (::syscall(SYS_prctl, PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) != 0 ||
      ::syscall(SYS_unshare, CLONE_NEWUSER | CLONE_NEWNS) != 0) {
    error = errno;
  }
  const auto give = [&](int directory, const char* path, int flags) {
    const auto fd = static_cast<int>(::syscall(SYS_openat, directory, path, flags | O_CLOEXEC));
    if (error == 0 && fd < 0) error = errno;
    return send_with_descriptor(socket, error, fd);
  };
  const bool given = give(proc, "thread-self/ns/mnt", O_RDONLY) && give(AT_FDCWD, ".", O_PATH);
  kernel::sys_exit(given ? 0 : 1);
}

int enter_copy(int socket) {
  UniqueFd copy;
  UniqueFd directory;
  for (UniqueFd* each : {&copy, &directory}) {
    const auto error = receive_with_descriptor(socket, *each);
    if (!error) return ECHILD;  // it was killed
    if (*error != 0) return *error;
  }
  if (::syscall(SYS_setns, copy.get(), CLONE_NEWNS) != 0) return errno;
  return ::syscall(SYS_fchdir, directory.get()) == 0 ? 0 : errno;
}

}  // namespace

int lock_mounts(int proc) {
  int ends[2];
  if (::syscall(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return errno;
  UniqueFd ours(ends[0]);
  UniqueFd its(ends[1]);
  const pid_t helper = kernel::sys_fork(0);  // without SIGCHLD, which the command would get
  if (helper < 0) return errno;
  if (helper == 0) {
    ours.reset();  // so that its messages fail if the process is gone
    make_copy(proc, its.get());
  }
  its.reset();
  const int error = enter_copy(ours.get());
  ::syscall(SYS_wait4, helper, nullptr, __WALL, nullptr);
  return error;
}

}  // namespace pivotcheck::rootswitch
