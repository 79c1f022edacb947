// SPDX-License-Identifier: Apache-2.0
// launch.cc: see launch.h. Conversation is the talk with one child.
#include "rootswitch/launch.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

#include "kernel/syscalls.h"
#include "rootswitch/id_maps.h"
#include "rootswitch/refusal.h"

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
pid_t clone_child(unsigned long flags, Script& script, UniqueFd& pidfd) {
  int fd = -1;
  clone_args args{};
  args.flags = flags | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
  args.pidfd = reinterpret_cast<std::uintptr_t>(&fd);
  args.exit_signal = SIGCHLD;
  pid_t pid = kernel::sys_clone3(args);
  if (pid < 0 && errno == ENOSYS) {  // hidden by somebody's seccomp program
    script.reset_handlers = true;
    pid = kernel::sys_fork(flags | SIGCHLD);
    if (pid > 0) fd = kernel::sys_pidfd_open(pid);
  }
  if (pid == 0) run_child(script);
  pidfd.reset(fd);
  return pid;
}

// The same in the caller's memory, while he stands still: no page of his is copied, which is most of
// what a fork costs. For steps that don't need him.
[[gnu::noinline]] pid_t vfork_child(Script& script, UniqueFd& pidfd) {
  script.caller_waits = true;
  script.reset_handlers = true;
  const pid_t pid = ::vfork();
  if (pid == 0) run_child(script);
  if (pid > 0) pidfd.reset(kernel::sys_pidfd_open(pid));
  return pid;
}

bool needs_caller(const strategy::Steps& steps) {
  return std::ranges::any_of(steps, [](const strategy::Step& step) {
    return needs_launcher(step) && !std::holds_alternative<strategy::Confine>(step.action) &&
           !std::holds_alternative<strategy::Execute>(step.action);
  });
}

void reap(pid_t pid) {
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

class Conversation {
 public:
  Conversation(const Job& job, int socket, Launched& child, const sigset_t& mask)
      : job_(job), socket_(socket), child_(child), mask_(mask) {}

  // Until the child has started its command, or ended; or says no.
  std::optional<SwitchFailure> hold() {
    while (const auto message = hear()) {
      auto failure = answer(*message);
      if (failure) return failure;
    }
    return {};
  }

 private:
  using Kind = Message::Kind;
  using Failed = std::optional<SwitchFailure>;

  // Nothing at the end of file.
  [[nodiscard]] std::optional<Message> hear() const {
    Message message;
    for (;;) {
      const ssize_t size = ::read(socket_, &message, sizeof(message));
      if (size == sizeof(message)) return message;
      if (size >= 0 || errno != EINTR) return std::nullopt;
    }
  }

  Failed go() {
    ::send(socket_, "", 1, MSG_NOSIGNAL);  // if the child is gone, the next message is the end
    return {};
  }

  Failed answer(const Message& message) {
    const strategy::Step& step = job_.steps[static_cast<std::size_t>(message.step)];
    switch (message.kind) {
      case Kind::maps_wanted: return write_maps();
      case Kind::handed_on: return follow(message.value);
      case Kind::keep: return keep(std::get<strategy::KeepNamespace>(step.action).name);
      case Kind::refused: return refusal(child_.pid, step, message.value, job_.options);
      case Kind::exec_refused: return exec_refusal(message.value);
    }
    return {};
  }

  Failed write_maps() {
    const MapTrouble trouble = write_id_maps(child_.pid, job_.options, mask_);
    if (trouble.what.empty()) return go();
    return SwitchFailure{SwitchFailure::Kind::refused, "id maps", trouble.error, "",
                         "id maps: " + trouble.what};
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

  [[nodiscard]] static SwitchFailure exec_refusal(int error) {
    const bool missing = error == ENOENT || error == ENOTDIR;
    SwitchFailure failure;
    failure.kind =
        missing ? SwitchFailure::Kind::not_found : SwitchFailure::Kind::not_executable;
    failure.step = "exec";
    failure.error = error;
    failure.message = error_text(error);
    return failure;
  }

  const Job& job_;
  int socket_;
  Launched& child_;
  const sigset_t& mask_;
};

Switched<void> pair(std::array<UniqueFd, 2>& ends, bool socket) {
  std::array<int, 2> fds{};
  const int result = socket
                         ? ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds.data())
                         : ::pipe2(fds.data(), O_CLOEXEC);
  if (result != 0) {
    const int error = errno;
    return std::unexpected(refused_before("descriptors: " + error_text(error), error));
  }
  ends[0].reset(fds[0]);
  ends[1].reset(fds[1]);
  return {};
}

}  // namespace

void kill_and_reap(pid_t pid, int pidfd) {
  kernel::sys_pidfd_send_signal(pidfd, SIGKILL);
  reap(pid);
}

namespace {

// Nothing: refused where the caller could not look at the child. Once more, with one that he can.
std::optional<Switched<Launched>> attempt(const Job& job, Script& script, bool caller_waits) {
  std::array<UniqueFd, 2> talk;
  std::array<UniqueFd, 2> end;
  if (auto made = pair(talk, true); !made) return std::unexpected(made.error());
  if (script.pid_namespace) {
    if (auto made = pair(end, false); !made) return std::unexpected(made.error());
  }
  Performer performer(job.steps);
  if (job.lent != nullptr) {
    performer.lend("C", job.lent->copy.get());
    performer.lend("T", job.lent->template_.get());
    script.user_namespace = job.lent->user.get();
  }
  const BlockSignals blocked;
  if (!script.has_mask) script.mask = blocked.before();
  script.steps = &job.steps;
  script.performer = &performer;
  script.caller = ::getpid();
  script.socket = talk[1].get();
  script.callers_socket = talk[0].get();
  script.ended = end[1].get();
  const unsigned long flags = flags_of_clone(job.steps, script.first_step);
  Launched child;
  child.pid = caller_waits ? vfork_child(script, child.pidfd)
                           : clone_child(flags, script, child.pidfd);
  performer.forget();
  if (child.pid < 0) {
    return std::unexpected(refusal(0, job.steps.front(), errno, job.options));
  }
  talk[1].reset();
  end[1].reset();
  child.ended = std::move(end[0]);
  auto failure = Conversation(job, talk[0].get(), child, blocked.before()).hold();
  if (!failure && job.kept == nullptr) return child;
  kill_and_reap(child.pid, child.pidfd.get());
  if (!failure) return Launched{};
  if (caller_waits && failure->kind == SwitchFailure::Kind::refused) return std::nullopt;
  return std::unexpected(*std::move(failure));
}

}  // namespace

Switched<Launched> launch(const Job& job, Script& script) {
  const bool caller_waits = !script.pid_namespace && !needs_caller(job.steps);
  auto result = attempt(job, script, caller_waits);
  if (!result) {
    script.caller_waits = false;
    ::rmdir(job.put_old.c_str());
    result = attempt(job, script, false);
  }
  return *std::move(result);
}

}  // namespace pivotcheck::rootswitch
