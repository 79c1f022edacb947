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

void tell(const Script& script, Message::Kind kind, std::size_t step, int value) {
  Message message{kind, static_cast<std::int32_t>(step), value};
  if (kind == Message::Kind::refused) {
    message.starts = script.performer->starts((*script.steps)[step]);
  }
  if (script.report != nullptr) {
    *script.report = message;
    return;
  }
  if (::write(script.pipe, &message, sizeof(message)) != sizeof(message)) sys_exit(lost);
}

bool caller_is_gone(const Script& script) {
  pollfd pipe{.fd = script.pipe, .events = 0, .revents = 0};
  return ::poll(&pipe, 1, 0) == 1 && (pipe.revents & POLLERR) != 0;
}

// Until the caller says go; the process ends if he never will.
void listen(const Script& script) {
  const timespec limit{.tv_sec = 0, .tv_nsec = 100'000'000};
  while (script.go->exchange(0) == 0) {
    kernel::sys_futex_wait(*script.go, 0, &limit);
    if (script.go->load() == 0 && caller_is_gone(script)) sys_exit(lost);
  }
}

// Stands still, so that the caller can look at it, until it is killed; unless he can't.
[[noreturn]] void refuse(const Script& script, Message::Kind kind, std::size_t step, int error) {
  tell(script, kind, step, error);
  if (script.report == nullptr) listen(script);
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
int take_ids(const Script& script) {
  // EPERM where setgroups is denied, and then there is nothing to give up.
  ::syscall(SYS_setgroups, 0, nullptr);
  if (::syscall(SYS_setresgid, script.gid, script.gid, script.gid) != 0) return errno;
  if (::syscall(SYS_setresuid, script.uid, script.uid, script.uid) != 0) return errno;
  // A change of ids may have made its files in /proc somebody else's.
  return sys_prctl(PR_SET_DUMPABLE, 1) == 0 ? 0 : errno;
}

// From here on the death of the caller is the end. Not earlier: a switch that has begun comes to
// its end, and leaves no directory behind. The caller may be dead already, and no signal comes for
// that.
void tie_to_caller(const Script& script) {
  if (!script.die_with_caller) return;
  sys_prctl(PR_SET_PDEATHSIG, SIGKILL);
  const bool orphan = !script.pid_namespace && ::syscall(SYS_getppid) != script.caller;
  if (orphan || (script.pid_namespace && caller_is_gone(script))) sys_exit(lost);
}

// --- what the command does not have --------------------------------------------------------------

void close_on_exec(const Script& script) {
  unsigned first = 3;
  for (const int kept : script.keep_descriptors) {
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

int confine(const Script& script) {
  close_on_exec(script);
  if (const int error = drop_from_every_set(script.dropped_capabilities)) return error;
  if (script.no_new_privileges && sys_prctl(PR_SET_NO_NEW_PRIVS, 1) != 0) return errno;
  // Before seccomp, whose program need not allow it; and last, as the command's signals come now.
  sys_set_signal_mask(script.mask);
  if (script.seccomp.len == 0) return 0;
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &script.seccomp) == 0 ? 0 : errno;
}

int execute(const Script& script) {
  int error = ENOENT;
  for (char* const path : script.paths) {
    ::execve(path, script.arguments, script.environment);
    // As execvp has it: look further where it is not, and remember one that may not be run.
    if (errno != ENOENT && errno != ENOTDIR) error = errno;
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) break;
  }
  return error;
}

// --- init ----------------------------------------------------------------------------------------

// All signals are blocked since before the clone. When init ends, the kernel kills the rest.
[[noreturn]] void run_init(const Script& script, pid_t command) {
  tell(script, Message::Kind::started, 0, 0);
  // A daemon's reader sees the end of its pipe though init lives on; so init has no descriptor but
  // one.
  const auto kept = static_cast<unsigned>(script.pipe);
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
      tell(script, Message::Kind::ended, 0, status);
      sys_exit(0);
    }
  }
}

