// SPDX-License-Identifier: Apache-2.0
// harness_bench.cc: what the harness costs on top of the kernel. In one run, interleaved at random:
//
//     harness    whole cases as `pivotcheck explore` does them: generate (which predicts), perform,
//                read, compare
//     bare       the system calls and reads of the very same cases, and nothing else: no model, no
//                generator, no comparison, no protocol; nothing is parsed or kept. Recorded once
//                are the steps, and the tasks left at the end with their descriptors. For each
//                case: a fresh world; the steps; the same links, listmount, statmount; each 16th
//                time mountinfo
//
// for 1 to 16 workers, each a process of its own on either side. Ends with a line for each number
// of workers: the medians of the rates, their ratio, which should stay below 1.5, and the ratio of
// the processor time that both took. `model_steps` is the model alone: the steps of these cases, and
// the worlds they are performed in.
//
// On the bare side the executor's own code makes the calls (check/driver/executor.h), so that both
// sides have the same reset, tasks and turns. Its reads are those of observe/observe.cc written once
// more, on purpose: without what is made of them.
//
// Cases wait for RCU, so the best rate takes several workers for each core. On a machine that
// others use as well, a process that sleeps waits for them before it goes on, and the harness
// sleeps more often (its two processes take turns): there the ratio of processor time counts.
//
// Exit status: 0; 2 bad usage; 3 a world can't be made or read; 4 nothing can run here.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "check/driver/executor.h"
#include "check/driver/fresh_world.h"
#include "check/driver/kernel_driver.h"
#include "check/driver/shared_schedule.h"
#include "check/driver/wire.h"
#include "check/gen/choices.h"
#include "check/gen/coverage_stats.h"
#include "check/gen/scenario_generator.h"
#include "check/trial/probed_traits.h"
#include "check/trial/trial.h"
#include "model/apply.h"
#include "observe/proc.h"
#include "observe/statmount.h"
#include "scenario/program.h"
#include "syscalls/mount_api.h"

namespace {

using namespace pivotcheck;
namespace api = kernel::statmount_api;

constexpr std::uint64_t seed = 1;
constexpr std::size_t cases_recorded = 512;
constexpr std::uint64_t cases_each = 64;  // of one worker, in one iteration
constexpr std::size_t workers_max = 16;
constexpr int cross_check_every = 16;  // as `pivotcheck explore` does it

// Cases [first, first + count), again from the first after the last.
struct CaseRange {
  std::uint64_t first;
  std::uint64_t count;
};

// Until the socket is closed: reads a CaseRange, does each case, answers with a byte. Ends when
// `one_case` returns false.
template <class OneCase>
void serve(int socket, OneCase one_case) {
  for (CaseRange range{}; ::recv(socket, &range, sizeof(range), MSG_WAITALL) == sizeof(range);) {
    for (std::uint64_t i = 0; i < range.count; ++i) {
      if (!one_case((range.first + i) % cases_recorded)) return;
    }
    if (::send(socket, "", 1, MSG_NOSIGNAL) != 1) return;
  }
}

// --- the bare side -------------------------------------------------------------------------------

struct TaskLeft {
  int number;  // of the task
  std::vector<int> descriptors;
};

struct Recording {
  kernel::Batch batch;
  Program program;
  std::vector<TaskLeft> left;
};

// Set before an executor is launched, which is a copy of this process.
std::vector<Recording> recordings;

// The system calls of observe/observe.cc. What is known already (a namespace, a directory) is not
// read again, there as here.
class Reads {
 public:
  void of_case(const kernel::SharedSchedule& schedule, const Recording& recording,
               bool mountinfo_too) {
    of_tasks(schedule, recording, false);
    for (const auto& [inode, identity] : namespaces_) of_namespace(identity);
    if (mountinfo_too) of_tasks(schedule, recording, true);
  }

 private:
  using Namespace = std::pair<ino_t, NamespaceIdentity>;
  using Place = std::pair<std::uint64_t, std::uint64_t>;  // inode, mount

