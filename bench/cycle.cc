// SPDX-License-Identifier: Apache-2.0
// cycle.cc: clocks, steps, and the two ways to perform them: in a thread and in a child.
#include "cycle.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "syscalls/id_maps.h"
#include "syscalls/syscalls.h"

namespace pivotcheck::bench {
namespace {

using rootswitch::StepExecutor;
using strategy::SwitchStep;
using strategy::Steps;

// --- clocks --------------------------------------------------------------------------------------

double read_us(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

struct Stamp {
  double wall_us = 0;
  double cpu_us = 0;

  static Stamp take() { return {read_us(CLOCK_MONOTONIC), read_us(CLOCK_THREAD_CPUTIME_ID)}; }
  // At the end of a child, which used all this.
  static Stamp take(const rusage& usage) {
    const auto us = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
    };
    return {read_us(CLOCK_MONOTONIC), us(usage.ru_utime) + us(usage.ru_stime)};
  }
};

Cost between(const Stamp& from, const Stamp& to) {
  return {to.wall_us - from.wall_us, to.cpu_us - from.cpu_us};
}

// --- steps ---------------------------------------------------------------------------------------

template <class Action>
bool is(const SwitchStep& step) {
  return std::holds_alternative<Action>(step.action);
}

bool is_unshare_user(const SwitchStep& step) {
  const auto* op = std::get_if<Op>(&step.action);
  const auto* unshare = op == nullptr ? nullptr : std::get_if<Unshare>(op);
  return unshare != nullptr && unshare->kinds.has(NamespaceKind::user);
}

std::string part_of(const SwitchStep& step) {
  return std::string(name(step.phase)) + (step.phase == strategy::Phase::namespaces ? "s" : "");
}

// A cycle confines and executes nothing.
void keep_what_is_measured(const Setting& setting, Steps& steps) {
  std::erase_if(steps, [&](const SwitchStep& step) {
    return step.phase == strategy::Phase::start ||
           (is<strategy::MapIds>(step) && setting.user == UserNamespace::unmapped);
  });
}

int map_own_ids(int proc) {
  if (kernel::map_root({.proc = proc}, 0, 0) != nullptr) return errno;
  return kernel::sys_become_root() ? 0 : errno;
}

// The template's steps, in a child. It shares our table of descriptors, so what it opens stays.
[[noreturn]] void prepare_in_child(const Steps& steps, int proc, TemplateNamespaces& made) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  StepExecutor executor(steps);
  const auto open_own = [proc](const char* name) {
    return ::openat(proc, (std::string("thread-self/ns/") + name).c_str(), O_RDONLY | O_CLOEXEC);
  };
  for (const SwitchStep& step : steps) {
    if (const auto* keep = std::get_if<strategy::KeepNamespace>(&step.action)) {
      const bool copy = keep->name.text == "C";
      if (copy) made.user = open_own("user");
      (copy ? made.copy : made.empty_root) = open_own("mnt");
    } else if (is<strategy::MapIds>(step)) {
      made.error = map_own_ids(proc);
    } else if (is_unshare_user(step)) {
      made.error = ::unshare(CLONE_NEWUSER) == 0 ? 0 : errno;
    } else {
      made.error = executor.perform(step);
    }
    if (made.error != 0) break;
  }
  kernel::sys_exit(0);
}

// One in memory that forked children share; it goes with the process.
template <class T>
T& shared_memory() {
  void* memory = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                        0);
  if (memory == MAP_FAILED) std::abort();
  return *new (memory) T;
}

// The namespaces of the first steps that clone makes by itself, as the library has it (launch.cc),
// and the number of these steps.
struct CloneFlags {
  unsigned long flags = 0;
  std::size_t steps = 0;
};

CloneFlags flags_of_clone(const Steps& steps) {
  CloneFlags clone;
  for (const SwitchStep& step : steps) {
    if (!is<strategy::NewPidNamespace>(step) && !is_unshare_user(step)) break;
    clone.flags |= is_unshare_user(step) ? CLONE_NEWUSER : CLONE_NEWPID;
    ++clone.steps;
  }
  return clone;
}

}  // namespace

Cycles::Cycles(const Setting& setting, const Planted& planted, OldTree tree)
    : setting_(setting),
      planted_(planted),
      tree_(std::move(tree)),
      steps_(strategy::steps(setting.strategy, plan_for(setting))) {
  keep_what_is_measured(setting, steps_);
}

