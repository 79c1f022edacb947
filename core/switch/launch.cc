// SPDX-License-Identifier: Apache-2.0
// launch.cc: see launch.h. supervise() answers the messages of one child.
#include "switch/launch.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/single_threaded.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "switch/clone.h"
#include "switch/confine.h"
#include "switch/interpreter.h"
#include "switch/refusal.h"
#include "syscalls/id_maps.h"
#include "syscalls/syscalls.h"

extern char** environ;  // NOLINT: POSIX wants it declared by whoever uses it

namespace pivotcheck::rootswitch {
namespace {

using Failed = std::optional<SwitchFailure>;

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

  // Runs newuidmap or newgidmap. What they print is dropped, because a refusal is one line.
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
    if (wait_for_end(pid, 0).status == 0) return {};
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

const Unshare* unshares(const strategy::SwitchStep& step) {
  const auto* op = std::get_if<Op>(&step.action);
  return op == nullptr ? nullptr : std::get_if<Unshare>(op);
}

bool unshares_user(const strategy::SwitchStep& step) {
  const Unshare* unshare = unshares(step);
  return unshare != nullptr && unshare->kinds.has(NamespaceKind::user);
}

bool makes_pid_namespace(const strategy::SwitchStep& step) {
  return std::holds_alternative<strategy::NewPidNamespace>(step.action);
}

bool needs_proc(const strategy::SwitchStep& step) {
  return std::holds_alternative<strategy::LockMounts>(step.action) ||
         std::holds_alternative<strategy::ForbidUserNamespaces>(step.action);
}

// What the steps make after init was made, and init enters to be where the command is: CLONE_...
// bits.
unsigned long entered_later(const strategy::Steps& steps) {
  unsigned long kinds = 0;
  for (const strategy::SwitchStep& step : steps) {
    const Unshare* unshare = unshares(step);
    if (unshare != nullptr && unshare->kinds.has(NamespaceKind::mnt)) kinds |= CLONE_NEWNS;
    const auto* others = std::get_if<strategy::UnshareOthers>(&step.action);
    if (others != nullptr) kinds |= others->kinds;
  }
  return kinds;
}

template <auto run>
ChildStart start_of(ChildArgs& args) {
  return {[](void* its) { run(*static_cast<ChildArgs*>(its)); }, &args};
}

// See clone_in_our_memory(). While mounts are locked the memory is not dumpable (lock_mounts.cc),
// which other threads would notice: their files in /proc were root's.
bool fits_our_memory(const strategy::SwitchStep& step) {
  using namespace strategy;
  if (std::holds_alternative<LockMounts>(step.action)) return __libc_single_threaded != 0;
  return !enters_user_namespace(step) && !std::holds_alternative<MapIds>(step.action) &&
         !std::holds_alternative<KeepNamespace>(step.action) &&
         !std::holds_alternative<ForbidUserNamespaces>(step.action);
}

bool may_share_memory(const ChildArgs& args) {
  return args.options.dropped_capabilities == 0 &&
         std::ranges::all_of(args.prepared.steps, fits_our_memory);
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
  if (copy) {
    kept.user.reset(::open((folder + "user").c_str(), O_RDONLY | O_CLOEXEC));
    kept.root.reset(::open((folder + "../cwd").c_str(), O_PATH | O_CLOEXEC));
  }
  if (mounts && (!copy || (kept.user && kept.root))) return {};
  return refused_before("opening " + folder, errno);
}

// Does what the child asks for and lets it go on; or the refusal that it reports.
Failed answer(const ChildMessage& message, const ChildArgs& args, TemplateNamespaces* kept,
              Launched& child) {
  const auto& step = args.prepared.steps[static_cast<std::size_t>(message.step)];
  switch (message.kind) {
    case Kind::keep: {
      const TaskName& name = std::get<strategy::KeepNamespace>(step.action).name;
      if (Failed failure = keep(name, child.pid, *kept)) return failure;
      break;
    }
    case Kind::refused:
      return refusal({child.pid, message.starts}, step, message.value, args.options);
    case Kind::init_refused: return init_refusal({message.starts[0], message.value});
    case Kind::deceived: return deceived(name_of_call(message.starts[0]));
    case Kind::exec_refused: return exec_refusal(message.value, child.pid, args);
    case Kind::none: return {};
  }
  args.prepared.released.release();  // if the child is gone, the end of file follows
  return {};
}

// The child has no more to say: it was started, or killed.
Failed killed_by_filter(PreparedSwitch& prepared) {
  const std::uint32_t in_danger = prepared.released.in_danger();
  if (in_danger == 0) return {};
  return in_danger == SharedFutex::confining_init ? init_refusal({}) : filter_refusal(in_danger);
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
    // What executes a confined command says no more than that.
    if (size == sizeof(std::int32_t)) {
      std::int32_t error = 0;
      std::memcpy(&error, &message, sizeof(error));
      return exec_refusal(error, child.pid, args);
    }
    if (size != sizeof(message)) return killed_by_filter(args.prepared);
    if (Failed failure = answer(message, args, kept, child)) return failure;
  }
}

// Starts the init of the PID namespace that the steps make, if they make one. If the next step makes
// a user namespace, init makes that as well, and is given its ids.
Failed launch_init(ChildArgs& args, Launched& launched) {
  const strategy::Steps& steps = args.prepared.steps;
  const auto made = static_cast<std::size_t>(std::ranges::find_if(steps, makes_pid_namespace) -
                                             steps.begin());
  if (made == steps.size()) return {};
  const bool new_user = unshares_user(steps[made + 1]);
  const bool takes_ids = new_user || args.entered.user;
  args.init_has = CLONE_NEWPID | (takes_ids ? CLONE_NEWUSER : 0UL);
  InitRequest request{.image = args.init_image,
                      .user_namespace = args.entered.user.get(),
                      .orders = {},
                      .programs = args.options.seccomp_programs};
  request.orders.unshare = CLONE_NEWPID | (new_user ? CLONE_NEWUSER : 0U);
  request.orders.join = static_cast<std::uint32_t>(entered_later(steps));
  request.orders.takes_ids = takes_ids ? 1 : 0;
  request.orders.uid = id_inside(args.options.uid_map);
  request.orders.gid = id_inside(args.options.gid_map);
  request.orders.dies_with_caller = args.options.die_with_caller ? 1 : 0;
  request.orders.new_session = args.options.new_session ? 1 : 0;
  auto started = start_init(request);
  if (!started) {
    if (started.error().what != INIT_NAMESPACES) return init_refusal(started.error());
    return refusal({}, steps[new_user ? made + 1 : made], started.error().error, args.options);
  }
  launched.init = *std::move(started);
  if (new_user) {
    const IdMapWriter maps{launched.init.pid, args.options, args.callers_mask};
    if (Failed failure = maps.write()) return failure;
  }
  if (takes_ids) {
    if (const auto up = release_init(launched.init); !up) return init_refusal(up.error());
  }
  args.init = launched.init.pidfd.get();
  args.init_channel = launched.init.channel.get();
  return {};
}

// The child that performs the steps, in the namespaces of init. The usher shares our memory unless
// other commands are in the user namespace that it enters: see clone_in_our_memory().
pid_t usher(ChildArgs& args, UniqueFd& pidfd) {
  const ChildStart start = start_of<run_usher>(args);
  const pid_t pid =
      args.entered.user ? clone_copy(0, start, pidfd) : clone_in_our_memory(start, pidfd);
  if (pid < 0) return pid;
  wait_for_end(pid, 0);
  const auto child = static_cast<pid_t>(args.prepared.released.ushered());
  if (child <= 0) {
    errno = child < 0 ? -child : ECHILD;
    return -1;
  }
  pidfd.reset(kernel::sys_pidfd_open(child));
  return child;
}

// What the child reports through, and sees the caller's death by.
Failed make_pipe(ChildArgs& args, UniqueFd& ours, UniqueFd& its) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return refused_before("pipe", errno);
  ours.reset(args.callers_pipe = ends[0]);
  its.reset(args.pipe = ends[1]);
  std::to_chars(args.pipe_text.begin(), args.pipe_text.end() - 1, args.pipe);
  return {};
}

