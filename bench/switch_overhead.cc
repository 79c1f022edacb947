// SPDX-License-Identifier: Apache-2.0
// switch_overhead.cc: what the library costs on top of the system calls it makes. Each strategy in
// a mount namespace; with a user namespace and one id, too; and with a PID namespace as well. Each
// twice: as raw system calls (raw_syscalls.h) between the cheapest clone that does and an execve,
// and by RootSwitch. Both start a static true in the new root and wait.
//
// By hand there are the calls of every step, and, after a fork, a pipe that is closed on exec, which
// tells that the command was started. There is nothing of what makes a library: no report of
// what was refused, no pidfd, no signals blocked and no handlers reset, an init that only waits. So
// the ratio says what all of that costs.
//
// CPU time of this process and its children, in batches that alternate, so that what else the
// machine does meets both; the median of the rounds' ratios counts. All on one CPU, because a child
// that wakes up on another one makes a difference of ten per cent.
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

#include "base/unique_fd.h"
#include "raw_syscalls.h"
#include "switch/launch.h"
#include "switch/root_switch.h"
#include "syscalls/id_maps.h"
#include "syscalls/syscalls.h"

namespace {

using namespace pivotcheck;
namespace fs = std::filesystem;
using kernel::sys_exit;
using kernel::sys_fork;

constexpr int batch = 50;  // enough for the CPU clock, which counts microseconds

[[noreturn]] void stop(const std::string& what) {
  std::fprintf(stderr, "switch_overhead: %s\n", what.c_str());
  std::exit(3);
}

std::pair<UniqueFd, UniqueFd> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) stop("pipe");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
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

// --- by hand -------------------------------------------------------------------------------------

// Prepared once; run() may be called any number of times.
class ByHand {
 public:
  ByHand(Strategy strategy, strategy::Plan plan) {
    plan.put_old = "old";
    for (strategy::SwitchStep& step : strategy::steps(strategy, plan)) {
      const unsigned long flag = bench::made_by_clone(step);
      flags_ |= flag;
      if (flag == 0) steps_.push_back(std::move(step));
    }
    auto calls = bench::RawSyscalls::of(steps_);
    if (!calls) stop(calls.error().what);
    calls_ = *std::move(calls);
  }

  void run() {
    const pid_t child = flags_ == 0 ? vfork_child() : fork_child();
    int status = 0;
    ::waitpid(child, &status, 0);
    if (child < 0 || status != 0) stop("the system calls by hand failed");
  }

 private:
  [[gnu::noinline]] pid_t vfork_child() {
    const pid_t pid = ::vfork();
    if (pid == 0) child(-1);
    return pid;
  }

  pid_t fork_child() {
    auto [mapped, is_mapped] = make_pipe();
    auto [started, is_started] = make_pipe();
    const pid_t pid = sys_fork(flags_ | SIGCHLD);
    if (pid == 0) child(mapped.get());
    is_started.reset();
    if (pid < 0) return pid;
    if ((flags_ & CLONE_NEWUSER) != 0 &&
        (kernel::map_root({.pid = pid}, ::geteuid(), ::getegid()) != nullptr ||
         ::write(is_mapped.get(), "", 1) != 1)) {
      stop("id maps");
    }
    char byte = 0;
    if (::read(started.get(), &byte, 1) != 0) stop("it was not started");
    return pid;
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

  [[noreturn]] void child(int mapped) {
    char name[] = "/bin/true";
    char* const words[] = {name, nullptr};
    char byte = 0;
    bool ok = true;
    for (std::size_t i = 0; ok && i < steps_.size(); ++i) {
      if (std::holds_alternative<strategy::MapIds>(steps_[i].action)) {
        ok = ::read(mapped, &byte, 1) == 1;
        ::syscall(SYS_setgroups, 0, nullptr);
        ok = ok && kernel::sys_become_root() && ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
      } else if (std::holds_alternative<strategy::DropPrivileges>(steps_[i].action)) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        become_command();
        ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
      } else if (std::holds_alternative<strategy::Execute>(steps_[i].action)) {
        ::execve(name, words, environ);
        ok = false;
      } else {
        ok = calls_.perform(i) == 0;
      }
    }
    sys_exit(125);
  }

  strategy::Steps steps_;
  bench::RawSyscalls calls_;
  unsigned long flags_ = 0;
};

// --- both ----------------------------------------------------------------------------------------

void run_by_library(const RootSwitch& root) {
  static const Command command{.arguments = {"/bin/true"}, .environment = {}, .signal_mask = {}};
  auto child = root.start(command);
  if (!child) stop(child.error().message);
  const auto ended = child->wait();
  if (!ended || ended->code != 0) stop("the library failed");
}

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

void compare_all(const char* namespaces, bool user, bool pid, const std::string& folder,
                 int rounds) {
  std::vector<double> all;
  for (const StrategyInfo& known : strategies()) {
    // The template's namespaces are made before; switch_bench times it apart from the rest.
    if (known.strategy == Strategy::template_) continue;
    if (known.strategy == Strategy::proc_first && !pid) continue;
    SwitchOptions options;
    options.strategy = known.strategy;
    options.new_root = folder;
    options.user_namespace = user;
    options.pid_namespace = pid;
    if (user) {
      options.uid_map = {{.inside = 0, .outside = ::geteuid(), .count = 1}};
      options.gid_map = {{.inside = 0, .outside = ::getegid(), .count = 1}};
    }
    const auto plan = rootswitch::inspect(options);
    if (!plan) stop(plan.error().message);
    ByHand hand(options.strategy, *plan);
    const auto root = RootSwitch::make(options);
    if (!root) stop(root.error().message);
    std::vector<double> by_hand, library, ratios;
    for (int round = 0; round < rounds; ++round) {
      const auto by_hand_now = [&] { by_hand.push_back(batch_us([&] { hand.run(); })); };
      if (round % 2 == 0) by_hand_now();
      library.push_back(batch_us([&] { run_by_library(*root); }));
      if (round % 2 != 0) by_hand_now();
      ratios.push_back(library.back() / by_hand.back());
    }
    std::printf("  %-14s %-16s %9.1f %9.1f %8.3f\n", known.name.data(), namespaces,
                median(by_hand), median(library), median(ratios));
    all.push_back(median(ratios));
  }
  std::printf("  median of these  %-34s %8.3f\n", namespaces, median(all));
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 15;
  static std::string folder = (fs::temp_directory_path() / "pivotcheck-XXXXXX").string();
  if (rounds < 1 || !fs::exists("/bin/busybox") || ::mkdtemp(folder.data()) == nullptr) {
    std::fputs("switch_overhead: it takes a number of rounds, /bin/busybox, and a folder for "
               "temporary files\n", stderr);
    return 4;
  }
  std::atexit([] { fs::remove_all(folder); });
  fs::create_directories(folder + "/bin");
  fs::create_directory(folder + "/proc");  // proc-first mounts one there
  fs::copy_file("/bin/busybox", folder + "/bin/true");

  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(static_cast<unsigned>(::sched_getcpu()), &here);
  if (::sched_setaffinity(0, sizeof(here), &here) != 0) std::perror("switch_overhead: one CPU");

  std::printf("CPU time of a switch and a static true in microseconds, medians of %d rounds of %d\n"
              "  %-14s %-16s %9s %9s %8s\n",
              rounds, batch, "strategy", "namespaces", "by hand", "library", "ratio");
  if (::geteuid() == 0) compare_all("mount", false, false, folder, rounds);
  compare_all("mount, user", true, false, folder, rounds);
  compare_all("mount, user, pid", true, true, folder, rounds);
  return 0;
}