Expected<Cycles> Cycles::make(const Setting& setting, const Planted& planted) {
  auto tree = build_old_tree(setting);
  if (!tree) return std::unexpected(tree.error());
  Cycles cycles(setting, planted, std::move(*tree));
  if (setting.mode == ExecMode::thread && flags_of_clone(cycles.steps_).flags != 0) {
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

Expected<void> Cycles::prepare_template() {
  Steps steps = strategy::template_preparation(plan_for(setting_));
  keep_what_is_measured(setting_, steps);
  auto& made = shared_memory<TemplateNamespaces>();
  const Stamp begun = Stamp::take();
  const pid_t pid = kernel::sys_fork(CLONE_FILES | SIGCHLD);
  if (pid == 0) prepare_in_child(steps, tree_.proc.get(), made);
  int status = 0;
  ::waitpid(pid, &status, 0);
  preparation_ = between(begun, Stamp::take());
  template_ = made;
  if (pid > 0 && status == 0 && made.error == 0 && made.empty_root >= 0) return {};
  return fail(std::string("template: the preparation failed: ") + ::strerror(made.error));
}

int Cycles::perform(std::size_t index) {
  const SwitchStep& step = steps_[index];
  if (is<strategy::NewPidNamespace>(step)) return 0;  // the clone made it
  if (is<strategy::MapIds>(step)) return map_own_ids(tree_.proc.get());
  if (rootswitch::needs_launcher(step)) {  // setns user
    if (::setns(template_.user, CLONE_NEWUSER) != 0) return errno;
    kernel::sys_become_root();
    return 0;
  }
  return raw_ ? raw_->perform(index) : library_->perform(step);
}

// --- one cycle -----------------------------------------------------------------------------------

// In memory that a child shares.
struct Cycles::Trace {
  Stamp begun;  // of a child: the fork
  Stamp ready;  // to perform the first step
  std::array<Stamp, 64> phase_ends;  // by step, where it is the last of its phase; else 0
  Stamp last;   // after the last step
  Stamp end;
  std::size_t step = 0;
  int error = 0;  // of this step; 0: nothing was refused
};

void Cycles::perform_all(Trace& trace, std::size_t first, bool phases) {
  if (!raw_) {
    library_.emplace(steps_);
    if (template_.copy >= 0) library_->bind_namespace("C", template_.copy);
    if (template_.empty_root >= 0) library_->bind_namespace("T", template_.empty_root);
  }
  trace.ready = Stamp::take();
  double phase_began = trace.ready.wall_us;
  for (std::size_t i = first; i < steps_.size(); ++i) {
    trace.step = i;
    trace.error = perform(i);
    if (trace.error != 0) return;
    if (!phases || (i + 1 < steps_.size() && steps_[i + 1].phase == steps_[i].phase)) continue;
    if (planted_.percent > 0 && part_of(steps_[i]) == planted_.phase) {
      const double now = read_us(CLOCK_MONOTONIC);
      const double until = now + (now - phase_began) * planted_.percent / 100;
      while (read_us(CLOCK_MONOTONIC) < until) ::syscall(SYS_getppid);
    }
    trace.phase_ends[i] = Stamp::take();
    phase_began = trace.phase_ends[i].wall_us;
  }
  trace.last = Stamp::take();
}

void Cycles::in_thread(Trace& trace, bool phases) {
  perform_all(trace, 0, phases);
  trace.begun = trace.ready;
  if (::setns(tree_.here.get(), CLONE_NEWNS) != 0) std::abort();
  trace.end = Stamp::take();
}

// The child's processor time begins with the clone; so does the setup where the clone makes
// namespaces.
void Cycles::in_child(Trace& trace, bool phases) {
  const CloneFlags clone = flags_of_clone(steps_);
  trace.begun = {read_us(CLOCK_MONOTONIC), 0};
  const pid_t pid = kernel::sys_fork(clone.flags | SIGCHLD);
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    perform_all(trace, clone.steps, phases);
    kernel::sys_exit(0);
  }
  rusage usage{};
  int status = pid < 0 ? -1 : 0;
  ::wait4(pid, &status, 0, &usage);
  trace.end = Stamp::take(usage);
  if (trace.error == 0 && status != 0) trace.error = ECHILD;
}

Sample Cycles::sample_of(const Trace& trace, bool phases) const {
  Sample sample;
  const bool thread = setting_.mode == ExecMode::thread;
  if (!phases) {
    const bool clone_makes_some = flags_of_clone(steps_).flags != 0;
    sample["setup"] = between(clone_makes_some ? trace.begun : trace.ready, trace.last);
    sample["cycle"] = between(trace.begun, trace.end);
    return sample;
  }
  if (!thread) sample["fork"] = between(trace.begun, trace.ready);
  Stamp before = trace.ready;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (trace.phase_ends[i].wall_us == 0) continue;
    const Cost more = between(before, trace.phase_ends[i]);
    Cost& cost = sample[part_of(steps_[i])];
    cost = {cost.wall_us + more.wall_us, cost.cpu_us + more.cpu_us};
    before = trace.phase_ends[i];
  }
  sample["teardown"] = between(trace.last, trace.end);
  return sample;
}

Expected<void> Cycles::result(const Trace& trace) const {
  if (trace.error == 0) return {};
  const char* error = ::strerrorname_np(trace.error);
  return fail(describe(steps_[trace.step]) + ": " +
              (error == nullptr ? std::to_string(trace.error) : error));
}

Expected<Sample> Cycles::run(bool phases) {
  static Trace& trace = shared_memory<Trace>();
  trace = {};
  if (steps_.size() > trace.phase_ends.size()) return fail("the strategy has too many steps");
  setting_.mode == ExecMode::thread ? in_thread(trace, phases) : in_child(trace, phases);
  if (auto done = result(trace); !done) return std::unexpected(done.error());
  return sample_of(trace, phases);
}

Expected<void> Cycles::perform_steps() {
  Trace trace;
  perform_all(trace, 0, false);
  return result(trace);
}

}  // namespace pivotcheck::bench