// Clones the child that performs the steps, and does what it asks for until the command is started.
Failed launch_child(ChildArgs& args, TemplateNamespaces* kept, Launched& child) {
  const strategy::Steps& steps = args.prepared.steps;
  UniqueFd ours;
  UniqueFd its;
  if (Failed failure = make_pipe(args, ours, its)) return failure;
  const bool maps = args.init < 0 && unshares_user(steps.front());
  if (maps) {
    args.first_step = 1;
    PIVOTCHECK_CHECK(std::holds_alternative<strategy::MapIds>(steps[1].action));
  }
  child.pid = args.init >= 0 ? usher(args, child.pidfd)
                             : clone_copy(maps ? CLONE_NEWUSER : 0, start_of<run_child>(args),
                                          child.pidfd);
  if (child.pid < 0 && !maps) return refused_before("clone", errno);
  if (child.pid < 0) return refusal({}, steps.front(), errno, args.options);
  its.reset();
  return supervise(ours.get(), maps, args, kept, child);
}

Switched<Launched> launch_in_its_own_memory(ChildArgs& args, TemplateNamespaces* kept) {
  Launched launched;
  args.prepared.released.share();
  args.prepared.released.reset();
  Failed failure = launch_init(args, launched);
  if (!failure) failure = launch_child(args, kept, launched);
  launched.init.channel.reset();
  launched.not_locked = static_cast<int>(args.prepared.released.not_locked().load());
  if (!failure && kept == nullptr) return launched;
  kill_and_reap(launched);
  if (!failure) return Launched{};
  return std::unexpected(*std::move(failure));
}