  void of_tasks(const kernel::SharedSchedule& schedule, const Recording& recording,
                bool with_mountinfo) {
    namespaces_.clear();
    places_.clear();
    for (const TaskLeft& task : recording.left) {
      TaskFiles files(kernel::reserved_fds::proc, schedule.outer_pid(task.number));
      const bool new_namespace = identify(files);
      of_place(files, "root");
      of_place(files, "cwd");
      for (const int descriptor : task.descriptors) {
        of_place(files, "fd/" + std::to_string(descriptor));
      }
      if (new_namespace && with_mountinfo) {
        static_cast<void>(files.read_file("mountinfo", mountinfo_));
      }
    }
  }

  // Is it a namespace that was not known?
  bool identify(TaskFiles& files) {
    unsigned long inode = 0;
    if (!namespaces_.empty()) {
      const std::string link = files.read_link("ns/mnt").value_or("");
      static_cast<void>(std::sscanf(link.c_str(), "mnt:[%lu]", &inode));
    }
    if (std::ranges::find(namespaces_, inode, &Namespace::first) != namespaces_.end()) return false;
    const auto fd = files.open("ns/mnt");
    if (fd) namespaces_.emplace_back(inode_of(fd->get()), identify_namespace(fd->get()));
    return true;
  }

  void of_place(TaskFiles& files, const std::string& name) {
    struct statx status {};
    const unsigned mask = STATX_TYPE | STATX_INO | STATX_NLINK | STATX_MNT_ID_UNIQUE;
    if (::statx(files.proc(), files.path(name), AT_NO_AUTOMOUNT, mask, &status) != 0) return;
    const Place one{status.stx_ino, status.stx_mnt_id};
    if (std::ranges::find(places_, one) != places_.end()) return;
    static_cast<void>(files.read_link(name));
    if (S_ISDIR(status.stx_mode)) places_.push_back(one);
  }

  void of_namespace(const NamespaceIdentity& identity) {
    if (identity.mounts == 0) return;
    std::array<std::uint64_t, 512> ids{};
    api::Request request{.mount = LSMT_ROOT, .parameter = 0, .mount_namespace = identity.id};
    const long count = ::syscall(SYS_listmount, &request, ids.data(), ids.size(), 0);
    request.parameter = STATMOUNT_SB_BASIC | STATMOUNT_MNT_BASIC | STATMOUNT_MNT_ROOT |
                        STATMOUNT_MNT_POINT | STATMOUNT_FS_TYPE;
    for (long i = 0; i < count; ++i) {
      request.mount = ids[static_cast<std::size_t>(i)];
      ::syscall(SYS_statmount, &request, reply_.data(), reply_.size(), 0);
    }
  }

