// SPDX-License-Identifier: Apache-2.0
// clone.cc: see clone.h.
#include "switch/clone.h"

#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "base/check.h"
#include "syscalls/namespaces.h"
#include "syscalls/syscalls.h"

namespace pivotcheck::rootswitch {
namespace {

constexpr std::size_t child_stack_size = 64 * 1024;  // bytes, from clone to exec

// Where clone3 does not reset them.
void reset_handlers() {
  for (int number = 1; number < SIGRTMAX; ++number) {
    struct sigaction action {};
    if (::sigaction(number, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) continue;
    action.sa_handler = SIG_DFL;
    action.sa_flags = 0;
    ::sigaction(number, &action, nullptr);
  }
}

pid_t begin_in(pid_t pid, bool reset, ChildStart start) {
  if (pid != 0) return pid;
  if (reset) reset_handlers();
  start.begin(start.argument);
  __builtin_unreachable();
}

// What both ways share.
pid_t clone_with_pidfd(clone_args& args, UniqueFd& pidfd, auto clone, auto fork) {
  int fd = -1;
  args.flags |= CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
  args.pidfd = reinterpret_cast<std::uintptr_t>(&fd);
  args.exit_signal = SIGCHLD;
  pid_t pid = clone(args);
  if (pid < 0 && errno == ENOSYS) {  // a seccomp filter hides clone3, or there is no shared memory
    pid = fork();
    if (pid > 0) fd = kernel::sys_pidfd_open(pid);
  }
  pidfd.reset(fd);
  return pid;
}

[[gnu::noinline]] pid_t vfork_child(ChildStart start, unsigned long namespaces) {
  if (namespaces != 0) return begin_in(kernel::sys_fork(namespaces | SIGCHLD), true, start);
  return begin_in(::vfork(), true, start);
}

}  // namespace

pid_t clone_copy(unsigned long namespaces, ChildStart start, UniqueFd& pidfd) {
  clone_args args{};
  args.flags = namespaces;
  return clone_with_pidfd(
      args, pidfd, [&](clone_args& its) { return begin_in(kernel::sys_clone3(its), false, start); },
      [&] { return begin_in(kernel::sys_fork(namespaces | SIGCHLD), true, start); });
}

pid_t clone_in_our_memory(ChildStart start, UniqueFd& pidfd, unsigned long namespaces) {
  const auto stack = std::make_unique_for_overwrite<std::byte[]>(child_stack_size);
  clone_args args{};
  args.flags = CLONE_VM | CLONE_VFORK | namespaces;
  args.stack = reinterpret_cast<std::uintptr_t>(stack.get());
  args.stack_size = child_stack_size;
  return clone_with_pidfd(
      args, pidfd,
      [&](clone_args& its) {
        return kernel::sys_clone3_on_stack(its, start.begin, start.argument);
      },
      [&] { return vfork_child(start, namespaces); });
}

pid_t clone_sibling(ChildStart start, std::uint32_t& number) {
  const unsigned long flags = CLONE_PARENT | CLONE_PARENT_SETTID;
  const long pid = ::syscall(SYS_clone, flags, nullptr, &number, nullptr, 0UL);
  return begin_in(static_cast<pid_t>(pid), false, start);
}

pid_t clone_in_our_memory_beside(int init, ChildStart start, UniqueFd& pidfd) {
  const UniqueFd own(kernel::own_namespace(kernel::pid_namespace_for_children));
  // This changes nothing. Whoever refuses it would refuse the way back as well.
  if (!own || ::setns(own.get(), CLONE_NEWPID) != 0) {
    errno = ENOSYS;
    return -1;
  }
  if (::setns(init, CLONE_NEWPID) != 0) return -1;
  const pid_t pid = clone_in_our_memory(start, pidfd);
  const int error = errno;
  PIVOTCHECK_CHECK(::setns(own.get(), CLONE_NEWPID) == 0);
  errno = error;
  return pid;
}

Waited wait_for_end(pid_t pid, int options) {
  Waited waited;
  for (;;) {
    waited.pid = ::waitpid(pid, &waited.status, options | __WALL);
    if (waited.pid < 0 && errno == EINTR) continue;
    if (waited.pid <= 0 || !WIFSTOPPED(waited.status)) return waited;
    ::ptrace(PTRACE_DETACH, pid, nullptr, WSTOPSIG(waited.status));
  }
}

void reap_traced_threads(pid_t process) {
  std::error_code error;
  const std::string threads = "/proc/" + std::to_string(process) + "/task";
  for (const auto& thread : std::filesystem::directory_iterator(threads, error)) {
    const pid_t number = std::atoi(thread.path().filename().c_str());
    if (number != process) wait_for_end(number, WNOHANG);
  }
}

Waited wait_for_command(pid_t pid, int pidfd) {
  constexpr int wait_max_ms = 1000;  // until threads are looked at
  for (;;) {
    const Waited waited = wait_for_end(pid, WNOHANG);
    if (waited.pid != 0) return waited;
    pollfd end{.fd = pidfd, .events = POLLIN, .revents = 0};
    if (::poll(&end, 1, wait_max_ms) == 0) reap_traced_threads(pid);
  }
}

}  // namespace pivotcheck::rootswitch
