// SPDX-License-Identifier: Apache-2.0
// switch_overhead.cc: what the library costs on top of the system calls it makes. Every strategy
// with a namespace of its own, on three roads: a mount namespace only; a user namespace with one
// id, too; and a PID namespace as well. Each twice: as the flat list of its system calls
// (bare_calls.h) between the cheapest clone that does and an execve, and by RootSwitch. Both start
// a static true in the new root and wait for it.
//
// The list by hand has the calls of every step, and learns, as every program must, that the command
// was started: by a pipe that is closed on exec, where it is a fork. It has nothing of what makes a
// library of it: no report of what was refused, no pidfd, no signals held back and no handlers
// reset, an init that only waits. So the ratio says what all of that costs.
//
// CPU time of this process and its children, in batches that take turns, so that what else the
// machine does meets both; the median of the rounds' ratios counts. All on one CPU: where a child
// wakes up on another one, by chance, is a difference of ten per cent.
//
//     switch_overhead [ROUNDS]          as root or as an ordinary user; needs busybox (ci/install)
//
// Exit status: 0, 3 something failed, 4 nothing can run here.
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "bare_calls.h"
#include "base/unique_fd.h"
#include "syscalls/syscalls.h"
#include "switch/inspect.h"
#include "switch/root_switch.h"

namespace {

namespace fs = std::filesystem;
namespace strategy = pivotcheck::strategy;
using pivotcheck::Op;
using pivotcheck::Strategy;
using pivotcheck::SwitchOptions;
using pivotcheck::UniqueFd;
using pivotcheck::kernel::sys_exit;
using pivotcheck::kernel::sys_fork;

constexpr int batch = 50;  // enough for the CPU clock, which counts microseconds

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "switch_overhead: %s\n", what.c_str());
  std::exit(3);
}

double cpu_us() {
  double total = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    ::getrusage(who, &usage);
    for (const timeval& part : {usage.ru_utime, usage.ru_stime}) {
      total += static_cast<double>(part.tv_sec) * 1e6 + static_cast<double>(part.tv_usec);
    }
  }
  return total;
}

