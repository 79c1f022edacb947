// SPDX-License-Identifier: Apache-2.0
// cycle.h: cycles of one setting, performed by the calling process, which they change for good.
//
// A setting is a strategy and the old tree that it works in: a mount namespace with so many mounts,
// of one propagation, and a directory to be the new root.
//
//     /          a tmpfs that no other namespace has
//     |-- new    the new root, a directory: bin/, proc/
//     |-- proc   a bind of the machine's, where three mounts or more are asked for
//     '-- m/N    binds of one directory, until there are enough
//
// One cycle of it:
//
//     the old tree -- fork -- namespaces -- propagation -- bind -- pivot -- detach -- teardown
//     (not timed)     |<-------------------- setup ----------------------->|        |
//                     |<----------------------------- cycle ----------------------->|
//
// Cycles are timed in turn phase by phase and as a whole, so that reading the clocks in between
// adds nothing to `setup` and `cycle`.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/failure.h"
#include "base/unique_fd.h"
#include "raw_syscalls.h"
#include "scenario/scenario.h"
#include "switch/step_executor.h"
#include "syscalls/id_maps.h"
#include "syscalls/syscalls.h"

namespace pivotcheck::bench {

using rootswitch::StepExecutor;
using strategy::Phase;
using strategy::SwitchStep;
using strategy::Steps;

// What performs the steps: a thread, which goes back with setns and so destroys the namespace that
// it leaves; or a forked child, which exits afterwards.
enum class ExecMode : unsigned char { thread, exits };
enum class Tree : unsigned char { private_, slave, shared };
enum class UserNamespace : unsigned char { none, unmapped, mapped };
// How a step is performed: by the library, or by raw system calls prepared before (raw_syscalls.h).
enum class Impl : unsigned char { library, raw_syscalls };

struct Setting {
  Strategy strategy = Strategy::dot_dot;
  bool own_mounts = false;  // chroot in a mount namespace of its own, which it can do without
  Impl impl = Impl::library;
  ExecMode mode = ExecMode::thread;
  unsigned mounts = 30;  // in the old tree
  Tree tree = Tree::private_;
  unsigned peers = 0;  // other namespaces with a peer of each mount; Tree::shared only
  UserNamespace user = UserNamespace::none;
  // Real work that is added to one phase, in percent of what it takes: a comparison must notice it.
  std::string slow_phase;
  double slow_percent = 0;
};

// What a clock shows, or what passed between two looks at it.
struct Cost {
  double wall_us = 0;
  double cpu_us = 0;  // of the thread, or of the child
};
// Of one cycle, by part.
using Sample = std::map<std::string, Cost, std::less<>>;

// --- clocks and steps ----------------------------------------------------------------------------

inline double read_us(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

inline Cost now() { return {read_us(CLOCK_MONOTONIC), read_us(CLOCK_THREAD_CPUTIME_ID)}; }

// At the end of a child, which used all this.
inline Cost now(const rusage& usage) {
  const auto us = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return {read_us(CLOCK_MONOTONIC), us(usage.ru_utime) + us(usage.ru_stime)};
}

inline Cost between(const Cost& from, const Cost& to) {
  return {to.wall_us - from.wall_us, to.cpu_us - from.cpu_us};
}

template <class Action>
bool is(const SwitchStep& step) {
  return std::holds_alternative<Action>(step.action);
}

inline std::string part_of(Phase phase) {
  return std::string(name(phase)) + (phase == Phase::namespaces ? "s" : "");
}

inline std::unexpected<Failure> refused(const std::string& what, int error) {
  const char* name = ::strerrorname_np(error);
  return fail(what + ": " + (name == nullptr ? std::to_string(error) : name));
}

inline Expected<void> perform_scenario(const std::string& text) {
  const Scenario scenario = parse(text).value();
  StepExecutor executor({});
  for (const ScenarioStep& line : scenario.steps) {
    const int error = executor.perform({.action = line.step.op});
    if (error != 0) return refused("the old tree: " + print(line.step), error);
  }
  return {};
}

// What a strategy is asked for in the old tree.
inline strategy::Plan plan_for(const Setting& setting) {
  strategy::Plan plan;
  for (const char* name : {"bin", "proc"}) {
    plan.contents.push_back(
        {.name = name, .kind = strategy::Entry::Kind::directory, .link_target = ""});
  }
  plan.user_namespace = setting.user != UserNamespace::none;
  plan.mount_namespace = setting.own_mounts;
  return plan;
}

// One in memory that forked children share; it goes with the process.
template <class T>
T& shared_memory() {
  void* memory = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                        0);
  if (memory == MAP_FAILED) std::abort();
  return *new (memory) T;
}

// The old tree, and the setting's strategy performed in it again and again.
class Cycles {
 public:
  // The process is in the old tree afterwards.
  static Expected<Cycles> make(const Setting& setting) {
    Cycles cycles(setting);
    if (auto done = cycles.build_old_tree(); !done) return std::unexpected(done.error());
    cycles.steps_ = cycles.measured(strategy::steps(setting.strategy, plan_for(setting)));
    for (const SwitchStep& step : cycles.steps_) {
      const unsigned long flag = made_by_clone(step);
      if (flag == 0) break;
      cycles.clone_flags_ |= flag;
      ++cycles.clone_steps_;
    }
    if (setting.mode == ExecMode::thread && cycles.clone_flags_ != 0) {
      return fail("a thread can't: it takes a process that is born into its PID or user namespace");
    }
    if (setting.strategy == Strategy::template_) {
      if (auto done = cycles.prepare_template(); !done) return std::unexpected(done.error());
    }
    if (setting.impl == Impl::library) return cycles;
    auto raw = RawSyscalls::of(cycles.steps_);
    if (!raw) return std::unexpected(raw.error());
    cycles.raw_ = std::move(*raw);
    cycles.raw_->bind_namespace("C", cycles.template_.copy);
    cycles.raw_->bind_namespace("T", cycles.template_.empty_root);
    return cycles;
  }

