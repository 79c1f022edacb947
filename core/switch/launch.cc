// SPDX-License-Identifier: Apache-2.0
// launch.cc: see launch.h. supervise() answers the messages of one child.
#include "switch/launch.h"

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "switch/interpreter.h"
#include "switch/refusal.h"
#include "syscalls/id_maps.h"
#include "syscalls/syscalls.h"

extern char** environ;  // NOLINT: POSIX wants it declared by whoever uses it

namespace pivotcheck::rootswitch {
namespace {

using Failed = std::optional<SwitchFailure>;

// 0, or the status with which the child ended.
int reap(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

// --- the id maps of a child's new user namespace -------------------------------------------------

// Written from outside while the child waits (user_namespaces(7)): by this process if it may, else
// through newuidmap(1) and newgidmap(1), which ask /etc/subuid and /etc/subgid. By their absolute
// paths: what a PATH leads to may be anybody's.
struct IdMapWriter {
  pid_t child;
  const SwitchOptions& options;
  const sigset_t& mask;  // that helpers are started with

  // Nothing if both maps are written.
  [[nodiscard]] Failed write() const {
    if (Failed failure = write_map("uid_map", "/usr/bin/newuidmap", options.uid_map)) {
      return failure;
    }
    // Without CAP_SETGID the kernel takes a map of one's own group only if setgroups is denied
    // (user_namespaces(7), CVE-2014-8989). A caller with uid 0 keeps setgroups.
    const std::vector<IdRange>& groups = options.gid_map;
    if (groups.size() == 1 && groups[0].count == 1 && groups[0].outside == ::getegid() &&
        ::geteuid() != 0) {
      if (Failed failure = write_file("setgroups", "deny")) return failure;
    }
    return write_map("gid_map", "/usr/bin/newgidmap", groups);
  }

 private:
  static Failed failed(int error, const std::string& what) {
    return SwitchFailure{SwitchFailure::Kind::refused, "id maps", error, "", "id maps: " + what};
  }

  [[nodiscard]] Failed write_file(const char* file, const std::string& text) const {
    const kernel::ProcEntry process{.pid = child};
    const int error = kernel::write_proc_file(process, file, text);
    if (error == 0) return {};
    return failed(error, "writing " + process.path(file) + ": " + error_text(error));
  }

  [[nodiscard]] Failed write_map(const char* file, const char* helper,
                                 const std::vector<IdRange>& map) const {
    std::string lines;
    std::vector<std::string> words{helper, std::to_string(child)};
    for (const IdRange& range : map) {
      for (const std::uint32_t number : {range.inside, range.outside, range.count}) {
        words.push_back(std::to_string(number));
        lines += words.back() + " ";
      }
      lines.back() = '\n';
    }
    Failed failure = write_file(file, lines);
    return failure && failure->error == EPERM ? run_helper(words) : failure;
  }

  // Runs newuidmap or newgidmap; what it prints is left out: what went wrong is told in one line.
  [[nodiscard]] Failed run_helper(std::vector<std::string> words) const {
    const std::string name = words[0];
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setsigmask(&attributes, &mask);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    pid_t pid = 0;
    const int error =
        ::posix_spawn(&pid, name.c_str(), &actions, &attributes, arguments.data(), environ);
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
    if (error == ENOENT) return failed(error, name + " is not installed (package uidmap)");
    if (error != 0) return failed(error, name + ": " + error_text(error));
    if (reap(pid) == 0) return {};
    const char* file = name.ends_with("newuidmap") ? "/etc/subuid" : "/etc/subgid";
    return failed(EPERM, name + " refuses this map: are these ids in " + file + "?");
  }
};

// --- the clone -----------------------------------------------------------------------------------

// Blocks all signals around the clone, so that no handler of the caller's runs in the child.
class BlockSignals {
 public:
  explicit BlockSignals(sigset_t& before) : before_(before) {
    sigset_t all{};
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockSignals(const BlockSignals&) = delete;
  BlockSignals& operator=(const BlockSignals&) = delete;

 private:
  sigset_t& before_;
};

// The flag of a clone that does this step; 0 if no clone can.
unsigned long flag_of_clone(const strategy::Action& action) {
  if (std::holds_alternative<strategy::NewPidNamespace>(action)) return CLONE_NEWPID;
  const auto* op = std::get_if<Op>(&action);
  const auto* unshare = op == nullptr ? nullptr : std::get_if<Unshare>(op);
  return unshare != nullptr && unshare->kinds.has(NamespaceKind::user) ? CLONE_NEWUSER : 0;
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
      args, pidfd, [&](clone_args& its) { return kernel::sys_clone3_on_stack(its, begin, &child); },
      [&] { return vfork_child(child); });
}

// Only a child that is what the caller is until exec. If the child had fewer capabilities, or were
// in a new user namespace, a process that may trace the child could write to the caller's memory.
bool may_share_memory(const ChildArgs& args) {
  return !args.pid_namespace && args.options.dropped_capabilities == 0 &&
         std::ranges::none_of(args.prepared.steps, [](const strategy::SwitchStep& step) {
           return needs_launcher(step) &&
                  !std::holds_alternative<strategy::DropPrivileges>(step.action) &&
                  !std::holds_alternative<strategy::Execute>(step.action);
         });
}

// `child` waits in the new root.
SwitchFailure exec_refusal(int error, pid_t child, const ChildArgs& args) {
  const bool missing = error == ENOENT || error == ENOTDIR;
  std::string message = error_text(error);
  if (error == ENOENT) {
    const std::string interpreter =
        missing_interpreter(child, args.paths, args.options.directory);
    if (!interpreter.empty()) message = "its interpreter is missing: " + interpreter;
  }
  return {missing ? SwitchFailure::Kind::not_found : SwitchFailure::Kind::not_executable, "exec",
          error, "", std::move(message)};
}

// --- the parent's side ---------------------------------------------------------------------------

using Kind = ChildMessage::Kind;

Failed keep(const TaskName& name, pid_t child, TemplateNamespaces& kept) {
  const std::string folder = "/proc/" + std::to_string(child) + "/ns/";
  const bool copy = name.text == "C";
  UniqueFd& mounts = copy ? kept.copy : kept.template_;
  mounts.reset(::open((folder + "mnt").c_str(), O_RDONLY | O_CLOEXEC));
  if (copy) kept.user.reset(::open((folder + "user").c_str(), O_RDONLY | O_CLOEXEC));
  if (mounts && (!copy || kept.user)) return {};
  return refused_before("opening " + folder, errno);
}

// Does what the child asks for and lets it go on; or the refusal that it reports.
Failed answer(const ChildMessage& message, const ChildArgs& args, TemplateNamespaces* kept,
              Launched& child) {
  const auto& step = args.prepared.steps[static_cast<std::size_t>(message.step)];
  switch (message.kind) {
    case Kind::reparented:
      reap(child.pid);
      child.pid = message.value;
      child.pidfd.reset(kernel::sys_pidfd_open(child.pid));
      break;
    case Kind::keep: {
      const TaskName& name = std::get<strategy::KeepNamespace>(step.action).name;
      if (Failed failure = keep(name, child.pid, *kept)) return failure;
      break;
    }
    case Kind::refused:
      return refusal({child.pid, message.starts}, step, message.value, args.options);
    case Kind::exec_refused: return exec_refusal(message.value, child.pid, args);
    case Kind::none:
    case Kind::started:
    case Kind::ended: return {};
  }
  args.prepared.released.release();  // if the child is gone, the end of file follows
  return {};
}

// Returns when the child has started its command or ended; or the first refusal. `maps`: it does
// nothing before its ids are mapped.
Failed supervise(int pipe, bool maps, const ChildArgs& args, TemplateNamespaces* kept,
                 Launched& child) {
  if (maps) {
    if (Failed failure = IdMapWriter{child.pid, args.options, args.callers_mask}.write()) {
      return failure;
    }
    args.prepared.released.release();
  }
  ChildMessage message;
  for (;;) {
    const ssize_t size = ::read(pipe, &message, sizeof(message));
    if (size < 0 && errno == EINTR) continue;
    if (size != sizeof(message) || message.kind == Kind::started) return {};
    if (Failed failure = answer(message, args, kept, child)) return failure;
  }
}

Switched<Launched> launch_in_its_own_memory(ChildArgs& args, TemplateNamespaces* kept) {
  const strategy::Steps& steps = args.prepared.steps;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::unexpected(refused_before("pipe", errno));
  UniqueFd ours(ends[0]);
  UniqueFd its(ends[1]);
  args.prepared.released.reset();
  args.pipe = its.get();
  args.callers_pipe = ours.get();
  unsigned long flags = 0;
  while (const unsigned long flag = flag_of_clone(steps[args.first_step].action)) {
    flags |= flag;
    ++args.first_step;
  }
  const bool maps = (flags & CLONE_NEWUSER) != 0;
  PIVOTCHECK_CHECK(!maps ||
                   std::holds_alternative<strategy::MapIds>(steps[args.first_step].action));
  Launched child;
  child.pid = clone_child(flags, args, child.pidfd);
  if (child.pid < 0) return std::unexpected(refusal({}, steps.front(), errno, args.options));
  its.reset();
  Failed failure = supervise(ours.get(), maps, args, kept, child);
  if (!failure && kept == nullptr) {
    if (args.pid_namespace) child.ended = std::move(ours);
    return child;
  }
  kill_and_reap(child.pid, child.pidfd.get());
  if (!failure) return Launched{};
  return std::unexpected(*std::move(failure));
}

// Nothing if a step was refused, or the command was not found: the child is gone before anybody can
// look at it. Then the switch is tried once more in a child of its own memory, which waits to be
// looked at.
std::optional<Switched<Launched>> launch_in_our_memory(ChildArgs& args) {
  ChildMessage report;
  args.report = &report;
  Launched child;
  child.pid = clone_in_our_memory(args, child.pidfd);
  args.report = nullptr;
  args.prepared.executor.forget();
  if (child.pid < 0) {
    return std::unexpected(refusal({}, args.prepared.steps.front(), errno, args.options));
  }
  if (report.kind == ChildMessage::Kind::none) return child;
  reap(child.pid);
  if (report.kind == ChildMessage::Kind::refused || report.value == ENOENT) return std::nullopt;
  return std::unexpected(exec_refusal(report.value, child.pid, args));
}

}  // namespace

void kill_and_reap(pid_t pid, int pidfd) {
  kernel::sys_pidfd_send_signal(pidfd, SIGKILL);
  reap(pid);
}

Switched<Launched> launch(ChildArgs& args, TemplateNamespaces* kept) {
  args.caller = ::getpid();
  args.prepared.executor.bind_namespace("C", args.entered.copy.get());
  args.prepared.executor.bind_namespace("T", args.entered.template_.get());
  const BlockSignals blocked(args.callers_mask);
  if (may_share_memory(args)) {
    auto launched = launch_in_our_memory(args);
    if (launched) return *std::move(launched);
    ::rmdir(args.prepared.put_old.c_str());
  }
  return launch_in_its_own_memory(args, kept);
}

}  // namespace pivotcheck::rootswitch
