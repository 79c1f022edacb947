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
#include "switch/clone.h"
#include "switch/confine.h"
#include "switch/init_process.h"
#include "switch/lock_mounts.h"
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

void send(const ChildArgs& args, const ChildMessage& message) {
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
[[noreturn]] void refuse(const ChildArgs& args, const ChildMessage& message) {
  send(args, message);
  if (args.report == nullptr) wait_release(args);
  sys_exit(lost);
}

// Bare calls: the C library's would wait for the caller's other threads, which are not here.
int take_ids(const ChildArgs& args) {
  // Where setgroups is denied, EPERM: the groups stay.
  ::syscall(SYS_setgroups, 0, nullptr);
  const gid_t gid = id_inside(args.options.gid_map);
  if (::syscall(SYS_setresgid, gid, gid, gid) != 0) return errno;
  const uid_t uid = id_inside(args.options.uid_map);
  if (::syscall(SYS_setresuid, uid, uid, uid) != 0) return errno;
  // A filter of somebody's may have said that it was done; and 65534 is what an id is called that is
  // not mapped. This one is never mapped, unless somebody gives away all ids.
  constexpr uid_t unmapped = 0xfffffffe;
  if (::syscall(SYS_getuid) != uid || ::syscall(SYS_getgid) != gid) return EPERM;
  if (args.options.confine && (::syscall(SYS_setresuid, -1, unmapped, -1) == 0 ||
                               ::syscall(SYS_setresgid, -1, unmapped, -1) == 0)) {
    return EPERM;
  }
  // A change of ids may have made the process non-dumpable, and its files in /proc root's.
  return sys_prctl(PR_SET_DUMPABLE, 1) == 0 ? 0 : errno;
}

// From now on the child dies with its caller. Not earlier, because a switch that was interrupted in
// its steps would leave a directory. If the caller is dead already, no signal comes, so the child
// looks: at its parent's number, or, because that is always 0 in a PID namespace of its own, at the
// pipe.
void tie_to_caller(const ChildArgs& args) {
  if (!args.options.die_with_caller) return;
  sys_prctl(PR_SET_PDEATHSIG, SIGKILL);
  const bool orphan = args.init >= 0 ? caller_is_gone(args) : ::syscall(SYS_getppid) != args.caller;
  if (orphan) sys_exit(lost);
}

// The file shows and changes the limit of the opener's user namespace (namespaces(7)).
int forbid_user_namespaces(int proc) {
  constexpr const char* file = "sys/user/max_user_namespaces";
  const UniqueFd setting(
      static_cast<int>(::syscall(SYS_openat, proc, file, O_WRONLY | O_CLOEXEC)));
  return setting && ::syscall(SYS_write, setting.get(), "0", 1) == 1 ? 0 : errno;
}

// --- what the command loses ----------------------------------------------------------------------

// A descriptor of the switch itself, whose number the caller asked to keep: it would lead out.
bool is_ours(const ChildArgs& args, int fd) {
  const TemplateNamespaces& entered = args.entered;
  const std::array ours{args.root, entered.root.get(), entered.user.get(), entered.copy.get(),
                        entered.template_.get(), args.init_image, args.init, args.init_channel,
                        args.pipe, args.proc};
  return std::ranges::find(ours, fd) != ours.end();
}

// 0, or the errno for which it can't be said that nothing is left open.
int close_on_exec(const ChildArgs& args) {
  unsigned first = 3;
  for (const int kept : args.options.keep_descriptors) {
    if (is_ours(args, kept)) continue;
    const auto fd = static_cast<unsigned>(kept);
    if (fd > first && ::syscall(SYS_close_range, first, fd - 1, CLOSE_RANGE_CLOEXEC) != 0) {
      return errno;
    }
    const int flags = ::fcntl(kept, F_GETFD);
    if (flags >= 0) ::fcntl(kept, F_SETFD, flags & ~FD_CLOEXEC);
    first = fd + 1;
  }
  return ::syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC) == 0 ? 0 : errno;
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
  if (const int error = close_on_exec(args)) return error;
  if (const int error = drop_from_every_set(args.options.dropped_capabilities)) return error;
  if (args.options.no_new_privileges && sys_prctl(PR_SET_NO_NEW_PRIVS, 1) != 0) return errno;
  if (!args.stage.empty() && ::fcntl(args.pipe, F_SETFD, 0) != 0) return errno;
  return 0;
}

int load_filters(const ChildArgs& args) {
  auto& in_danger = args.prepared.released.in_danger();
  for (const auto& program : args.options.seccomp_programs) {
    ++in_danger;
    const sock_fprog filter = filter_of(program);
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) return errno;
  }
  in_danger = 0;
  return 0;
}

int execute(const ChildArgs& args) {
  if (!args.stage.empty()) {
    ::syscall(SYS_execveat, args.init_image, "", args.stage.data(), args.environment,
              AT_EMPTY_PATH);
    return errno;
  }
  int error = ENOENT;
  for (char* const path : args.paths) {
    ::execve(path, args.arguments, args.environment);
    // As execvp does: try the next path if nothing is there; EACCES counts if all others fail.
    if (errno != ENOENT && errno != ENOTDIR) error = errno;
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) break;
  }
  return error;
}

// --- the init of a PID namespace -----------------------------------------------------------------

