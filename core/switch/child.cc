// SPDX-License-Identifier: Apache-2.0
// child.cc: see child.h.
#include "switch/child.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <ctime>

#include "syscalls/capabilities.h"
#include "syscalls/syscalls.h"
#include "switch/step_executor.h"

namespace pivotcheck::rootswitch {
namespace {

using kernel::sys_exit;

// The calls alone, where the C library has more than that: a page of it that a child runs is a page
// that is mapped for this.
long sys_prctl(int option, unsigned long value) {
  return ::syscall(SYS_prctl, option, value, 0UL, 0UL, 0UL);
}
void sys_set_signal_mask(const sigset_t& mask) {
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, nullptr, _NSIG / 8);
}

constexpr int lost = 125;  // the status of a child that nobody listens to

void tell(const ChildArgs& child_args, ChildMessage::Kind kind, std::size_t step, int value) {
  ChildMessage message{kind, static_cast<std::int32_t>(step), value};
  if (kind == ChildMessage::Kind::refused) {
    message.starts = child_args.executor->starts((*child_args.steps)[step]);
  }
  if (child_args.report != nullptr) {
    *child_args.report = message;
    return;
  }
  if (::write(child_args.pipe, &message, sizeof(message)) != sizeof(message)) sys_exit(lost);
}

bool caller_is_gone(const ChildArgs& child_args) {
  pollfd pipe{.fd = child_args.pipe, .events = 0, .revents = 0};
  return ::poll(&pipe, 1, 0) == 1 && (pipe.revents & POLLERR) != 0;
}

// Until the caller says go; the process ends if he never will.
void wait_release(const ChildArgs& child_args) {
  const timespec limit{.tv_sec = 0, .tv_nsec = 100'000'000};
  while (child_args.go->exchange(0) == 0) {
    kernel::sys_futex_wait(*child_args.go, 0, &limit);
    if (child_args.go->load() == 0 && caller_is_gone(child_args)) sys_exit(lost);
  }
}

// Stands still, so that the caller can look at it, until it is killed; unless he can't.
[[noreturn]] void refuse(const ChildArgs& child_args, ChildMessage::Kind kind, std::size_t step, int error) {
  tell(child_args, kind, step, error);
  if (child_args.report == nullptr) wait_release(child_args);
  sys_exit(lost);
}

void reset_handlers() {
  for (int number = 1; number < SIGRTMAX; ++number) {
    struct sigaction action {};
    if (::sigaction(number, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) continue;
    action.sa_handler = SIG_DFL;
    action.sa_flags = 0;
    ::sigaction(number, &action, nullptr);
  }
}

// The bare calls: the C library's would wait for the caller's other threads, which are not here.
int take_ids(const ChildArgs& child_args) {
  // EPERM where setgroups is denied, and then there is nothing to give up.
  ::syscall(SYS_setgroups, 0, nullptr);
  if (::syscall(SYS_setresgid, child_args.gid, child_args.gid, child_args.gid) != 0) return errno;
  if (::syscall(SYS_setresuid, child_args.uid, child_args.uid, child_args.uid) != 0) return errno;
  // A change of ids may have made its files in /proc somebody else's.
  return sys_prctl(PR_SET_DUMPABLE, 1) == 0 ? 0 : errno;
}

// From here on the death of the caller is the end. Not earlier: a switch that has begun comes to
// its end, and leaves no directory behind. The caller may be dead already, and no signal comes for
// that.
void tie_to_caller(const ChildArgs& child_args) {
  if (!child_args.die_with_caller) return;
  sys_prctl(PR_SET_PDEATHSIG, SIGKILL);
  const bool orphan = !child_args.pid_namespace && ::syscall(SYS_getppid) != child_args.caller;
  if (orphan || (child_args.pid_namespace && caller_is_gone(child_args))) sys_exit(lost);
}

// --- what the command does not have --------------------------------------------------------------

void close_on_exec(const ChildArgs& child_args) {
  unsigned first = 3;
  for (const int kept : child_args.keep_descriptors) {
    const auto fd = static_cast<unsigned>(kept);
    if (fd > first) ::syscall(SYS_close_range, first, fd - 1, CLOSE_RANGE_CLOEXEC);
    const int flags = ::fcntl(kept, F_GETFD);
    if (flags >= 0) ::fcntl(kept, F_SETFD, flags & ~FD_CLOEXEC);
    first = fd + 1;
  }
  ::syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC);
}

int drop_from_every_set(std::uint64_t dropped) {
  if (dropped == 0) return 0;
  // The bounding set first, as that takes CAP_SETPCAP; EINVAL: the kernel has no more of them.
  for (unsigned number = 0; number < 64; ++number) {
    if ((dropped >> number & 1) == 0) continue;
    if (sys_prctl(PR_CAPBSET_DROP, number) == 0 || errno == EINVAL) continue;
    // Whoever may not, and is not root, has none to regain by exec.
    if (errno != EPERM || ::geteuid() == 0) return errno;
  }
  return kernel::drop_capabilities(dropped);
}

int drop_privileges(const ChildArgs& child_args) {
  close_on_exec(child_args);
  if (const int error = drop_from_every_set(child_args.dropped_capabilities)) return error;
  if (child_args.no_new_privileges && sys_prctl(PR_SET_NO_NEW_PRIVS, 1) != 0) return errno;
  // Before seccomp, whose program need not allow it; and last, as the command's signals come now.
  sys_set_signal_mask(child_args.mask);
  if (child_args.seccomp.len == 0) return 0;
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &child_args.seccomp) == 0 ? 0 : errno;
}