  std::vector<Namespace> namespaces_;  // the memory is kept from case to case
  std::vector<Place> places_;
  std::string mountinfo_;
  alignas(8) std::array<char, 16384> reply_{};
};

void serve_recordings(kernel::TaskContext& context, int owner) {
  Reads reads;
  unsigned cases = 0;
  serve(owner, [&](std::uint64_t number) {
    const Recording& one = recordings[number];
    if (kernel::end_world(context, one.batch.request.steps.size())) return false;
    kernel::run_in_fresh_namespace(context, one.batch);
    reads.of_case(*context.schedule, one, cases++ % cross_check_every == 0);
    return true;
  });
}

Expected<Recording> record_one(KernelDriver& driver, const Prediction& generated) {
  const Program& program = generated.program;
  Recording recording;
  recording.program = program;
  recording.batch.request = {.steps = program.steps, .predicted = generated.outcomes()};
  recording.batch.plan = kernel::plan_tasks(program.steps);
  const auto performed =
      driver.perform(program, recording.batch.request.predicted, std::chrono::seconds(10));
  if (!performed) return std::unexpected(performed.error());
  if (performed->outcomes != recording.batch.request.predicted) return fail("they disagree");
  for (const LiveTask& task : performed->tasks) {
    const auto number = std::ranges::find(program.tasks, task.name) - program.tasks.begin();
    TaskLeft& left = recording.left.emplace_back(static_cast<int>(number), std::vector<int>());
    for (const auto& handle : task.handles) left.descriptors.push_back(handle.second);
  }
  return recording;
}

Expected<void> record_all(KernelDriver& driver) {
  const ScenarioGenerator generator(
      {.privilege = Privilege::userns, .traits = probed_traits().traits});
  for (std::uint64_t number = 0; number < cases_recorded; ++number) {
    SeededChoices choices(seed, number);
    auto one = record_one(driver, generator.generate(choices));
    if (!one) return fail("case " + std::to_string(number) + ": " + one.error().what);
    recordings.push_back(std::move(*one));
  }
  return {};
}

Expected<kernel::Executor> launch_bare() {
  auto executor = kernel::launch_executor(Privilege::userns, serve_recordings);
  if (!executor) return executor;
  kernel::Bytes body;  // that it is set up
  if (kernel::receive_frame(executor->socket.get(), body, {}) != kernel::IoStatus::ok) {
    return fail("the bare executor died");
  }
  if (const auto ready = kernel::decode_progress(body); !ready) {
    return fail("the bare executor can't set up its world: " + ready.error().what);
  }
  return executor;
}

// --- the harness's side --------------------------------------------------------------------------

void serve_cases(int owner) {
  auto trial = Trial::make({.traits = {}, .cross_check_every = cross_check_every});
  if (!trial || !trial->start(Privilege::userns)) return;
  const ScenarioGenerator generator({.privilege = Privilege::userns, .traits = trial->traits()});
  gen::CoverageStats stats;
  serve(owner, [&](std::uint64_t number) {
    SeededChoices choices(seed, number);
    const Prediction generated = generator.generate(choices);
    stats.add(generated);
    const TrialResult result = trial->run_predicted(generated);
    if (result.kind != TrialResult::Kind::agree) {
      std::fprintf(stderr, "case %lu: %s\n", number, result.reason.c_str());
    }
    return true;
  });
}

// --- both sides ----------------------------------------------------------------------------------

// Seconds of processor time of a process and of its children that have ended: utime to cstime, the
// fields 14 to 17 of proc_pid_stat(5).
double cpu_seconds(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string skipped;
  std::getline(file, skipped, ')');
  for (int field = 3; field < 14; ++field) file >> skipped;
  std::array<double, 4> ticks{};
  for (double& one : ticks) file >> one;
  return (ticks[0] + ticks[1] + ticks[2] + ticks[3]) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

kernel::Executor launch_harness() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) std::abort();
  const pid_t pid = ::fork();
  if (pid < 0) std::abort();
  if (pid == 0) {
    ::close(ends[0]);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    serve_cases(ends[1]);
    ::_exit(0);
  }
  ::close(ends[1]);
  return {.pid = pid, .pidfd = {}, .socket = UniqueFd(ends[0])};
}

class Workers {
 public:
  void add(kernel::Executor worker) { workers_.push_back(std::move(worker)); }
  ~Workers() {
    for (kernel::Executor& worker : workers_) {
      ::kill(worker.pid, SIGKILL);
      ::waitpid(worker.pid, nullptr, __WALL);
    }
  }

  // So many workers do cases_each at the same time, each from another place in the list.
  bool run(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const CaseRange range{begun_ + i * cases_recorded / count, cases_each};
      if (::send(workers_[i].socket.get(), &range, sizeof(range), MSG_NOSIGNAL) != sizeof(range)) {
        return false;
      }
    }
    begun_ += cases_each;
    char done = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (::recv(workers_[i].socket.get(), &done, 1, 0) != 1) return false;
    }
    return true;
  }

  // Seconds of all and of their children so far.
  [[nodiscard]] double cpu() const {
    double sum = 0;
    for (const kernel::Executor& worker : workers_) {
      sum += cpu_seconds(worker.pid);
      const std::string number = std::to_string(worker.pid);
      std::ifstream children("/proc/" + number + "/task/" + number + "/children");
      for (pid_t pid = 0; children >> pid;) sum += cpu_seconds(pid);
    }
    return sum;
  }

 private:
  std::vector<kernel::Executor> workers_;
  std::uint64_t begun_ = 0;
};

