// SPDX-License-Identifier: Apache-2.0
// cycle.cc: see cycle.h. Carried is one cycle's steps with the one who performs them; ThreadCarrier
// and ChildCarrier are who goes through them.
#include "cycle.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <sstream>
#include <thread>
#include <variant>

#include "bare_calls.h"
#include "syscalls/syscalls.h"
#include "old_tree.h"
#include "switch/step_executor.h"

namespace pivotcheck::bench {
namespace {

using rootswitch::StepExecutor;
using strategy::Phase;
using strategy::Steps;

// --- clocks --------------------------------------------------------------------------------------

double now_us(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

struct Stamp {
  double wall_us = 0;
  double cpu_us = 0;
  long voluntary = 0;
  long involuntary = 0;

  static Stamp take() {
    rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    return {now_us(CLOCK_MONOTONIC), now_us(CLOCK_THREAD_CPUTIME_ID), usage.ru_nvcsw,
            usage.ru_nivcsw};
  }
};

Cost between(const Stamp& from, const Stamp& to) {
  return {to.wall_us - from.wall_us, to.cpu_us - from.cpu_us,
          static_cast<double>(to.voluntary - from.voluntary),
          static_cast<double>(to.involuntary - from.involuntary), true};
}

// The work that a test plants: system calls, until their share is done.
void spin(double microseconds) {
  const double end = now_us(CLOCK_MONOTONIC) + microseconds;
  while (now_us(CLOCK_MONOTONIC) < end) ::syscall(SYS_getppid);
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

std::string errno_name(int error) {
  const char* known = ::strerrorname_np(error);
  return known == nullptr ? std::to_string(error) : known;
}

// --- steps ---------------------------------------------------------------------------------------

bool is_unshare_user(const strategy::SwitchStep& step) {
  const auto* op = std::get_if<Op>(&step.action);
  const auto* unshare = op == nullptr ? nullptr : std::get_if<Unshare>(op);
  return unshare != nullptr && unshare->kinds.has(NamespaceKind::user);
}

template <class Action>
bool is(const strategy::SwitchStep& step) {
  return std::holds_alternative<Action>(step.action);
}

// Those of the strategy that a benchmark goes through: no confinement, and the exec is the
// carrier's.
Steps steps_for(const Setting& setting, const Steps& all) {
  Steps steps;
  for (const strategy::SwitchStep& step : all) {
    if (step.phase == Phase::start) continue;
    if (is<strategy::MapIds>(step) && setting.user == UserNamespace::unmapped) continue;
    steps.push_back(step);
  }
  return steps;
}

struct Kept {
  UniqueFd user;
  UniqueFd copy;
  UniqueFd template_;
};

// One who performs steps: the library, or bare calls. Made anew for each cycle, before it is timed.
class Hands {
 public:
  Hands(const Setting& setting, const Steps& steps, const Kept& kept, const BareCalls* bare)
      : steps_(steps), user_(kept.user.get()) {
    if (setting.source == Source::bare) {
      bare_ = *bare;
      bare_->bind_namespace("C", kept.copy.get());
      bare_->bind_namespace("T", kept.template_.get());
      return;
    }
    library_.emplace(steps);
    if (kept.copy) library_->bind_namespace("C", kept.copy.get());
    if (kept.template_) library_->bind_namespace("T", kept.template_.get());
  }

  int perform(std::size_t index) {
    const strategy::SwitchStep& step = steps_[index];
    if (is_unshare_user(step)) return ::unshare(CLONE_NEWUSER) == 0 ? 0 : errno;
    if (rootswitch::needs_launcher(step)) {  // setns user
      if (::setns(user_, CLONE_NEWUSER) != 0) return errno;
      kernel::sys_become_root();
      return 0;
    }
    return bare_ ? bare_->perform(index) : library_->perform(step);
  }

 private:
  const Steps& steps_;
  int user_;
  std::optional<StepExecutor> library_;
  std::optional<BareCalls> bare_;
};

struct Job {
  const Work& work;
  Steps steps;
  OldTree tree;
  Kept kept;
  std::optional<BareCalls> bare;
};

struct Refused {
  std::size_t step = 0;
  int error = 0;  // 0: none was
};

// Costs of parts, as the steps go by. Without `phases` only the whole of it.
class Meter {
 public:
  Meter(Sample& sample, bool phases, const Planted& planted)
      : sample_(sample), phases_(phases), planted_(planted), begun_(Stamp::take()), last_(begun_) {}

  void enter(Part part) {
    if (!phases_ || part == part_) return;
    leave();
    part_ = part;
  }

  // At the end of the last part.
  void leave() {
    if (!phases_ && planted_.percent == 0) return;
    if (part_ && *part_ == planted_.part && planted_.percent > 0) {
      spin((now_us(CLOCK_MONOTONIC) - last_.wall_us) * planted_.percent / 100);
    }
    const Stamp stamp = Stamp::take();
    if (part_ && phases_) at(sample_, *part_) += between(last_, stamp);
    last_ = stamp;
    part_.reset();
  }

  // Everything since the beginning is this part, and nothing was in it yet.
  void whole(Part part) {
    if (!phases_) at(sample_, part) = between(begun_, Stamp::take());
  }

 private:
  Sample& sample_;
  bool phases_;
  const Planted& planted_;
  std::optional<Part> part_;
  Stamp begun_;
  Stamp last_;
};

// --- template: made once -------------------------------------------------------------------------

std::string open_namespace(const OldTree& tree, pid_t pid, const char* kind, UniqueFd& fd) {
  const std::string path = std::to_string(pid) + "/ns/" + kind;
  fd.reset(::openat(tree.proc.get(), path.c_str(), O_RDONLY | O_CLOEXEC));
  return fd ? "" : path + ": " + errno_name(errno);
}

bool write_file(const OldTree& tree, pid_t pid, const char* name, const std::string& text) {
  const std::string path = std::to_string(pid) + "/" + name;
  const UniqueFd file(::openat(tree.proc.get(), path.c_str(), O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

bool write_maps(const OldTree& tree, pid_t pid) {
  return write_file(tree, pid, "uid_map", "0 " + std::to_string(::geteuid()) + " 1") &&
         write_file(tree, pid, "setgroups", "deny") &&
         write_file(tree, pid, "gid_map", "0 " + std::to_string(::getegid()) + " 1");
}

// A child that stops at places where its maker has to do something: one byte each way.
struct Talk {
  std::array<UniqueFd, 2> up;
  std::array<UniqueFd, 2> down;

  static std::optional<Talk> make() {
    Talk talk;
    for (auto* pair : {&talk.up, &talk.down}) {
      std::array<int, 2> fds{};
      if (::pipe2(fds.data(), O_CLOEXEC) != 0) return std::nullopt;
      (*pair)[0].reset(fds[0]);
      (*pair)[1].reset(fds[1]);
    }
    return talk;
  }
  void stop() const {  // the child
    char byte = 1;
    if (::write(up[1].get(), &byte, 1) != 1 || ::read(down[0].get(), &byte, 1) != 1) {
      kernel::sys_exit(9);
    }
  }
  [[nodiscard]] bool wait() const {  // the maker
    char byte = 0;
    return ::read(up[0].get(), &byte, 1) == 1;
  }
  void go() const {
    const char byte = 1;
    if (::write(down[1].get(), &byte, 1) != 1) return;  // it has ended, and its status tells
  }
};

[[noreturn]] void prepare_in_child(const Steps& steps, const Talk& talk) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  StepExecutor performer(steps);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (is<strategy::MapIds>(steps[i])) {
      talk.stop();
      kernel::sys_become_root();
    } else if (is<strategy::KeepNamespace>(steps[i])) {
      talk.stop();
    } else if (is_unshare_user(steps[i])) {
      if (::unshare(CLONE_NEWUSER) != 0) kernel::sys_exit(1);
    } else if (performer.perform(steps[i]) != 0) {
      kernel::sys_exit(1);
    }
  }
  kernel::sys_exit(0);
}

Expected<Kept> prepare(const Steps& steps, const OldTree& tree) {
  Kept kept;
  auto talk = Talk::make();
  if (!talk) return fail("template: pipe");
  const pid_t pid = ::fork();
  if (pid < 0) return fail("template: fork");
  if (pid == 0) prepare_in_child(steps, *talk);
  talk->up[1].reset();
  std::string trouble;
  for (const strategy::SwitchStep& step : steps) {
    const bool maps = is<strategy::MapIds>(step);
    const auto* keep = std::get_if<strategy::KeepNamespace>(&step.action);
    if (!maps && keep == nullptr) continue;
    if (!talk->wait()) break;
    if (maps && !write_maps(tree, pid)) trouble = "id maps";
    if (keep != nullptr && keep->name.text == "C") {
      trouble += open_namespace(tree, pid, "user", kept.user);
      trouble += open_namespace(tree, pid, "mnt", kept.copy);
    } else if (keep != nullptr) {
      trouble += open_namespace(tree, pid, "mnt", kept.template_);
    }
    talk->go();
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (status != 0 || !trouble.empty()) return fail("template: the preparation failed " + trouble);
  return kept;
}

// --- a thread ------------------------------------------------------------------------------------

Refused thread_cycle(Job& job, Sample& sample, bool phases) {
  Hands hands(job.work.setting, job.steps, job.kept, job.bare ? &*job.bare : nullptr);
  Refused refused;
  Meter meter(sample, phases, job.work.planted);
  for (std::size_t i = 0; i < job.steps.size(); ++i) {
    meter.enter(part_of(job.steps[i].phase));
    refused = {i, hands.perform(i)};
    if (refused.error != 0) break;
  }
  meter.leave();
  meter.whole(Part::setup);
  meter.enter(Part::teardown);
  if (::setns(job.tree.here.get(), CLONE_NEWNS) != 0) std::abort();
  meter.leave();
  meter.whole(Part::cycle);
  return refused;
}

// --- a child -------------------------------------------------------------------------------------

// In memory that both see.
struct Shared {
  Sample sample;
  Stamp begun;
  Stamp last;
  Refused refused;
};

// The namespaces at the front that a clone makes by itself, as the library's does (launch.cc).
unsigned long flags_of_clone(const Steps& steps, std::size_t& count) {
  unsigned long flags = 0;
  for (count = 0; count < steps.size(); ++count) {
    if (is<strategy::NewPidNamespace>(steps[count])) {
      flags |= CLONE_NEWPID;
    } else if (is_unshare_user(steps[count])) {
      flags |= CLONE_NEWUSER;
    } else {
      break;
    }
  }
  return flags;
}

[[noreturn]] void child_goes(Job& job, Shared& shared, std::size_t first, bool phases,
                             const Talk* talk) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const Setting& setting = job.work.setting;
  Hands hands(setting, job.steps, job.kept, job.bare ? &*job.bare : nullptr);
  shared.begun = Stamp::take();
  Meter meter(shared.sample, phases, job.work.planted);
  for (std::size_t i = first; i < job.steps.size(); ++i) {
    meter.enter(part_of(job.steps[i].phase));
    if (is<strategy::MapIds>(job.steps[i])) {
      talk->stop();
      kernel::sys_become_root();
      continue;
    }
    shared.refused = {i, hands.perform(i)};
    if (shared.refused.error != 0) kernel::sys_exit(0);
  }
  meter.leave();
  shared.last = Stamp::take();
  if (setting.carrier == Carrier::execs) {
    const std::array<const char*, 2> arguments{program, nullptr};
    ::execve(program, const_cast<char* const*>(arguments.data()), nullptr);
    shared.refused = {job.steps.size(), errno};
  }
  kernel::sys_exit(0);
}

double cpu_of(const rusage& usage) {
  const auto us = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

// What the child's own stamps and its end say. Its processor time begins with the clone; and so
// does the setup, where the clone makes namespaces.
void tell(const Shared& shared, bool phases, bool born_into, const Stamp& begun,
          const rusage& usage, Sample& sample) {
  const Stamp end = Stamp::take();
  sample = shared.sample;
  const Stamp born{begun.wall_us, 0, 0, 0};
  const Stamp gone{end.wall_us, cpu_of(usage), usage.ru_nvcsw, usage.ru_nivcsw};
  if (phases) {
    at(sample, Part::carrier) = between(born, shared.begun);
    at(sample, Part::teardown) = between(shared.last, gone);
  } else {
    at(sample, Part::setup) = between(born_into ? born : shared.begun, shared.last);
    at(sample, Part::cycle) = between(born, gone);
  }
}

Refused child_cycle(Job& job, Shared& shared, Sample& sample, bool phases) {
  shared = {};
  std::size_t first = 0;
  const unsigned long flags = flags_of_clone(job.steps, first);
  const bool maps = job.work.setting.user == UserNamespace::mapped &&
                    std::ranges::any_of(job.steps, &is<strategy::MapIds>);
  std::optional<Talk> talk;
  if (maps) talk = Talk::make();
  const Stamp begun = Stamp::take();
  const pid_t pid = kernel::sys_fork(flags | SIGCHLD);
  if (pid < 0) return {0, errno};
  if (pid == 0) child_goes(job, shared, first, phases, talk ? &*talk : nullptr);
  if (talk) {
    talk->up[1].reset();
    if (talk->wait() && write_maps(job.tree, pid)) {
      talk->go();
    } else {
      talk->down[1].reset();
    }
  }
  rusage usage{};
  int status = 0;
  ::wait4(pid, &status, 0, &usage);
  tell(shared, phases, flags != 0, begun, usage, sample);
  if (shared.refused.error == 0 && status != 0) return {job.steps.size(), ECHILD};
  return shared.refused;
}

// --- all of it -----------------------------------------------------------------------------------

Expected<Job> make_job(const Work& work, unsigned worker) {
  Job job{.work = work, .steps = {}, .tree = {}, .kept = {}, .bare = {}};
  const Setting& setting = work.setting;
  const strategy::Plan plan = plan_for(setting, worker);
  job.steps = steps_for(setting, strategy::steps(setting.strategy, plan));
  const bool born = std::ranges::any_of(job.steps, [](const strategy::SwitchStep& step) {
    return is<strategy::NewPidNamespace>(step) || is_unshare_user(step);
  });
  if (setting.carrier == Carrier::thread && born) {
    return fail("a thread can't: it takes a process that is born into its PID or user namespace");
  }
  auto tree = build_old_tree(setting, setting.carrier == Carrier::execs ? work.static_true : "");
  if (!tree) return std::unexpected(tree.error());
  job.tree = std::move(*tree);
  return job;
}

Expected<void> finish_job(Job& job, Sample* sample) {
  const Setting& setting = job.work.setting;
  if (setting.source == Source::bare) {
    auto bare = BareCalls::of(job.steps);
    if (!bare) return std::unexpected(bare.error());
    job.bare = std::move(*bare);
  }
  if (setting.strategy != Strategy::template_) return {};
  const Steps preparation =
      steps_for(setting, strategy::template_preparation(plan_for(setting, 0)));
  const Stamp begun = Stamp::take();
  auto kept = prepare(preparation, job.tree);
  if (!kept) return std::unexpected(kept.error());
  if (sample != nullptr) at(*sample, Part::prepare) = between(begun, Stamp::take());
  job.kept = std::move(*kept);
  return {};
}

std::unexpected<Failure> say(const Job& job, const Refused& refused) {
  const bool at_exec = refused.step >= job.steps.size();
  return fail((at_exec ? "exec" : describe(job.steps[refused.step])) + ": " +
              errno_name(refused.error));
}

// So many of them in memory that children share; it goes with the batch's process.
template <class T>
struct Mapped {
  explicit Mapped(std::size_t count = 1)
      : memory(::mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {}
  void* memory;
  T& operator[](std::size_t index) const { return static_cast<T*>(memory)[index]; }
};

}  // namespace

Expected<void> run_cycles(const Work& work, std::span<Sample> samples) {
  auto job = make_job(work, 0);
  if (!job) return std::unexpected(job.error());
  if (auto done = finish_job(*job, &samples.front()); !done) return done;
  const Mapped<Shared> shared;
  if (shared.memory == MAP_FAILED) return fail("mmap");
  const Cost prepared = at(samples.front(), Part::prepare);
  // The first two warm up, and are not kept.
  for (std::size_t i = 0; i < samples.size() + 2; ++i) {
    Sample& sample = samples[i < 2 ? i : i - 2];
    sample = {};
    const bool phases = i % 2 == 1;
    const Refused refused = work.setting.carrier == Carrier::thread
                                ? thread_cycle(*job, sample, phases)
                                : child_cycle(*job, shared[0], sample, phases);
    if (refused.error != 0) return say(*job, refused);
  }
  at(samples.front(), Part::prepare) = prepared;
  return {};
}

Expected<std::string> mounts_at_the_end(const Work& work) {
  auto job = make_job(work, 0);
  if (!job) return std::unexpected(job.error());
  if (auto done = finish_job(*job, nullptr); !done) return std::unexpected(done.error());
  Hands hands(work.setting, job->steps, job->kept, job->bare ? &*job->bare : nullptr);
  for (std::size_t i = 0; i < job->steps.size(); ++i) {
    if (is<strategy::NewPidNamespace>(job->steps[i])) continue;  // no mount depends on it
    const Refused refused{i, hands.perform(i)};
    if (refused.error != 0) return say(*job, refused);
  }
  const UniqueFd file(::openat(job->tree.proc.get(), "thread-self/mountinfo", O_RDONLY));
  std::string text(1 << 16, '\0');
  const ssize_t size = ::read(file.get(), text.data(), text.size());
  if (size < 0) return fail("mountinfo");  // empty behind a plain chroot: its root is no mount
  text.resize(static_cast<std::size_t>(size));
  // Ids and device numbers are given anew each time: in the order of their appearance.
  std::map<std::string, std::size_t> order;
  std::string result;
  const std::regex number(R"((^|\n)(\d+) (\d+) (\d+:\d+))");
  for (std::sregex_iterator it(text.begin(), text.end(), number), end; it != end; ++it) {
    for (const std::size_t group : {2U, 3U, 4U}) order.try_emplace((*it)[group], order.size());
  }
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      const auto known = order.find(word);
      result += (known == order.end() ? word : "#" + std::to_string(known->second)) + " ";
    }
    result += "\n";
  }
  return result;
}

namespace {

// From when to when one of many was at it. They are stamped by who does it: who waits for them may
// be woken when they are through.
struct Turn {
  double begun_us = 0;
  double ended_us = 0;
};

// One of many: goes through its cycles once all are ready.
template <class Barrier>
Refused one_of_many(Job& job, unsigned cycles, Barrier& start, Turn& turn) {
  Sample ignored{};
  Refused refused = thread_cycle(job, ignored, false);
  start.arrive_and_wait();
  turn.begun_us = now_us(CLOCK_MONOTONIC);
  for (unsigned i = 0; i < cycles && refused.error == 0; ++i) {
    refused = thread_cycle(job, ignored, false);
  }
  turn.ended_us = now_us(CLOCK_MONOTONIC);
  return refused;
}

double from_first_to_last(std::span<const Turn> turns) {
  const double begun = std::ranges::min(turns, {}, &Turn::begun_us).begun_us;
  return std::ranges::max(turns, {}, &Turn::ended_us).ended_us - begun;
}

double cpu_of_process(int who) {
  rusage usage{};
  ::getrusage(who, &usage);
  return cpu_of(usage);
}

// A copy of the job for another worker, with descriptors and a put_old of its own.
Job copy_of(const Job& job, unsigned worker) {
  Job copy{.work = job.work, .steps = {}, .tree = {}, .kept = {}, .bare = {}};
  copy.steps = steps_for(job.work.setting, strategy::steps(job.work.setting.strategy,
                                                           plan_for(job.work.setting, worker)));
  const auto again = [](const UniqueFd& fd) {
    return UniqueFd(fd ? ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0) : -1);
  };
  copy.tree.here = again(job.tree.here);
  copy.tree.proc = again(job.tree.proc);
  copy.kept.template_ = again(job.kept.template_);
  return copy;
}

Refused run_threads(Job& job, unsigned cycles, double& wall_us) {
  const unsigned count = job.work.setting.parallel;
  std::barrier start(count);
  std::vector<Refused> refused(count);
  std::vector<Turn> turns(count);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      if (::unshare(CLONE_FS) != 0) std::abort();  // setns wants a root of one's own
      Job own = copy_of(job, i);
      refused[i] = one_of_many(own, cycles, start, turns[i]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  wall_us = from_first_to_last(turns);
  for (const Refused& one : refused) {
    if (one.error != 0) return one;
  }
  return {};
}

// As much of std::barrier as processes need: a pipe tells that one is ready, another lets all go.
struct Gate {
  const Talk& talk;
  void arrive_and_wait() const { talk.stop(); }
};

Refused run_processes(Job& job, unsigned cycles, double& wall_us) {
  const unsigned count = job.work.setting.parallel;
  const auto talk = Talk::make();
  const Mapped<Turn> turns(count);
  if (!talk || turns.memory == MAP_FAILED) return {0, EMFILE};
  std::vector<pid_t> children;
  for (unsigned i = 0; i < count; ++i) {
    const pid_t pid = ::fork();
    if (pid < 0) return {0, errno};
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      Job own = copy_of(job, i);
      Gate gate{*talk};
      kernel::sys_exit(one_of_many(own, cycles, gate, turns[i]).error);
    }
    children.push_back(pid);
  }
  for (unsigned i = 0; i < count; ++i) {
    if (!talk->wait()) return {0, ECHILD};
  }
  for (unsigned i = 0; i < count; ++i) talk->go();
  Refused refused;
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    if (status != 0) refused = {0, WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD};
  }
  wall_us = from_first_to_last({&turns[0], count});
  return refused;
}

}  // namespace

Expected<void> run_parallel(const Work& work, unsigned cycles, Sample& sample) {
  auto job = make_job(work, 0);
  if (!job) return std::unexpected(job.error());
  if (auto done = finish_job(*job, nullptr); !done) return done;
  const int who = work.setting.processes ? RUSAGE_CHILDREN : RUSAGE_SELF;
  const double cpu = cpu_of_process(who);
  double wall_us = 0;
  const Refused refused = work.setting.processes ? run_processes(*job, cycles, wall_us)
                                                 : run_threads(*job, cycles, wall_us);
  if (refused.error != 0) return say(*job, refused);
  const double all = static_cast<double>(cycles) * work.setting.parallel;
  // The processor time has the first cycle of each worker in it, which is not timed.
  const double cycles_and_first = all + work.setting.parallel;
  sample = {};
  at(sample, Part::cycle) = {wall_us / all, (cpu_of_process(who) - cpu) / cycles_and_first, 0, 0,
                             true};
  return {};
}

}  // namespace pivotcheck::bench
