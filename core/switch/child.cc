// SPDX-License-Identifier: Apache-2.0
// child.cc: see child.h.
#include "switch/child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <ctime>
#include <new>

#include "syscalls/capabilities.h"
#include "syscalls/syscalls.h"
#include "switch/step_executor.h"

namespace pivotcheck::rootswitch {
namespace {

using kernel::sys_exit;

// Bare calls: each page of the C library that a child runs must be mapped for it.
long sys_prctl(int option, unsigned long value) {
  return ::syscall(SYS_prctl, option, value, 0UL, 0UL, 0UL);
}
void sys_set_signal_mask(const sigset_t& mask) {
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, nullptr, _NSIG / 8);
}

constexpr int lost = 125;  // the exit status of a child whose caller is gone

void send(const ChildArgs& args, ChildMessage::Kind kind, std::size_t step, int value) {
  ChildMessage message{kind, static_cast<std::int32_t>(step), value};
  if (kind == ChildMessage::Kind::refused) {
    message.starts = args.prepared.executor.starts(args.prepared.steps[step]);
  }
  if (args.report != nullptr) {
    *args.report = message;
    return;
  }
  if (::write(args.pipe, &message, sizeof(message)) != sizeof(message)) sys_exit(lost);
}

bool caller_is_gone(const ChildArgs& args) {
  pollfd pipe{.fd = args.pipe, .events = 0, .revents = 0};
  return ::poll(&pipe, 1, 0) == 1 && (pipe.revents & POLLERR) != 0;
}

// Exits if the caller ends first.
void wait_release(const ChildArgs& args) {
  while (!args.prepared.released.wait()) {
    if (caller_is_gone(args)) sys_exit(lost);
  }
}

// Stays as it is, so that the caller can look at it, until the caller kills it. With shared memory
// the caller can't look before the child exits.
[[noreturn]] void refuse(const ChildArgs& args, ChildMessage::Kind kind, std::size_t step,
                         int error) {
  send(args, kind, step, error);
  if (args.report == nullptr) wait_release(args);
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

// The id that the command gets in a user namespace: 0 if it is mapped, else the first of the map.
std::uint32_t id_inside(const std::vector<IdRange>& map) {
  const bool has_zero = std::ranges::any_of(map, [](const IdRange& r) { return r.inside == 0; });
  return map.empty() || has_zero ? 0 : map.front().inside;
}

// Bare calls: the C library's would wait for the caller's other threads, which are not here.
int take_ids(const ChildArgs& args) {
  // Where setgroups is denied, EPERM: the groups stay.
  ::syscall(SYS_setgroups, 0, nullptr);
  const gid_t gid = id_inside(args.options.gid_map);
  if (::syscall(SYS_setresgid, gid, gid, gid) != 0) return errno;
  const uid_t uid = id_inside(args.options.uid_map);
  if (::syscall(SYS_setresuid, uid, uid, uid) != 0) return errno;
  // A change of ids may have made the process non-dumpable, and its files in /proc root's.
  return sys_prctl(PR_SET_DUMPABLE, 1) == 0 ? 0 : errno;
}

// From now on the child dies with its caller. Not earlier: a switch that has begun completes, so
// that it leaves no directory behind. If the caller is dead already, no signal comes, so the
// child checks.
void tie_to_caller(const ChildArgs& args) {
  if (!args.options.die_with_caller) return;
  sys_prctl(PR_SET_PDEATHSIG, SIGKILL);
  const bool orphan = !args.pid_namespace && ::syscall(SYS_getppid) != args.caller;
  if (orphan || (args.pid_namespace && caller_is_gone(args))) sys_exit(lost);
}

// --- what the command loses ----------------------------------------------------------------------

void close_on_exec(const ChildArgs& args) {
  unsigned first = 3;
  for (const int kept : args.options.keep_descriptors) {
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
  // The bounding set first, because that takes CAP_SETPCAP. EINVAL: the kernel has no such one.
  for (unsigned number = 0; number < 64; ++number) {
    if ((dropped >> number & 1) == 0) continue;
    if (sys_prctl(PR_CAPBSET_DROP, number) == 0 || errno == EINVAL) continue;
    // Without CAP_SETPCAP, and not uid 0: exec can't regain any.
    if (errno != EPERM || ::geteuid() == 0) return errno;
  }
  return kernel::drop_capabilities(dropped);
}

int drop_privileges(const ChildArgs& args) {
  close_on_exec(args);
  if (const int error = drop_from_every_set(args.options.dropped_capabilities)) return error;
  if (args.options.no_new_privileges && sys_prctl(PR_SET_NO_NEW_PRIVS, 1) != 0) return errno;
  // Before seccomp, whose filter need not allow the call; otherwise as late as possible, because
  // signals for the command arrive from now on.
  sys_set_signal_mask(args.mask != nullptr ? *args.mask : args.callers_mask);
  const std::vector<std::uint64_t>& program = args.options.seccomp_program;
  if (program.empty()) return 0;
  static_assert(sizeof(sock_filter) == sizeof(program.front()));
  auto* const filter = const_cast<std::uint64_t*>(program.data());
  const sock_fprog all{static_cast<unsigned short>(program.size()),
                       reinterpret_cast<sock_filter*>(filter)};
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &all) == 0 ? 0 : errno;
}

int execute(const ChildArgs& args) {
  int error = ENOENT;
  for (char* const path : args.paths) {
    ::execve(path, args.arguments, args.environment);
    // As execvp does: try the next path if nothing is there; EACCES counts if all others fail.
    if (errno != ENOENT && errno != ENOTDIR) error = errno;
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) break;
  }
  return error;
}

// --- init ----------------------------------------------------------------------------------------

// All signals have been blocked since before the clone. When init ends, the kernel kills the rest.
[[noreturn]] void run_init(const ChildArgs& args, pid_t command) {
  send(args, ChildMessage::Kind::started, 0, 0);
  // Init keeps one descriptor only: a reader of the command's output must see its end although init
  // lives on.
  const auto kept = static_cast<unsigned>(args.pipe);
  if (kept > 0) ::syscall(SYS_close_range, 0U, kept - 1, 0U);
  ::syscall(SYS_close_range, kept + 1, ~0U, 0U);
  sigset_t all{};
  ::sigfillset(&all);
  for (;;) {
    siginfo_t info{};
    const int number = ::sigwaitinfo(&all, &info);
    if (number < 0) continue;
    if (number != SIGCHLD) {
      // A terminal's signals reach the command by themselves: it is in the same process group.
      if (info.si_code <= 0) ::kill(command, number);
      continue;
    }
    int status = 0;
    pid_t gone = 0;
    while ((gone = ::waitpid(-1, &status, WNOHANG)) > 0) {
      if (gone != command) continue;
      send(args, ChildMessage::Kind::ended, 0, status);
      sys_exit(0);
    }
  }
}

[[noreturn]] void perform_from(const ChildArgs& args, std::size_t first);

// The command of a PID namespace, from the step that drops privileges. Init is suspended until
// exec.
struct PidNsCommand {
  const ChildArgs& args;
  std::size_t step;
};

[[noreturn]] void run_command(const PidNsCommand& self) {
  if (const int error = drop_privileges(self.args)) {
    refuse(self.args, ChildMessage::Kind::refused, self.step, error);
  }
  perform_from(self.args, self.step + 1);
}

pid_t start_command(PidNsCommand& command) {
  alignas(16) static std::byte stack[child_stack_size];  // in this process's own copy
  clone_args args{};
  args.flags = CLONE_VM | CLONE_VFORK;
  args.exit_signal = SIGCHLD;
  args.stack = reinterpret_cast<std::uintptr_t>(stack);
  args.stack_size = sizeof(stack);
  const auto begin = [](void* its) { run_command(*static_cast<PidNsCommand*>(its)); };
  // A command with fewer capabilities than init shares no memory with it.
  if (command.args.options.dropped_capabilities == 0) {
    const pid_t pid = kernel::sys_clone3_on_stack(args, begin, &command);
    if (pid > 0 || errno != ENOSYS) return pid;
  }
  const pid_t pid = kernel::sys_fork(CLONE_VFORK | SIGCHLD);
  if (pid == 0) run_command(command);
  return pid;
}

// This process will be the command; in a PID namespace it becomes init, and its child the command.
int become_command(const ChildArgs& args, std::size_t index) {
  tie_to_caller(args);
  if (!args.pid_namespace) return drop_privileges(args);
  PidNsCommand command{args, index};
  const pid_t pid = start_command(command);
  if (pid < 0) return errno;
  run_init(args, pid);
}

// A new PID namespace in the middle of the steps: its first process does the rest, as a child of
// the caller in this one's place.
int fork_pid_ns_init(const ChildArgs& args) {
  const pid_t next = kernel::sys_fork(CLONE_NEWPID | CLONE_PARENT | SIGCHLD);
  if (next < 0) return errno;
  if (next > 0) {
    send(args, ChildMessage::Kind::reparented, 0, next);
    sys_exit(0);
  }
  wait_release(args);
  return 0;
}

int enter_user_namespace(const ChildArgs& args) {
  if (::setns(args.entered.user.get(), CLONE_NEWUSER) != 0) return errno;
  return take_ids(args);
}

int perform(const ChildArgs& args, std::size_t index) {
  const strategy::SwitchStep& step = args.prepared.steps[index];
  if (enters_user_namespace(step)) return enter_user_namespace(args);
  return std::visit(
      Overloaded{
          [&](const strategy::NewPidNamespace&) { return fork_pid_ns_init(args); },
          [&](const strategy::MapIds&) {
            wait_release(args);
            return take_ids(args);
          },
          [&](const strategy::KeepNamespace&) {
            send(args, ChildMessage::Kind::keep, index, 0);
            wait_release(args);
            return 0;
          },
          [&](const strategy::DropPrivileges&) { return become_command(args, index); },
          [&](const strategy::Execute&) { return execute(args); },
          [&]<class Action>(const Action&) requires(!AboutProcesses<Action>) {
            return args.prepared.executor.perform(step);
          },
      },
      step.action);
}

void perform_from(const ChildArgs& args, std::size_t first) {
  const strategy::Steps& steps = args.prepared.steps;
  for (std::size_t i = first; i < steps.size(); ++i) {
    const int error = perform(args, i);
    if (error == 0) continue;
    const bool executed = std::holds_alternative<strategy::Execute>(steps[i].action);
    refuse(args, executed ? ChildMessage::Kind::exec_refused : ChildMessage::Kind::refused, i,
           error);
  }
  sys_exit(0);  // the preparation of `template`: no command
}

}  // namespace

SharedFutex::SharedFutex() {
  void* page = ::mmap(nullptr, sizeof(*word_), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                      -1, 0);
  if (page == MAP_FAILED) throw std::bad_alloc();
  word_ = new (page) std::atomic<std::uint32_t>(0);
}

SharedFutex::~SharedFutex() { ::munmap(word_, sizeof(*word_)); }

void SharedFutex::release() {
  *word_ = 1;
  kernel::sys_futex_wake_all(*word_);
}

bool SharedFutex::wait() {
  const timespec limit{.tv_sec = 0, .tv_nsec = 100'000'000};
  if (word_->exchange(0) != 0) return true;
  kernel::sys_futex_wait(*word_, 0, &limit);
  return word_->exchange(0) != 0;
}

void run_child(const ChildArgs& args) {
  if (args.callers_pipe >= 0) ::close(args.callers_pipe);
  if (args.reset_handlers) reset_handlers();
  perform_from(args, args.first_step);
}

}  // namespace pivotcheck::rootswitch