  // One cycle; `phases`: part by part, else `setup` and `cycle` as a whole. A failure names the
  // step and its errno.
  Expected<Sample> run(bool phases) {
    static Trace& trace = shared_memory<Trace>();
    trace = {};
    setting_.mode == ExecMode::thread ? in_thread(trace, phases) : in_child(trace, phases);
    return sample_of(trace, phases);
  }

  // The steps alone, in this process, which stays where they lead.
  Expected<void> perform_steps() {
    Trace trace;
    perform_all(trace, 0, false);
    if (trace.error != 0) return refused(describe(steps_[trace.step]), trace.error);
    return {};
  }

  // What it cost to make the namespaces that template makes once for many switches.
  [[nodiscard]] const Cost& preparation() const { return preparation_; }

 private:
  // In memory that a child shares.
  struct Trace {
    Cost begun;  // of a child: the fork
    Cost ready;  // to perform the first step
    std::array<Cost, static_cast<std::size_t>(Phase::teardown)> phases;  // what each took
    Cost last;  // after the last step
    Cost end;
    std::size_t step = 0;
    int error = 0;  // of this step; 0: nothing was refused
  };

  // Descriptors; -1: none.
  struct TemplateNamespaces {
    int user = -1;  // with a user namespace only, as is the copy of the old tree in it
    int copy = -1;
    int empty_root = -1;
    int error = 0;
  };

  explicit Cycles(const Setting& setting) : setting_(setting) {}

  // --- before the cycles

  Expected<void> build_old_tree() {
    proc_.reset(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
    ::umask(0);
    std::string text = "unshare mnt\nmake-rprivate /\nmount tmpfs /tmp\n";
    for (const char* path : {"new", "new/bin", "new/proc", "proc", "m", "s"}) {
      text += std::string("mkdir /tmp/") + path + "\n";
    }
    if (setting_.mounts >= 3) text += "rbind /proc /tmp/proc\n";
    text += "chdir /tmp\npivot_root . .\numount . detach\nchdir /\n";
    for (unsigned have = setting_.mounts >= 3 ? 2 : 1; have < setting_.mounts; ++have) {
      const std::string place = "/m/" + std::to_string(have);
      text += "mkdir " + place + "\nbind /s " + place + "\n";
    }
    if (setting_.tree != Tree::private_) text += "make-rshared /\n";
    if (auto done = perform_scenario(text); !done) return done;

    // Peers are in copies of this namespace; a slave has its master in one.
    here_ = open_own("mnt");
    const unsigned others = setting_.tree == Tree::slave ? 1 : setting_.peers;
    for (unsigned i = 0; i < others; ++i) {
      if (::unshare(CLONE_NEWNS) != 0) return refused("the old tree: unshare of a peer", errno);
      peers_.push_back(open_own("mnt"));
      if (::setns(here_.get(), CLONE_NEWNS) != 0) return refused("the old tree: setns", errno);
    }
    return perform_scenario(setting_.tree == Tree::slave ? "make-rslave /\n" : "");
  }

  // Without what a cycle does not do: it confines and executes nothing.
  Steps measured(Steps steps) const {
    std::erase_if(steps, [&](const SwitchStep& step) {
      return step.phase == Phase::start ||
             (is<strategy::MapIds>(step) && setting_.user == UserNamespace::unmapped);
    });
    return steps;
  }

  UniqueFd open_own(const char* name_space) const {
    const std::string path = std::string("thread-self/ns/") + name_space;
    return UniqueFd(::openat(proc_.get(), path.c_str(), O_RDONLY | O_CLOEXEC));
  }

  // 0 or an errno, as perform().
  int map_own_ids() const {
    if (kernel::map_root({.proc = proc_.get()}, 0, 0) != nullptr) return errno;
    return kernel::sys_become_root() ? 0 : errno;
  }

  // The template's steps, in a child. It shares our table of descriptors, so what it opens stays.
  [[noreturn]] void prepare_in_child(const Steps& steps, TemplateNamespaces& made) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    StepExecutor executor(steps);
    for (const SwitchStep& step : steps) {
      if (const auto* keep = std::get_if<strategy::KeepNamespace>(&step.action)) {
        const bool copy = keep->name.text == "C";
        if (copy) made.user = open_own("user").release();
        (copy ? made.copy : made.empty_root) = open_own("mnt").release();
      } else if (is<strategy::MapIds>(step)) {
        made.error = map_own_ids();
      } else if (const unsigned long flag = made_by_clone(step); flag != 0) {
        made.error = ::unshare(static_cast<int>(flag)) == 0 ? 0 : errno;
      } else {
        made.error = executor.perform(step);
      }
      if (made.error != 0) break;
    }
    kernel::sys_exit(0);
  }