int execute(const ChildArgs& child_args) {
  int error = ENOENT;
  for (char* const path : child_args.paths) {
    ::execve(path, child_args.arguments, child_args.environment);
    // As execvp has it: look further where it is not, and remember one that may not be run.
    if (errno != ENOENT && errno != ENOTDIR) error = errno;
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) break;
  }
  return error;
}

// --- init ----------------------------------------------------------------------------------------

// All signals are blocked since before the clone. When init ends, the kernel kills the rest.
[[noreturn]] void run_init(const ChildArgs& child_args, pid_t command) {
  tell(child_args, ChildMessage::Kind::started, 0, 0);
  // A daemon's reader sees the end of its pipe though init lives on; so init has no descriptor but
  // one.
  const auto kept = static_cast<unsigned>(child_args.pipe);
  if (kept > 0) ::syscall(SYS_close_range, 0U, kept - 1, 0U);
  ::syscall(SYS_close_range, kept + 1, ~0U, 0U);
  sigset_t all{};
  ::sigfillset(&all);
  for (;;) {
    siginfo_t info{};
    const int number = ::sigwaitinfo(&all, &info);
    if (number < 0) continue;
    if (number != SIGCHLD) {
      // Those of a terminal reach the command by themselves.
      if (info.si_code <= 0) ::kill(command, number);
      continue;
    }
    int status = 0;
    pid_t gone = 0;
    while ((gone = ::waitpid(-1, &status, WNOHANG)) > 0) {
      if (gone != command) continue;
      tell(child_args, ChildMessage::Kind::ended, 0, status);
      sys_exit(0);
    }
  }
}

[[noreturn]] void perform_from(const ChildArgs& child_args, std::size_t first);

// The command of a PID namespace, from the step on that confines it. Init stands still until exec.
struct PidNsCommand {
  const ChildArgs& child_args;
  std::size_t step;
};

[[noreturn]] void run_command(const PidNsCommand& self) {
  if (const int error = drop_privileges(self.child_args)) {
    refuse(self.child_args, ChildMessage::Kind::refused, self.step, error);
  }
  perform_from(self.child_args, self.step + 1);
}

