// SPDX-License-Identifier: Apache-2.0
// cycle.cc: clocks, steps, and the two ways to go through them: in a thread and in a child.
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
using strategy::Phase;
using strategy::SwitchStep;
using strategy::Steps;

// --- clocks --------------------------------------------------------------------------------------

double read_us(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

double now_us() { return read_us(CLOCK_MONOTONIC); }

struct Stamp {
  double wall_us = now_us();
  double cpu_us = read_us(CLOCK_THREAD_CPUTIME_ID);
};

Cost between(const Stamp& from, const Stamp& to) {
  return {to.wall_us - from.wall_us, to.cpu_us - from.cpu_us, true};
}

Part part_of(Phase phase) {
  switch (phase) {
    case Phase::prepare: return Part::prepare;
    case Phase::namespaces: return Part::namespaces;
    case Phase::propagation: return Part::propagation;
    case Phase::bind: return Part::bind;
    case Phase::pivot: return Part::pivot;
    case Phase::detach: return Part::detach;
    case Phase::start:
    case Phase::teardown: return Part::teardown;
  }
  return Part::teardown;
}

// Costs of parts, as the steps go by; without `phases` only of the whole.
class Meter {
 public:
  Meter(Sample& sample, bool phases, const Planted& planted)
      : sample_(sample), phases_(phases), planted_(planted) {}

  // What follows belongs to this part; nullopt: to none.
  void enter(std::optional<Part> part) {
    if (!phases_ || part == part_) return;
    if (part_ && *part_ == planted_.part && planted_.percent > 0) {
      const double end = now_us() + (now_us() - last_.wall_us) * planted_.percent / 100;
      while (now_us() < end) ::syscall(SYS_getppid);
    }
    const Stamp now;
    if (part_) {
      Cost& cost = at(sample_, *part_);
      const Cost more = between(last_, now);
      cost = {cost.wall_us + more.wall_us, cost.cpu_us + more.cpu_us, true};
    }
    part_ = part;
    last_ = now;
  }

  // All since the beginning is this part.
  void whole(Part part) {
    if (!phases_) at(sample_, part) = between(begun_, Stamp());
  }

  [[nodiscard]] const Stamp& begun() const { return begun_; }

 private:
  Sample& sample_;
  bool phases_;
  const Planted& planted_;
  std::optional<Part> part_;
  Stamp begun_;
  Stamp last_ = begun_;
};

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

// A cycle confines and executes nothing.
void keep_what_is_measured(const Setting& setting, Steps& steps) {
  std::erase_if(steps, [&](const SwitchStep& step) {
    return step.phase == Phase::start ||
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
  const Stamp begun;
  const pid_t pid = kernel::sys_fork(CLONE_FILES | SIGCHLD);
  if (pid == 0) prepare_in_child(steps, tree_.proc.get(), made);
  int status = 0;
  ::waitpid(pid, &status, 0);
  preparation_ = between(begun, Stamp());
  template_ = made;
  if (pid > 0 && status == 0 && made.error == 0 && made.empty_root >= 0) return {};
  return fail(std::string("template: the preparation failed: ") + ::strerror(made.error));
}

// Before each cycle; not timed.
void Cycles::begin() {
  if (raw_) return;
  library_.emplace(steps_);
  if (template_.copy >= 0) library_->bind_namespace("C", template_.copy);
  if (template_.empty_root >= 0) library_->bind_namespace("T", template_.empty_root);
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

Expected<void> Cycles::result(const Refused& refused) const {
  if (refused.error == 0) return {};
  const char* name = ::strerrorname_np(refused.error);
  return fail(describe(steps_[refused.step]) + ": " +
              (name == nullptr ? std::to_string(refused.error) : name));
}

Expected<void> Cycles::run(Sample& sample, bool phases) {
  return result(setting_.mode == ExecMode::thread ? in_thread(sample, phases)
                                                  : in_child(sample, phases));
}

Expected<void> Cycles::perform_steps() {
  begin();
  Refused refused;
  for (std::size_t i = 0; i < steps_.size() && refused.error == 0; ++i) refused = {i, perform(i)};
  return result(refused);
}

// --- a thread ------------------------------------------------------------------------------------

Cycles::Refused Cycles::in_thread(Sample& sample, bool phases) {
  begin();
  Refused refused;
  Meter meter(sample, phases, planted_);
  for (std::size_t i = 0; i < steps_.size() && refused.error == 0; ++i) {
    meter.enter(part_of(steps_[i].phase));
    refused = {i, perform(i)};
  }
  meter.enter(std::nullopt);
  meter.whole(Part::setup);
  meter.enter(Part::teardown);
  if (::setns(tree_.here.get(), CLONE_NEWNS) != 0) std::abort();
  meter.enter(std::nullopt);
  meter.whole(Part::cycle);
  return refused;
}

// --- a child -------------------------------------------------------------------------------------

// In memory that both see.
struct Cycles::ChildReport {
  Sample sample;
  Stamp begun;
  Stamp last;
  Refused refused;
};

void Cycles::run_child(std::size_t first, bool phases, ChildReport& report) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  begin();
  Meter meter(report.sample, phases, planted_);
  report.begun = meter.begun();
  for (std::size_t i = first; i < steps_.size(); ++i) {
    meter.enter(part_of(steps_[i].phase));
    report.refused = {i, perform(i)};
    if (report.refused.error != 0) kernel::sys_exit(0);
  }
  meter.enter(std::nullopt);
  report.last = Stamp();
  kernel::sys_exit(0);
}

// The child's processor time begins with the clone; so does the setup where the clone makes
// namespaces.
Cycles::Refused Cycles::in_child(Sample& sample, bool phases) {
  static ChildReport& report = shared_memory<ChildReport>();
  report = {};
  const CloneFlags clone = flags_of_clone(steps_);
  const Stamp begun{now_us(), 0};
  const pid_t pid = kernel::sys_fork(clone.flags | SIGCHLD);
  if (pid < 0) return {0, errno};
  if (pid == 0) run_child(clone.steps, phases, report);
  rusage usage{};
  int status = 0;
  ::wait4(pid, &status, 0, &usage);
  const auto us = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  const Stamp end{now_us(), us(usage.ru_utime) + us(usage.ru_stime)};
  sample = report.sample;
  if (phases) {
    at(sample, Part::fork) = between(begun, report.begun);
    at(sample, Part::teardown) = between(report.last, end);
  } else {
    at(sample, Part::setup) = between(clone.flags != 0 ? begun : report.begun, report.last);
    at(sample, Part::cycle) = between(begun, end);
  }
  if (report.refused.error == 0 && status != 0) return {0, ECHILD};
  return report.refused;
}

}  // namespace pivotcheck::bench