[[noreturn]] void perform_from(const Script& script, std::size_t first);

// The command of a PID namespace, from the step on that confines it. Init stands still until exec.
struct CommandOfInit {
  const Script& script;
  std::size_t step;
};

[[noreturn]] void run_command(const CommandOfInit& self) {
  if (const int error = confine(self.script)) {
    refuse(self.script, Message::Kind::refused, self.step, error);
  }
  perform_from(self.script, self.step + 1);
}

pid_t start_command(CommandOfInit& command) {
  alignas(16) static std::byte stack[child_stack_size];  // in this process's own copy
  clone_args args{};
  args.flags = CLONE_VM | CLONE_VFORK;
  args.exit_signal = SIGCHLD;
  args.stack = reinterpret_cast<std::uintptr_t>(stack);
  args.stack_size = sizeof(stack);
  const auto begin = [](void* its) { run_command(*static_cast<CommandOfInit*>(its)); };
  // One that is to have fewer capabilities than init shares no memory with it.
  if (command.script.dropped_capabilities == 0) {
    const pid_t pid = kernel::sys_clone3_on_stack(args, begin, &command);
    if (pid > 0 || errno != ENOSYS) return pid;
  }
  const pid_t pid = kernel::sys_fork(CLONE_VFORK | SIGCHLD);
  if (pid == 0) run_command(command);
  return pid;
}

// The process that will be the command: itself, or in a PID namespace a child of init.
int become_command(const Script& script, std::size_t index) {
  tie_to_caller(script);
  if (!script.pid_namespace) return confine(script);
  CommandOfInit command{script, index};
  const pid_t pid = start_command(command);
  if (pid < 0) return errno;
  run_init(script, pid);
}

// A new PID namespace in the middle of the steps: the rest is done by a new process, its first,
// which becomes a child of the caller's as this one was.
int hand_on(const Script& script) {
  const pid_t next = kernel::sys_fork(CLONE_NEWPID | CLONE_PARENT | SIGCHLD);
  if (next < 0) return errno;
  if (next > 0) {
    tell(script, Message::Kind::reparented, 0, next);
    sys_exit(0);
  }
  listen(script);
  return 0;
}

int enter_user_namespace(const Script& script) {
  if (::setns(script.user_namespace, CLONE_NEWUSER) != 0) return errno;
  return take_ids(script);
}

struct Launcher {
  const Script& script;
  std::size_t index;

  int operator()(const strategy::NewPidNamespace&) const { return hand_on(script); }
  int operator()(const strategy::MapIds&) const {
    listen(script);
    return take_ids(script);
  }
  int operator()(const strategy::KeepNamespace&) const {
    tell(script, Message::Kind::keep, index, 0);
    listen(script);
    return 0;
  }
  int operator()(const strategy::Confine&) const {
    return become_command(script, index);
  }
  int operator()(const strategy::Execute&) const { return execute(script); }
  int operator()(const Op&) const { return enter_user_namespace(script); }
  int operator()(const auto&) const { return ENOTSUP; }  // needs_launcher() names no other
};

int perform(const Script& script, std::size_t index) {
  const strategy::Step& step = (*script.steps)[index];
  if (!needs_launcher(step)) return script.performer->perform(step);
  return std::visit(Launcher{script, index}, step.action);
}

void perform_from(const Script& script, std::size_t first) {
  const strategy::Steps& steps = *script.steps;
  for (std::size_t i = first; i < steps.size(); ++i) {
    const int error = perform(script, i);
    if (error == 0) continue;
    const bool executed = std::holds_alternative<strategy::Execute>(steps[i].action);
    refuse(script, executed ? Message::Kind::exec_refused : Message::Kind::refused, i, error);
  }
  sys_exit(0);  // steps without a command: a preparation
}

}  // namespace

void run_child(const Script& script) {
  if (script.callers_pipe >= 0) ::close(script.callers_pipe);
  if (script.reset_handlers) reset_handlers();
  perform_from(script, script.first_step);
}

}  // namespace pivotcheck::rootswitch