pid_t start_command(PidNsCommand& command) {
  alignas(16) static std::byte stack[child_stack_size];  // in this process's own copy
  clone_args args{};
  args.flags = CLONE_VM | CLONE_VFORK;
  args.exit_signal = SIGCHLD;
  args.stack = reinterpret_cast<std::uintptr_t>(stack);
  args.stack_size = sizeof(stack);
  const auto begin = [](void* its) { run_command(*static_cast<PidNsCommand*>(its)); };
  // One that is to have fewer capabilities than init shares no memory with it.
  if (command.child_args.dropped_capabilities == 0) {
    const pid_t pid = kernel::sys_clone3_on_stack(args, begin, &command);
    if (pid > 0 || errno != ENOSYS) return pid;
  }
  const pid_t pid = kernel::sys_fork(CLONE_VFORK | SIGCHLD);
  if (pid == 0) run_command(command);
  return pid;
}

// The process that will be the command: itself, or in a PID namespace a child of init.
int become_command(const ChildArgs& child_args, std::size_t index) {
  tie_to_caller(child_args);
  if (!child_args.pid_namespace) return drop_privileges(child_args);
  PidNsCommand command{child_args, index};
  const pid_t pid = start_command(command);
  if (pid < 0) return errno;
  run_init(child_args, pid);
}

// A new PID namespace in the middle of the steps: the rest is done by a new process, its first,
// which becomes a child of the caller's as this one was.
int fork_pid_ns_init(const ChildArgs& child_args) {
  const pid_t next = kernel::sys_fork(CLONE_NEWPID | CLONE_PARENT | SIGCHLD);
  if (next < 0) return errno;
  if (next > 0) {
    tell(child_args, ChildMessage::Kind::reparented, 0, next);
    sys_exit(0);
  }
  wait_release(child_args);
  return 0;
}

int enter_user_namespace(const ChildArgs& child_args) {
  if (::setns(child_args.user_namespace, CLONE_NEWUSER) != 0) return errno;
  return take_ids(child_args);
}

struct Launcher {
  const ChildArgs& child_args;
  std::size_t index;

  int operator()(const strategy::NewPidNamespace&) const { return fork_pid_ns_init(child_args); }
  int operator()(const strategy::MapIds&) const {
    wait_release(child_args);
    return take_ids(child_args);
  }
  int operator()(const strategy::KeepNamespace&) const {
    tell(child_args, ChildMessage::Kind::keep, index, 0);
    wait_release(child_args);
    return 0;
  }
  int operator()(const strategy::DropPrivileges&) const {
    return become_command(child_args, index);
  }
  int operator()(const strategy::Execute&) const { return execute(child_args); }
  int operator()(const Op&) const { return enter_user_namespace(child_args); }
  int operator()(const auto&) const { return ENOTSUP; }  // needs_launcher() names no other
};

int perform(const ChildArgs& child_args, std::size_t index) {
  const strategy::SwitchStep& step = (*child_args.steps)[index];
  if (!needs_launcher(step)) return child_args.executor->perform(step);
  return std::visit(Launcher{child_args, index}, step.action);
}

void perform_from(const ChildArgs& child_args, std::size_t first) {
  const strategy::Steps& steps = *child_args.steps;
  for (std::size_t i = first; i < steps.size(); ++i) {
    const int error = perform(child_args, i);
    if (error == 0) continue;
    const bool executed = std::holds_alternative<strategy::Execute>(steps[i].action);
    refuse(child_args, executed ? ChildMessage::Kind::exec_refused : ChildMessage::Kind::refused, i, error);
  }
  sys_exit(0);  // steps without a command: a preparation
}

}  // namespace

void run_child(const ChildArgs& child_args) {
  if (child_args.callers_pipe >= 0) ::close(child_args.callers_pipe);
  if (child_args.reset_handlers) reset_handlers();
  perform_from(child_args, child_args.first_step);
}

}  // namespace pivotcheck::rootswitch