  Expected<void> prepare_template() {
    const Steps steps = measured(strategy::template_preparation(plan_for(setting_)));
    auto& made = shared_memory<TemplateNamespaces>();
    const Cost begun = now();
    const pid_t pid = kernel::sys_fork(CLONE_FILES | SIGCHLD);
    if (pid == 0) prepare_in_child(steps, made);
    int status = 0;
    ::waitpid(pid, &status, 0);
    preparation_ = between(begun, now());
    template_ = made;
    if (pid > 0 && status == 0 && made.error == 0 && made.empty_root >= 0) return {};
    return refused("template: the preparation failed", made.error);
  }

  // --- one cycle

  int perform(std::size_t index) {
    const SwitchStep& step = steps_[index];
    if (is<strategy::NewPidNamespace>(step)) return 0;  // the clone made it
    if (is<strategy::MapIds>(step)) return map_own_ids();
    if (rootswitch::needs_launcher(step)) {  // setns user
      if (::setns(template_.user, CLONE_NEWUSER) != 0) return errno;
      kernel::sys_become_root();
      return 0;
    }
    return raw_ ? raw_->perform(index) : library_->perform(step);
  }

  void perform_all(Trace& trace, std::size_t first, bool phases) {
    if (!raw_) {
      library_.emplace(steps_);
      if (template_.copy >= 0) library_->bind_namespace("C", template_.copy);
      if (template_.empty_root >= 0) library_->bind_namespace("T", template_.empty_root);
    }
    trace.ready = now();
    Cost before = trace.ready;
    for (std::size_t i = first; i < steps_.size(); ++i) {
      trace.step = i;
      trace.error = perform(i);
      if (trace.error != 0) return;
      const Phase phase = steps_[i].phase;
      if (!phases || (i + 1 < steps_.size() && steps_[i + 1].phase == phase)) continue;
      if (part_of(phase) == setting_.slow_phase) {
        const double done = read_us(CLOCK_MONOTONIC);
        const double until = done + (done - before.wall_us) * setting_.slow_percent / 100;
        while (read_us(CLOCK_MONOTONIC) < until) ::syscall(SYS_getppid);
      }
      const Cost after = now();
      Cost& cost = trace.phases[static_cast<std::size_t>(phase)];
      const Cost more = between(before, after);
      cost = {cost.wall_us + more.wall_us, cost.cpu_us + more.cpu_us};
      before = after;
    }
    trace.last = now();
  }

  void in_thread(Trace& trace, bool phases) {
    perform_all(trace, 0, phases);
    trace.begun = trace.ready;
    if (::setns(here_.get(), CLONE_NEWNS) != 0) std::abort();
    trace.end = now();
  }

  // The child's processor time begins with the clone.
  void in_child(Trace& trace, bool phases) {
    trace.begun = {read_us(CLOCK_MONOTONIC), 0};
    const pid_t pid = kernel::sys_fork(clone_flags_ | SIGCHLD);
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      perform_all(trace, clone_steps_, phases);
      kernel::sys_exit(0);
    }
    rusage usage{};
    int status = pid < 0 ? -1 : 0;
    ::wait4(pid, &status, 0, &usage);
    trace.end = now(usage);
    if (trace.error == 0 && status != 0) trace.error = ECHILD;
  }

  // The setup begins with the clone where that makes namespaces.
  Expected<Sample> sample_of(const Trace& trace, bool phases) const {
    if (trace.error != 0) return refused(describe(steps_[trace.step]), trace.error);
    if (!phases) {
      return Sample{{"setup", between(clone_flags_ != 0 ? trace.begun : trace.ready, trace.last)},
                    {"cycle", between(trace.begun, trace.end)}};
    }
    Sample sample{{"teardown", between(trace.last, trace.end)}};
    if (setting_.mode == ExecMode::exits) sample["fork"] = between(trace.begun, trace.ready);
    for (std::size_t i = 0; i < trace.phases.size(); ++i) {
      if (trace.phases[i].wall_us > 0) sample[part_of(static_cast<Phase>(i))] = trace.phases[i];
    }
    return sample;
  }

  Setting setting_;
  UniqueFd proc_;                // the machine's /proc, which is not in the old tree
  UniqueFd here_;                // the old tree's mount namespace
  std::vector<UniqueFd> peers_;  // the namespaces with peers of its mounts
  strategy::Steps steps_;
  unsigned long clone_flags_ = 0;  // of the namespaces that clone makes instead of the first steps
  std::size_t clone_steps_ = 0;
  TemplateNamespaces template_;
  Cost preparation_;
  std::optional<rootswitch::StepExecutor> library_;
  std::optional<RawSyscalls> raw_;
};

}  // namespace pivotcheck::bench