// Of all repetitions with one number of workers.
struct Figures {
  std::vector<double> rates;  // cases a second
  double cpu_us = 0;          // of a case, the sum: the clock is too coarse for one repetition
};
std::map<std::string, std::map<std::size_t, Figures>> all_figures;

void measure(benchmark::State& state, const std::string& side, Workers& all) {
  const auto workers = static_cast<std::size_t>(state.range(0));
  const auto cases = static_cast<double>(workers * cases_each);
  for (auto _ : state) {
    const double cpu = all.cpu();
    const auto begun = std::chrono::steady_clock::now();
    if (!all.run(workers)) return state.SkipWithError("a worker died");
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    state.SetIterationTime(took.count());
    Figures& figures = all_figures[side][workers];
    figures.rates.push_back(cases / took.count());
    figures.cpu_us += (all.cpu() - cpu) * 1e6 / cases;
  }
}

void add(const char* side, Workers& workers) {
  benchmark::RegisterBenchmark(
      side, [side, &workers](benchmark::State& state) { measure(state, side, workers); })
      ->RangeMultiplier(2)
      ->Range(1, workers_max)
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond)
      ->Iterations(1)
      ->Repetitions(15)
      ->DisplayAggregatesOnly();
}

void print_ratios() {
  const auto median = [](std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
  };
  for (const auto& [workers, bare] : all_figures["bare"]) {
    const Figures& harness = all_figures["harness"][workers];
    if (harness.rates.empty()) continue;
    const double with = median(harness.rates), without = median(bare.rates);
    const auto rounds = static_cast<double>(bare.rates.size());
    std::printf(
        "workers %2zu: harness %6.0f cases/s, bare %6.0f cases/s, ratio %.2f; processor "
        "time %4.0f us, bare %4.0f us, ratio %.2f\n",
        workers, with, without, without / with, harness.cpu_us / rounds, bare.cpu_us / rounds,
        harness.cpu_us / bare.cpu_us);
  }
}

void model_steps(benchmark::State& state) {
  const KernelTraits traits = probed_traits().traits;
  std::size_t cases = 0, steps = 0;
  for (auto _ : state) {
    const Program& program = recordings[cases++ % recordings.size()].program;
    model::World world(Privilege::userns, traits);
    for (const ProgramStep& step : program.steps) benchmark::DoNotOptimize(apply(world, step));
    steps += program.steps.size();
  }
  state.counters["steps_per_second"] =
      benchmark::Counter(static_cast<double>(steps), benchmark::Counter::kIsRate);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<char*> arguments(argv, argv + argc);
  std::string interleaved = "--benchmark_enable_random_interleaving=true";
  arguments.insert(arguments.begin() + 1, interleaved.data());
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;

  const auto refuse = [](const Failure& failure) {
    std::fprintf(stderr, "harness_bench: %s\n", failure.what.c_str());
    return failure.kind == Failure::Kind::cannot_run ? 4 : 3;
  };
  auto driver = KernelDriver::start(Privilege::userns);
  if (!driver) return refuse(driver.error());
  if (const auto done = record_all(*driver); !done) return refuse(done.error());
  Workers harness, bare;
  for (std::size_t i = 0; i < workers_max; ++i) {
    harness.add(launch_harness());
    auto executor = launch_bare();
    if (!executor) return refuse(executor.error());
    bare.add(std::move(*executor));
  }
  add("harness", harness);
  add("bare", bare);
  benchmark::RegisterBenchmark("model_steps", model_steps);
  benchmark::RunSpecifiedBenchmarks();
  print_ratios();
  return 0;
}