void bring_init(const ChildArgs& args, std::size_t index) {
  auto& in_danger = args.prepared.released.in_danger();
  in_danger = SharedFutex::confining_init;  // the end of init ends this process as well
  if (const auto here = bring_init_here(args.init_channel); !here) {
    refuse(args, {ChildMessage::Kind::init_refused, static_cast<std::int32_t>(index),
                  here.error().error, {here.error().what, -1}});
  }
  in_danger = 0;
}

int become_command(const ChildArgs& args, std::size_t index) {
  tie_to_caller(args);
  if (args.init >= 0) bring_init(args, index);
  if (const int error = drop_privileges(args)) return error;
  // Before seccomp, whose filter need not allow the call; otherwise as late as possible, because
  // signals for the command arrive from now on.
  sys_set_signal_mask(args.mask != nullptr ? *args.mask : args.callers_mask);
  return load_filters(args);
}

int enter_user_namespace(const ChildArgs& args) {
  if (::setns(args.entered.user.get(), CLONE_NEWUSER) != 0) return errno;
  return take_ids(args);
}

bool enters_namespaces_of_init(const strategy::SwitchStep& step) {
  return std::holds_alternative<strategy::NewPidNamespace>(step.action) ||
         std::holds_alternative<strategy::MapIds>(step.action) || enters_user_namespace(step);
}

int perform(const ChildArgs& args, std::size_t index) {
  const strategy::SwitchStep& step = args.prepared.steps[index];
  // With init, they were entered before the child was made.
  const bool entered = args.init >= 0 && enters_namespaces_of_init(step);
  if (entered) return 0;
  if (enters_user_namespace(step)) return enter_user_namespace(args);
  return std::visit(
      Overloaded{
          [&](const strategy::NewPidNamespace&) { return ENOTSUP; },
          [&](const strategy::MapIds&) {
            wait_release(args);
            return take_ids(args);
          },
          [&](const strategy::KeepNamespace&) {
            send(args, {ChildMessage::Kind::keep, static_cast<std::int32_t>(index)});
            wait_release(args);
            return 0;
          },
          [&](const strategy::LockMounts&) {
            args.prepared.released.not_locked() = static_cast<std::uint32_t>(lock_mounts(args.proc));
            return 0;
          },
          [&](const strategy::ForbidUserNamespaces&) { return forbid_user_namespaces(args.proc); },
          [&](const strategy::DropPrivileges&) { return become_command(args, index); },
          [&](const strategy::Execute&) { return execute(args); },
          [&]<class Action>(const Action&) requires(!AboutProcesses<Action>) {
            return args.prepared.executor.perform(step);
          },
      },
      step.action);
}

[[noreturn]] void perform_from(const ChildArgs& args, std::size_t first) {
  const strategy::Steps& steps = args.prepared.steps;
  if (args.options.confine) {
    const int call = pretended_call();
    if (call >= 0) refuse(args, {ChildMessage::Kind::deceived, 0, 0, {call, -1}});
  }
  for (std::size_t i = first; i < steps.size(); ++i) {
    const int error = perform(args, i);
    if (error == 0) continue;
    const bool executed = std::holds_alternative<strategy::Execute>(steps[i].action);
    refuse(args, {executed ? ChildMessage::Kind::exec_refused : ChildMessage::Kind::refused,
                  static_cast<std::int32_t>(i), error, args.prepared.executor.starts(steps[i])});
  }
  sys_exit(0);  // the preparation of `template`: no command
}

[[noreturn]] void take_ids_and_perform(const ChildArgs& args) {
  if ((args.init_has & CLONE_NEWUSER) != 0) {
    if (const int error = take_ids(args)) refuse(args, {ChildMessage::Kind::refused, 0, error});
  }
  perform_from(args, args.first_step);
}

}  // namespace

std::uint32_t id_inside(const std::vector<IdRange>& map) {
  const bool has_zero = std::ranges::any_of(map, [](const IdRange& r) { return r.inside == 0; });
  return map.empty() || has_zero ? 0 : map.front().inside;
}

void SharedFutex::share() {
  if (page_ != &own_) return;
  void* page =
      ::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) throw std::bad_alloc();
  page_ = new (page) Page;
}

SharedFutex::~SharedFutex() {
  if (page_ != &own_) ::munmap(page_, sizeof(Page));
}

void SharedFutex::release() {
  page_->word = 1;
  kernel::sys_futex_wake_all(page_->word);
}

bool SharedFutex::wait() {
  const timespec limit{.tv_sec = 0, .tv_nsec = 100'000'000};
  if (page_->word.exchange(0) != 0) return true;
  kernel::sys_futex_wait(page_->word, 0, &limit);
  return page_->word.exchange(0) != 0;
}

void run_child(const ChildArgs& args) {
  // Only the caller may hold this end, or the child does not see the caller's death.
  if (args.callers_pipe >= 0) ::close(args.callers_pipe);
  take_ids_and_perform(args);
}

void run_usher(const ChildArgs& args) {
  // As in run_child(); while the usher still runs as well.
  ::close(args.callers_pipe);
  std::uint32_t& child = args.prepared.released.ushered();
  const ChildStart start{[](void* its) { take_ids_and_perform(*static_cast<ChildArgs*>(its)); },
                         const_cast<ChildArgs*>(&args)};
  if (::setns(args.init, static_cast<int>(args.init_has)) != 0 || clone_sibling(start, child) < 0) {
    child = static_cast<std::uint32_t>(-errno);
  }
  sys_exit(0);
}

}  // namespace pivotcheck::rootswitch
