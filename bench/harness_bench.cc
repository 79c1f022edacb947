// SPDX-License-Identifier: Apache-2.0
// harness_bench.cc: what the harness costs on top of the kernel. In one run, interleaved at random:
//
//     harness    whole cases as `pivotcheck explore` does them: generate (which predicts), perform,
//                read, compare
//     bare       the system calls and reads of the very same cases, and nothing else (bare.h)
//
// for 1 to 16 workers, each a process of its own on either side. Ends with a line for each number
// of workers: the medians of the rates, their ratio, which should stay below 1.5, and the ratio of
// the processor time that both took.
//
// Cases wait for RCU, so the best rate takes several workers for each core. On a machine that others
// use as well, a process that sleeps waits for them before it goes on, and the harness sleeps more
// often (its two processes take turns): there the ratio of processor time is the one that counts.
#include <benchmark/benchmark.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "bare.h"
#include "base/unique_fd.h"
#include "check/gen/coverage_stats.h"
#include "check/gen/scenario_generator.h"
#include "check/gen/seeded.h"
#include "check/trial/trial.h"

namespace {

using namespace pivotcheck;

constexpr std::uint64_t seed = 1;
constexpr std::size_t cases_recorded = 512;
constexpr std::uint64_t cases_each = 64;  // of one worker, in one iteration
constexpr std::size_t workers_max = 16;

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

// --- the harness's side --------------------------------------------------------------------------

void one_case(Trial& trial, const ScenarioGenerator& generator, std::uint64_t number,
              gen::CoverageStats& stats) {
  SeededChoices choices(seed, number);
  Generated generated = generator.generate(choices);
  stats.add(generated);
  std::vector<Outcome> outcomes;
  outcomes.reserve(generated.verdicts.size());
  for (const Verdict& verdict : generated.verdicts) outcomes.push_back(verdict.outcome);
  const TrialResult result =
      trial.run_predicted(generated.privilege, {.steps = std::move(generated.steps),
                                                .verdicts = std::move(generated.verdicts),
                                                .outcomes = std::move(outcomes),
                                                .stop = Verdict::Stop::no,
                                                .world = std::move(generated.world)});
  if (result.kind == TrialResult::Kind::agree) return;
  std::fprintf(stderr, "case %lu: %s\n", static_cast<unsigned long>(number),
               result.reason.c_str());
}

void serve_cases(int owner) {
  auto trial = Trial::make({.traits = {}, .cross_check_every = bench::cross_check_every});
  if (!trial || !trial->start(Privilege::userns)) return;
  const ScenarioGenerator generator({.privilege = Privilege::userns, .traits = trial->traits()});
  gen::CoverageStats stats;
  bench::serve(owner, [&](std::uint64_t number) {
    one_case(*trial, generator, number % cases_recorded, stats);
    return true;
  });
}

// --- both sides ----------------------------------------------------------------------------------

struct Worker {
  pid_t pid;
  UniqueFd socket;
  bool has_executor;  // else it is one
};

Worker launch_worker() {
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
  return {pid, UniqueFd(ends[0]), true};
}

class Workers {
 public:
  void add(Worker worker) { workers_.push_back(std::move(worker)); }
  ~Workers() {
    for (Worker& worker : workers_) {
      ::kill(worker.pid, SIGKILL);
      ::waitpid(worker.pid, nullptr, __WALL);
    }
  }

  // So many workers do cases_each at the same time, each from another place in the list.
  bool run(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const bench::CaseRange range{begun_ + i * cases_recorded / count, cases_each};
      if (::send(workers_[i].socket.get(), &range, sizeof(range), MSG_NOSIGNAL) != sizeof(range)) {
        return false;
      }
    }
    begun_ += cases_each;
    char done = 0;
    return std::all_of(workers_.begin(), workers_.begin() + static_cast<std::ptrdiff_t>(count),
                       [&](const Worker& worker) {
                         return ::recv(worker.socket.get(), &done, 1, 0) == 1;
                       });
  }

  // Seconds of all so far; an executor counts the tasks that it has reaped.
  [[nodiscard]] double cpu() const {
    double sum = 0;
    for (const Worker& worker : workers_) {
      sum += cpu_seconds(worker.pid);
      const std::string number = std::to_string(worker.pid);
      std::ifstream children("/proc/" + number + "/task/" + number + "/children");
      for (pid_t pid = 0; worker.has_executor && children >> pid;) sum += cpu_seconds(pid);
    }
    return sum;
  }

 private:
  std::vector<Worker> workers_;
  std::uint64_t begun_ = 0;
};

// Of all repetitions with one number of workers.
struct Figures {
  std::vector<double> rates;  // cases a second
  std::vector<double> cpu_us;  // of a case
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
    figures.cpu_us.push_back((all.cpu() - cpu) * 1e6 / cases);
    state.counters["cases_per_second"] = figures.rates.back();
    state.counters["cpu_us_per_case"] = figures.cpu_us.back();
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

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// The clock of processor time is coarse: only the mean of all repetitions says something.
double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

void print_ratios() {
  for (const auto& [workers, bare] : all_figures["bare"]) {
    const Figures& harness = all_figures["harness"][workers];
    if (harness.rates.empty()) continue;
    const double with = median(harness.rates), without = median(bare.rates);
    const double cpu_with = mean(harness.cpu_us), cpu_without = mean(bare.cpu_us);
    std::printf("workers %2zu: harness %6.0f cases/s, bare %6.0f cases/s, ratio %.2f; processor "
                "time %4.0f us, bare %4.0f us, ratio %.2f\n",
                workers, with, without, without / with, cpu_with, cpu_without,
                cpu_with / cpu_without);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<char*> arguments(argv, argv + argc);
  std::string interleaved = "--benchmark_enable_random_interleaving=true";
  arguments.insert(arguments.begin() + 1, interleaved.data());
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;

  const auto recordings = bench::record(Privilege::userns, seed, cases_recorded);
  if (!recordings) {
    std::fprintf(stderr, "harness_bench: %s\n", recordings.error().what.c_str());
    return recordings.error().kind == Failure::Kind::cannot_run ? 4 : 3;
  }
  Workers harness, bare;
  for (std::size_t i = 0; i < workers_max; ++i) {
    harness.add(launch_worker());
    auto executor = bench::launch_bare(Privilege::userns, *recordings);
    if (!executor) {
      std::fprintf(stderr, "harness_bench: %s\n", executor.error().what.c_str());
      return 3;
    }
    bare.add({executor->pid, std::move(executor->socket), false});
  }
  add("harness", harness);
  add("bare", bare);
  benchmark::RunSpecifiedBenchmarks();
  print_ratios();
  return 0;
}