bool write_file(const std::string& path, const std::string& text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// --- by hand -------------------------------------------------------------------------------------

// Laid out once; run() may be called as often as one likes.
class ByHand {
 public:
  ByHand(const SwitchOptions& options, strategy::Plan plan) : options_(options) {
    plan.put_old = "old";
    steps_ = strategy::steps(options.strategy, plan);
    auto calls = pivotcheck::bench::BareCalls::of(steps_);
    if (!calls) fail(calls.error().what);
    calls_ = *std::move(calls);
    for (const strategy::SwitchStep& step : steps_) {
      const auto* op = std::get_if<Op>(&step.action);
      const auto* unshare = op == nullptr ? nullptr : std::get_if<pivotcheck::Unshare>(op);
      const bool user = unshare != nullptr && unshare->kinds.has(pivotcheck::NamespaceKind::user);
      if (std::holds_alternative<strategy::NewPidNamespace>(step.action)) flags_ |= CLONE_NEWPID;
      if (user) flags_ |= CLONE_NEWUSER;
      kinds_.push_back(signature(step, user));
    }
  }

  void run() {
    const pid_t child = flags_ == 0 ? in_our_memory() : in_its_own();
    int status = 0;
    ::waitpid(child, &status, 0);
    if (child < 0 || status != 0) fail("the system calls by hand failed");
  }

 private:
  enum class Kind : unsigned char { calls, by_clone, maps, confine, execute };

  static Kind signature(const strategy::SwitchStep& step, bool user) {
    if (std::holds_alternative<strategy::NewPidNamespace>(step.action)) return Kind::by_clone;
    if (std::holds_alternative<strategy::MapIds>(step.action)) return Kind::maps;
    if (std::holds_alternative<strategy::DropPrivileges>(step.action)) return Kind::confine;
    if (std::holds_alternative<strategy::Execute>(step.action)) return Kind::execute;
    return user ? Kind::by_clone : Kind::calls;
  }

  [[gnu::noinline]] pid_t in_our_memory() {
    const pid_t pid = ::vfork();
    if (pid == 0) child(-1);
    return pid;
  }

  pid_t in_its_own() {
    int talk[2];
    int started[2];
    if (::pipe2(talk, O_CLOEXEC) != 0 || ::pipe2(started, O_CLOEXEC) != 0) fail("pipe");
    const UniqueFd hear(talk[0]);
    const UniqueFd say(talk[1]);
    const UniqueFd until_exec(started[0]);
    UniqueFd its(started[1]);
    const pid_t pid = sys_fork(flags_ | SIGCHLD);
    if (pid == 0) child(hear.get());
    its.reset();
    if (pid < 0) return pid;
    if ((flags_ & CLONE_NEWUSER) != 0) write_maps(pid, say.get());
    char byte = 0;
    if (::read(until_exec.get(), &byte, 1) != 0) fail("it was not started");
    return pid;
  }

  void write_maps(pid_t pid, int say) const {
    const std::string folder = "/proc/" + std::to_string(pid) + "/";
    const auto map = [](const pivotcheck::IdRange& range) {
      return std::to_string(range.inside) + " " + std::to_string(range.outside) + " 1";
    };
    if (::geteuid() != 0) write_file(folder + "setgroups", "deny");
    const bool mapped = write_file(folder + "uid_map", map(options_.uid_map.front())) &&
                        write_file(folder + "gid_map", map(options_.gid_map.front()));
    if (!mapped || ::write(say, "", 1) != 1) fail("id maps");
  }

  // One command in a PID namespace: its init waits for it, and ends as it did.
  void become_command() const {
    if ((flags_ & CLONE_NEWPID) == 0) return;
    const pid_t command = sys_fork(SIGCHLD);
    if (command == 0) return;
    ::syscall(SYS_close_range, 3U, ~0U, 0U);  // or nobody hears of the exec
    int status = 0;
    ::waitpid(command, &status, 0);
    sys_exit(status == 0 ? 0 : 125);
  }

  [[noreturn]] void child(int hear) {
    char name[] = "/bin/true";
    char* const words[] = {name, nullptr};
    char go = 0;
    bool ok = true;
    for (std::size_t i = 0; ok && i < steps_.size(); ++i) {
      switch (kinds_[i]) {
        case Kind::calls: ok = calls_.perform(i) == 0; break;
        case Kind::by_clone: break;
        case Kind::maps:
          ok = ::read(hear, &go, 1) == 1;
          ::syscall(SYS_setgroups, 0, nullptr);
          ok = ok && pivotcheck::kernel::sys_become_root() &&
               ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
          break;
        case Kind::confine:
          ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
          become_command();
          ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
          break;
        case Kind::execute: ::execve(name, words, environ); ok = false; break;
      }
    }
    sys_exit(125);
  }

  const SwitchOptions& options_;
  strategy::Steps steps_;
  pivotcheck::bench::BareCalls calls_;
  std::vector<Kind> kinds_;
  unsigned long flags_ = 0;
};

// --- by the library ------------------------------------------------------------------------------

void by_library(const pivotcheck::RootSwitch& root) {
  static const pivotcheck::Command command{
      .arguments = {"/bin/true"}, .environment = {}, .signal_mask = {}};
  auto child = root.start(command);
  if (!child) fail(child.error().message);
  const auto ended = child->wait();
  if (!ended || ended->code != 0) fail("the library failed");
}

// --- both ----------------------------------------------------------------------------------------

template <class Run>
double batch_us(Run run) {
  const double before = cpu_us();
  for (int i = 0; i < batch; ++i) run();
  return (cpu_us() - before) / batch;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

struct Source {
  const char* name;
  bool user_namespace;
  bool pid_namespace;
};

double compare(const SwitchOptions& options, const Source& source, int rounds) {
  const auto plan = pivotcheck::rootswitch::inspect(options);
  if (!plan) fail(plan.error().message);
  ByHand hand(options, *plan);
  const auto root = pivotcheck::RootSwitch::make(options);
  if (!root) fail(root.error().message);
  std::vector<double> by_hand;
  std::vector<double> library;
  std::vector<double> ratios;
  for (int round = 0; round < rounds; ++round) {
    const auto one = [&] { by_hand.push_back(batch_us([&] { hand.run(); })); };
    const auto other = [&] { library.push_back(batch_us([&] { by_library(*root); })); };
    if (round % 2 == 0) one();
    other();
    if (round % 2 != 0) one();
    ratios.push_back(library.back() / by_hand.back());
  }
  std::printf("  %-14s %-16s %9.1f %9.1f %8.3f\n",
              std::string(info(options.strategy).name).c_str(), source.name, median(by_hand),
              median(library), median(ratios));
  return median(ratios);
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 15;
  std::string folder = (fs::temp_directory_path() / "pivotcheck-XXXXXX").string();
  if (rounds < 1 || !fs::exists("/bin/busybox") || ::mkdtemp(folder.data()) == nullptr) {
    std::fputs("switch_overhead: it takes a number of rounds, /bin/busybox, and a folder for "
               "temporary files\n", stderr);
    return 4;
  }
  fs::create_directories(folder + "/bin");
  fs::create_directory(folder + "/proc");  // proc-first mounts one there
  fs::copy_file("/bin/busybox", folder + "/bin/true");
  static std::string left_behind = folder;
  std::atexit([] { fs::remove_all(left_behind); });

  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(static_cast<unsigned>(::sched_getcpu()), &here);
  if (::sched_setaffinity(0, sizeof(here), &here) != 0) std::perror("switch_overhead: one CPU");

  std::printf("CPU time of a switch and a static true in microseconds, medians of %d rounds of %d\n"
              "  %-14s %-16s %9s %9s %8s\n",
              rounds, batch, "strategy", "namespaces", "by hand", "library", "ratio");
  const bool privileged = ::geteuid() == 0;
  for (const Source& source : {Source{"mount", false, false}, Source{"mount, user", true, false},
                           Source{"mount, user, pid", true, true}}) {
    if (!privileged && !source.user_namespace) continue;  // an ordinary user has no such road
    std::vector<double> ratios;
    for (const auto& known : pivotcheck::strategies()) {
      // The template's namespaces are made before; switch_bench times it apart from the rest.
      if (known.strategy == Strategy::template_) continue;
      if (known.strategy == Strategy::proc_first && !source.pid_namespace) continue;
      SwitchOptions options;
      options.strategy = known.strategy;
      options.new_root = folder;
      options.user_namespace = source.user_namespace;
      options.pid_namespace = source.pid_namespace;
      if (source.user_namespace) {
        options.uid_map = {{.inside = 0, .outside = ::geteuid(), .count = 1}};
        options.gid_map = {{.inside = 0, .outside = ::getegid(), .count = 1}};
      }
      ratios.push_back(compare(options, source, rounds));
    }
    std::printf("  median of these  %-34s %8.3f\n", source.name, median(ratios));
  }
  return 0;
}
