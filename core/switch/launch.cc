// SPDX-License-Identifier: Apache-2.0
// launch.cc: see launch.h. ParentProtocol answers the messages of one child.
#include "switch/launch.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <memory>
#include <optional>

#include "base/check.h"
#include "syscalls/syscalls.h"
#include "switch/id_maps.h"
#include "switch/refusal.h"

namespace pivotcheck::rootswitch {
namespace {

// Blocks all signals around the clone, so that no handler of the caller's runs in the child.
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

// How many steps at the front the clone itself does, and its flags for them.
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

// What both ways to clone share. -1: errno says why.
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

pid_t clone_child(unsigned long flags, ChildArgs& child, UniqueFd& pidfd) {
  clone_args args{};
  args.flags = flags;
  const auto begin = [&child](pid_t pid) {
    if (pid == 0) run_child(child);
    return pid;
  };
  return clone_with_pidfd(
      args, pidfd, [&](clone_args& its) { return begin(kernel::sys_clone3(its)); },
      [&] {
        child.reset_handlers = true;
        return begin(kernel::sys_fork(flags | SIGCHLD));
      });
}

[[gnu::noinline]] pid_t vfork_child(ChildArgs& child) {
  child.reset_handlers = true;
  const pid_t pid = ::vfork();
  if (pid == 0) run_child(child);
  return pid;
}

// A child in the caller's memory, while the caller is suspended (may_share_memory): no page is
// copied, which is most of what a fork costs. It has a stack of its own, and the clone resets its
// signal handlers; where clone3 is not available, vfork.
pid_t clone_in_our_memory(ChildArgs& child, UniqueFd& pidfd) {
  const auto stack = std::make_unique_for_overwrite<std::byte[]>(child_stack_size);
  clone_args args{};
  args.flags = CLONE_VM | CLONE_VFORK;
  args.stack = reinterpret_cast<std::uintptr_t>(stack.get());
  args.stack_size = child_stack_size;
  const auto begin = [](void* its) { run_child(*static_cast<ChildArgs*>(its)); };
  return clone_with_pidfd(
      args, pidfd,
      [&](clone_args& its) { return kernel::sys_clone3_on_stack(its, begin, &child); },
      [&] { return vfork_child(child); });
}

// Only a child that is what the caller is until exec. If the child had fewer capabilities, or were
// in a new user namespace, a process that may trace the child could write to the caller's memory.
bool may_share_memory(const ChildArgs& args, const strategy::Steps& steps) {
  return !args.pid_namespace && args.dropped_capabilities == 0 &&
         std::ranges::none_of(steps, [](const strategy::SwitchStep& step) {
           return needs_launcher(step) &&
                  !std::holds_alternative<strategy::DropPrivileges>(step.action) &&
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
  ParentProtocol(const LaunchRequest& request, int pipe, Launched& child, const sigset_t& mask)
      : request_(request), pipe_(pipe), child_(child), mask_(mask) {}

  // Returns when the child has started its command or ended; or the first refusal.
  // `waits_for_maps`: the child does nothing before its ids are mapped.
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

  Failed release() {
    request_.prepared.released.release();
    return {};  // if the child is gone, the end of file follows
  }

  Failed answer(const ChildMessage& message) {
    const auto& step = request_.prepared.steps[static_cast<std::size_t>(message.step)];
    switch (message.kind) {
      case Kind::reparented: return follow(message.value);
      case Kind::keep: return keep(std::get<strategy::KeepNamespace>(step.action).name);
      case Kind::refused:
        return refusal({child_.pid, message.starts}, step, message.value, request_.options);
      case Kind::exec_refused: return exec_refusal(message.value);
      case Kind::none:
      case Kind::started:
      case Kind::ended: break;
    }
    return {};
  }

  Failed write_maps() {
    Failed failure = write_id_maps(child_.pid, request_.options, mask_);
    return failure ? failure : release();
  }

  Failed follow(pid_t next) {
    reap(child_.pid);
    child_.pid = next;
    child_.pidfd.reset(kernel::sys_pidfd_open(next));
    return release();
  }

  Failed keep(const TaskName& name) {
    const std::string folder = "/proc/" + std::to_string(child_.pid) + "/ns/";
    const bool copy = name.text == "C";
    UniqueFd& mounts = copy ? request_.kept->copy : request_.kept->template_;
    mounts.reset(::open((folder + "mnt").c_str(), O_RDONLY | O_CLOEXEC));
    if (copy) request_.kept->user.reset(::open((folder + "user").c_str(), O_RDONLY | O_CLOEXEC));
    if (mounts && (!copy || request_.kept->user)) return release();
    return refused_before("opening " + folder + ": " + error_text(errno), errno);
  }

  const LaunchRequest& request_;
  int pipe_;
  Launched& child_;
  const sigset_t& mask_;
};

Switched<Launched> launch_in_its_own_memory(const LaunchRequest& request, ChildArgs& args) {
  const strategy::Steps& steps = request.prepared.steps;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    const int error = errno;
    return std::unexpected(refused_before("pipe: " + error_text(error), error));
  }
  UniqueFd ours(ends[0]);
  UniqueFd its(ends[1]);
  const BlockSignals blocked;
  if (!args.has_mask) args.mask = blocked.before();
  request.prepared.released.reset();
  args.pipe = its.get();
  args.callers_pipe = ours.get();
  const unsigned long flags = flags_of_clone(steps, args.first_step);
  const bool maps = (flags & CLONE_NEWUSER) != 0;
  PIVOTCHECK_CHECK(!maps || std::holds_alternative<strategy::MapIds>(
                                steps[args.first_step].action));
  Launched child;
  child.pid = clone_child(flags, args, child.pidfd);
  if (child.pid < 0) return std::unexpected(refusal({}, steps.front(), errno, request.options));
  its.reset();
  auto failure = ParentProtocol(request, ours.get(), child, blocked.before()).run(maps);
  if (!failure && request.kept == nullptr) {
    if (args.pid_namespace) child.ended = std::move(ours);
    return child;
  }
  kill_and_reap(child.pid, child.pidfd.get());
  if (!failure) return Launched{};
  return std::unexpected(*std::move(failure));
}

// Nothing if a step was refused: the child is gone before anybody can look at it. Then the switch
// is tried once more in a child of its own memory, which waits to be looked at.
std::optional<Switched<Launched>> launch_in_our_memory(const LaunchRequest& request,
                                                       ChildArgs& args) {
  ChildMessage report;
  const BlockSignals blocked;
  if (!args.has_mask) args.mask = blocked.before();
  args.report = &report;
  Launched child;
  child.pid = clone_in_our_memory(args, child.pidfd);
  args.report = nullptr;
  request.prepared.executor.forget();
  if (child.pid < 0) {
    return std::unexpected(refusal({}, request.prepared.steps.front(), errno, request.options));
  }
  if (report.kind == ChildMessage::Kind::none) return child;
  reap(child.pid);
  if (report.kind == ChildMessage::Kind::refused) return std::nullopt;
  return std::unexpected(exec_refusal(report.value));
}

}  // namespace

void kill_and_reap(pid_t pid, int pidfd) {
  kernel::sys_pidfd_send_signal(pidfd, SIGKILL);
  reap(pid);
}

Switched<Launched> launch(const LaunchRequest& request, ChildArgs& args) {
  args.prepared = &request.prepared;
  args.caller = ::getpid();
  if (request.entered != nullptr) {
    request.prepared.executor.bind_namespace("C", request.entered->copy.get());
    request.prepared.executor.bind_namespace("T", request.entered->template_.get());
    args.user_namespace = request.entered->user.get();
  }
  if (may_share_memory(args, request.prepared.steps)) {
    auto launched = launch_in_our_memory(request, args);
    if (launched) return *std::move(launched);
    ::rmdir(request.prepared.put_old.c_str());
  }
  return launch_in_its_own_memory(request, args);
}

}  // namespace pivotcheck::rootswitch
