// SPDX-License-Identifier: Apache-2.0
// launch.cc: see launch.h. ParentProtocol is the talk with one child.
#include "switch/launch.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>

#include "base/check.h"
#include "syscalls/syscalls.h"
#include "switch/id_maps.h"
#include "switch/refusal.h"

namespace pivotcheck::rootswitch {
namespace {

// All signals are blocked around the clone, so that no handler of the caller's runs in the child.
class BlockSignals {
 public:
  BlockSignals() {
    sigset_t all{};
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockSignals(const BlockSignals&) = delete;
  BlockSignals& operator=(const BlockSignals&) = delete;
  [[nodiscard]] const sigset_t& before() const { return before_; }

 private:
  sigset_t before_{};
};

// The steps at the front that a clone does by itself, and its flags for them.
unsigned long flags_of_clone(const strategy::Steps& steps, std::size_t& count) {
  unsigned long flags = 0;
  for (count = 0; count < steps.size(); ++count) {
    const strategy::Action& action = steps[count].action;
    const auto* op = std::get_if<Op>(&action);
    const auto* unshare = op == nullptr ? nullptr : std::get_if<Unshare>(op);
    if (std::holds_alternative<strategy::NewPidNamespace>(action)) {
      flags |= CLONE_NEWPID;
    } else if (unshare != nullptr && unshare->kinds.has(NamespaceKind::user)) {
      flags |= CLONE_NEWUSER;
    } else {
      break;
    }
  }
  return flags;
}

// Returns twice, as fork does; in the child it does not.
pid_t clone_child(unsigned long flags, ChildArgs& child_args, UniqueFd& pidfd) {
  int fd = -1;
  clone_args args{};
  args.flags = flags | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
  args.pidfd = reinterpret_cast<std::uintptr_t>(&fd);
  args.exit_signal = SIGCHLD;
  pid_t pid = kernel::sys_clone3(args);
  if (pid < 0 && errno == ENOSYS) {  // hidden by somebody's seccomp program
    child_args.reset_handlers = true;
    pid = kernel::sys_fork(flags | SIGCHLD);
    if (pid > 0) fd = kernel::sys_pidfd_open(pid);
  }
  if (pid == 0) run_child(child_args);
  pidfd.reset(fd);
  return pid;
}

// The same in the caller's memory, while he stands still (may_share_memory): no page of his is
// copied, which is most of what a fork costs. With a stack of its own and handlers reset by the
// clone; or, where that is not to be had, by vfork.
[[gnu::noinline]] pid_t vfork_child(ChildArgs& child_args) {
  child_args.reset_handlers = true;
  const pid_t pid = ::vfork();
  if (pid == 0) run_child(child_args);
  return pid;
}

pid_t clone_in_our_memory(ChildArgs& child_args, UniqueFd& pidfd) {
  const auto stack = std::make_unique_for_overwrite<std::byte[]>(child_stack_size);
  int fd = -1;
  clone_args args{};
  args.flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
  args.pidfd = reinterpret_cast<std::uintptr_t>(&fd);
  args.exit_signal = SIGCHLD;
  args.stack = reinterpret_cast<std::uintptr_t>(stack.get());
  args.stack_size = child_stack_size;
  const auto begin = [](void* its) { run_child(*static_cast<ChildArgs*>(its)); };
  pid_t pid = kernel::sys_clone3_on_stack(args, begin, &child_args);
  if (pid < 0 && errno == ENOSYS) {
    pid = vfork_child(child_args);
    if (pid > 0) fd = kernel::sys_pidfd_open(pid);
  }
  pidfd.reset(fd);
  return pid;
}

// Only a child that is, until exec, what the caller is. Whoever may trace one that has fewer
// capabilities, or is in a user namespace of his, could write to the caller's memory through it.
bool may_share_memory(const ChildArgs& child_args, const strategy::Steps& steps) {
  return !child_args.pid_namespace && child_args.dropped_capabilities == 0 &&
         std::ranges::none_of(steps, [](const strategy::SwitchStep& step) {
           return needs_launcher(step) && !std::holds_alternative<strategy::DropPrivileges>(step.action) &&
                  !std::holds_alternative<strategy::Execute>(step.action);
         });
}

void reap(pid_t pid) {
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

SwitchFailure exec_refusal(int error) {
  const bool missing = error == ENOENT || error == ENOTDIR;
  SwitchFailure failure;
  failure.kind = missing ? SwitchFailure::Kind::not_found : SwitchFailure::Kind::not_executable;
  failure.step = "exec";
  failure.error = error;
  failure.message = error_text(error);
  return failure;
}

class ParentProtocol {
 public:
  ParentProtocol(const LaunchRequest& job, int pipe, Launched& child, const sigset_t& mask)
      : job_(job), pipe_(pipe), child_(child), mask_(mask) {}

  // Until the child has started its command, or ended; or says no. `waits_for_maps`: it does
  // nothing else before.
  std::optional<SwitchFailure> run(bool waits_for_maps) {
    if (waits_for_maps) {
      if (auto failure = write_maps()) return failure;
    }
    while (const auto message = receive()) {
      if (message->kind == Kind::started) break;
      auto failure = answer(*message);
      if (failure) return failure;
    }
    return {};
  }

 private:
  using Kind = ChildMessage::Kind;
  using Failed = std::optional<SwitchFailure>;

  // Nothing at the end of file.
  [[nodiscard]] std::optional<ChildMessage> receive() const {
    ChildMessage message;
    for (;;) {
      const ssize_t size = ::read(pipe_, &message, sizeof(message));
      if (size == sizeof(message)) return message;
      if (size >= 0 || errno != EINTR) return std::nullopt;
    }
  }

  Failed go() {
    *job_.go = 1;
    kernel::sys_futex_wake_all(*job_.go);
    return {};  // if the child is gone, what it says next is the end of file
  }

  Failed answer(const ChildMessage& message) {
    const strategy::SwitchStep& step = job_.steps[static_cast<std::size_t>(message.step)];
    switch (message.kind) {
      case Kind::reparented: return follow(message.value);
      case Kind::keep: return keep(std::get<strategy::KeepNamespace>(step.action).name);
      case Kind::refused:
        return refusal({child_.pid, message.starts}, step, message.value, job_.options);
      case Kind::exec_refused: return exec_refusal(message.value);
      case Kind::none:
      case Kind::started:
      case Kind::ended: break;
    }
    return {};
  }

  Failed write_maps() {
    Failed failure = write_id_maps(child_.pid, job_.options, mask_);
    return failure ? failure : go();
  }

  Failed follow(pid_t next) {
    reap(child_.pid);
    child_.pid = next;
    child_.pidfd.reset(kernel::sys_pidfd_open(next));
    return go();
  }

  Failed keep(const TaskName& name) {
    const std::string folder = "/proc/" + std::to_string(child_.pid) + "/ns/";
    const bool copy = name.text == "C";
    UniqueFd& mounts = copy ? job_.kept->copy : job_.kept->template_;
    mounts.reset(::open((folder + "mnt").c_str(), O_RDONLY | O_CLOEXEC));
    if (copy) job_.kept->user.reset(::open((folder + "user").c_str(), O_RDONLY | O_CLOEXEC));
    if (mounts && (!copy || job_.kept->user)) return go();
    return refused_before("opening " + folder + ": " + error_text(errno), errno);
  }

  const LaunchRequest& job_;
  int pipe_;
  Launched& child_;
  const sigset_t& mask_;
};

Switched<Launched> launch_in_its_own_memory(const LaunchRequest& job, ChildArgs& child_args) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    const int error = errno;
    return std::unexpected(refused_before("pipe: " + error_text(error), error));
  }
  UniqueFd ours(ends[0]);
  UniqueFd its(ends[1]);
  const BlockSignals blocked;
  if (!child_args.has_mask) child_args.mask = blocked.before();
  *job.go = 0;
  child_args.go = &*job.go;
  child_args.pipe = its.get();
  child_args.callers_pipe = ours.get();
  const unsigned long flags = flags_of_clone(job.steps, child_args.first_step);
  const bool maps = (flags & CLONE_NEWUSER) != 0;
  PIVOTCHECK_CHECK(!maps || std::holds_alternative<strategy::MapIds>(
                                job.steps[child_args.first_step].action));
  Launched child;
  child.pid = clone_child(flags, child_args, child.pidfd);
  if (child.pid < 0) {
    return std::unexpected(refusal({}, job.steps.front(), errno, job.options));
  }
  its.reset();
  auto failure = ParentProtocol(job, ours.get(), child, blocked.before()).run(maps);
  if (!failure && job.kept == nullptr) {
    if (child_args.pid_namespace) child.ended = std::move(ours);
    return child;
  }
  kill_and_reap(child.pid, child.pidfd.get());
  if (!failure) return Launched{};
  return std::unexpected(*std::move(failure));
}

// Nothing: refused, and gone before it could be looked at. Once more, then, with a child of which
// that can be done.
std::optional<Switched<Launched>> launch_in_our_memory(const LaunchRequest& job, ChildArgs& child_args) {
  ChildMessage report;
  const BlockSignals blocked;
  if (!child_args.has_mask) child_args.mask = blocked.before();
  child_args.report = &report;
  Launched child;
  child.pid = clone_in_our_memory(child_args, child.pidfd);
  child_args.report = nullptr;
  job.executor.forget();
  if (child.pid < 0) {
    return std::unexpected(refusal({}, job.steps.front(), errno, job.options));
  }
  if (report.kind == ChildMessage::Kind::none) return child;
  reap(child.pid);
  if (report.kind == ChildMessage::Kind::refused) return std::nullopt;
  return std::unexpected(exec_refusal(report.value));
}

}  // namespace

SharedFutex::SharedFutex() {
  void* page = ::mmap(nullptr, sizeof(*word_), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                      -1, 0);
  if (page == MAP_FAILED) throw std::bad_alloc();
  word_ = new (page) std::atomic<std::uint32_t>(0);
}
SharedFutex::~SharedFutex() { ::munmap(word_, sizeof(*word_)); }

void kill_and_reap(pid_t pid, int pidfd) {
  kernel::sys_pidfd_send_signal(pidfd, SIGKILL);
  reap(pid);
}

Switched<Launched> launch(const LaunchRequest& job, ChildArgs& child_args) {
  child_args.steps = &job.steps;
  child_args.caller = ::getpid();
  child_args.executor = &job.executor;
  if (job.lent != nullptr) {
    job.executor.bind_namespace("C", job.lent->copy.get());
    job.executor.bind_namespace("T", job.lent->template_.get());
    child_args.user_namespace = job.lent->user.get();
  }
  if (may_share_memory(child_args, job.steps)) {
    auto launched = launch_in_our_memory(job, child_args);
    if (launched) return *std::move(launched);
    ::rmdir(job.put_old.c_str());
  }
  return launch_in_its_own_memory(job, child_args);
}

}  // namespace pivotcheck::rootswitch