// Nothing if a step was refused, or the command was not found: the child is gone before anybody can
// look at it. Then the switch is tried once more in a child of its own memory, which waits to be
// looked at.
std::optional<Switched<Launched>> launch_in_our_memory(ChildArgs& args) {
  Launched launched;
  UniqueFd ours;
  UniqueFd its;
  args.prepared.released.reset();
  Failed failure = launch_init(args, launched);
  const bool has_init = args.init >= 0;
  if (!failure && has_init) failure = make_pipe(args, ours, its);
  ChildMessage report;
  bool again = false;
  if (!failure) {
    args.report = &report;
    const ChildStart start = start_of<run_child>(args);
    launched.pid = has_init ? clone_in_our_memory_beside(args.init, start, launched.pidfd)
                            : clone_in_our_memory(start, launched.pidfd);
    again = launched.pid < 0 && has_init && errno == ENOSYS;
    if (launched.pid < 0) failure = refused_before("clone", errno);
    args.report = nullptr;
    args.prepared.executor.forget();
  }
  launched.init.channel.reset();
  launched.not_locked = static_cast<int>(args.prepared.released.not_locked().load());
  if (!failure) failure = killed_by_filter(args.prepared);
  if (!failure && report.kind == ChildMessage::Kind::none) return launched;
  kill_and_reap(launched);
  args.init = args.init_channel = args.pipe = args.callers_pipe = -1;
  const bool not_executed = report.kind == ChildMessage::Kind::exec_refused;
  again = again || (!failure && (!not_executed || report.value == ENOENT));
  if (again) return std::nullopt;
  if (!failure) failure = exec_refusal(report.value, launched.pid, args);
  return std::unexpected(*std::move(failure));
}

// Children of ours in the PID namespace of init that we did not make: the command can make some
// (CLONE_PARENT), and init can't end before somebody has reaped them. They have been killed.
void reap_children_beside(const InitProcess& init) {
  if (init.pid_namespace == 0) return;
  std::error_code error;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task", error)) {
    std::ifstream children(thread.path() / "children");
    for (pid_t child = 0; children >> child;) {
      const bool is_beside = child != init.pid && pid_namespace_of(child, {}) == init.pid_namespace;
      if (is_beside) ::waitpid(child, nullptr, __WALL | WNOHANG);
    }
  }
}

}  // namespace

void wait_for_init(const InitProcess& init) {
  constexpr int wait_max_ms = 50;  // a namespace of some processes ends in less than one
  while (wait_for_end(init.pid, WNOHANG).pid == 0) {
    pollfd end{.fd = init.pidfd.get(), .events = POLLIN, .revents = 0};
    if (::poll(&end, 1, wait_max_ms) == 0) reap_children_beside(init);
  }
}

void kill_and_reap(const Launched& launched) {
  // The end of init ends its namespace, but not a child that has not entered it.
  for (const UniqueFd* each : {&launched.init.pidfd, &launched.pidfd}) {
    if (*each) kernel::sys_pidfd_send_signal(each->get(), SIGKILL);
  }
  // Init ends after everything in its namespace has been reaped.
  if (launched.pid > 0) wait_for_command(launched.pid, launched.pidfd.get());
  if (launched.init.pid > 0) wait_for_init(launched.init);
}

Switched<Launched> launch(ChildArgs& args, TemplateNamespaces* kept) {
  args.caller = ::getpid();
  StepExecutor& executor = args.prepared.executor;
  executor.bind("", args.entered.root ? args.entered.root.get() : args.root);
  executor.bind("C", args.entered.copy.get());
  executor.bind("T", args.entered.template_.get());
  UniqueFd proc;
  if (std::ranges::any_of(args.prepared.steps, needs_proc)) {
    proc.reset(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
    args.proc = proc.get();
  }
  const BlockSignals blocked(args.callers_mask);
  if (may_share_memory(args)) {
    auto launched = launch_in_our_memory(args);
    if (launched) return *std::move(launched);
    ::unlinkat(args.root, args.prepared.put_old.c_str(), AT_REMOVEDIR);
  }
  return launch_in_its_own_memory(args, kept);
}

}  // namespace pivotcheck::rootswitch
