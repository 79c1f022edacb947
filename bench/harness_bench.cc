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
// Cases wait for RCU, so the best rate takes several workers for each core. On a machine that
// others use as well, whoever sleeps waits for them before it goes on, and the harness sleeps more
// often (its two processes take turns): there the ratio of processor time is the one that says
// something.
#include <benchmark/benchmark.h>
#include <sys/prctl.h>
#include <sys/socket.h>
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
#include <sstream>
#include <string>
#include <vector>

#include "bare.h"
#include "base/unique_fd.h"
#include "check/gen/scenario_generator.h"
#include "check/gen/seeded.h"
#include "check/gen/coverage_stats.h"
#include "check/trial/trial.h"

namespace {

using namespace pivotcheck;
using bench::Portion;

constexpr std::uint64_t seed = 1;
constexpr std::size_t cases_recorded = 512;
constexpr std::uint64_t cases_each = 64;  // of one worker, in one iteration
constexpr std::size_t workers_max = 16;

// Seconds of processor time of a process and of those of its children that have ended.
double cpu_seconds(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  std::istringstream words(text.substr(std::min(text.rfind(')') + 1, text.size())));
  constexpr int utime = 12;  // the 14th field of proc(5); behind the name it is the 12th
  double ticks = 0;
  std::string word;
  for (int i = 1; i < utime + 4 && words >> word; ++i) {
    if (i >= utime) ticks += std::stod(word);
  }
  return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

// The children that it has now.
std::vector<pid_t> children_of(pid_t pid) {
  const std::string number = std::to_string(pid);
  std::ifstream file("/proc/" + number + "/task/" + number + "/children");
  return {std::istream_iterator<pid_t>(file), {}};
}

// One worker on either side, seen from here: takes a Portion, gives back a byte.
struct Worker {
  pid_t pid;
  UniqueFd pidfd;
  UniqueFd socket;
};

// --- the harness's side

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

void work(int owner) {
  auto trial = Trial::make({.traits = {}, .cross_check_every = bench::cross_check_every});
  if (!trial || !trial->start(Privilege::userns)) return;
  const ScenarioGenerator generator({.privilege = Privilege::userns, .traits = trial->traits()});
  gen::CoverageStats stats;
  for (Portion portion{}; ::recv(owner, &portion, sizeof(portion), MSG_WAITALL) ==
                          static_cast<ssize_t>(sizeof(portion));) {
    for (std::uint64_t i = 0; i < portion.count; ++i) {
      one_case(*trial, generator, (portion.first + i) % cases_recorded, stats);
    }
    const char done = 1;
    if (::send(owner, &done, 1, MSG_NOSIGNAL) != 1) return;
  }
}

Worker launch_worker() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) std::abort();
  const pid_t pid = ::fork();
  if (pid < 0) std::abort();
  if (pid == 0) {
    ::close(ends[0]);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    work(ends[1]);
    ::_exit(0);
  }
  ::close(ends[1]);
  return {pid, UniqueFd(), UniqueFd(ends[0])};
}

// --- both sides

class Crew {
 public:
  explicit Crew(std::vector<Worker> workers) : workers_(std::move(workers)) {}
  Crew(Crew&&) = default;
  ~Crew() {
    for (Worker& worker : workers_) {
      ::kill(worker.pid, SIGKILL);
      ::waitpid(worker.pid, nullptr, __WALL);
    }
  }

  // So many workers do their portion at the same time, each from another place in the list.
  bool run(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const Portion portion{begun_ + i * cases_recorded / count, cases_each};
      if (::send(workers_[i].socket.get(), &portion, sizeof(portion), MSG_NOSIGNAL) !=
          static_cast<ssize_t>(sizeof(portion))) {
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

  // Of all that its workers have done so far; an executor counts the tasks that it has reaped.
  [[nodiscard]] double cpu() const {
    double sum = 0;
    for (const Worker& worker : workers_) {
      sum += cpu_seconds(worker.pid);
      if (worker.pidfd) continue;  // an executor itself
      for (const pid_t executor : children_of(worker.pid)) sum += cpu_seconds(executor);
    }
    return sum;
  }

 private:
  std::vector<Worker> workers_;
  std::uint64_t begun_ = 0;
};

void measure(benchmark::State& state, Crew& crew) {
  using namespace std::chrono;
  const auto workers = static_cast<std::size_t>(state.range(0));
  const double cpu = crew.cpu();
  for (auto _ : state) {
    const auto begun = steady_clock::now();
    if (!crew.run(workers)) {
      state.SkipWithError("a worker died");
      return;
    }
    state.SetIterationTime(duration<double>(steady_clock::now() - begun).count());
  }
  state.counters["cases_per_second"] =
      benchmark::Counter(static_cast<double>(workers * cases_each) *
                             static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate);
  const double cases = static_cast<double>(workers * cases_each * state.iterations());
  state.counters["cpu_us_per_case"] = (crew.cpu() - cpu) * 1e6 / cases;
}

// Shows the means and their like, and keeps the rates of each repetition.
class Ratios : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    std::vector<Run> aggregates;
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration || run.error_occurred) {
        aggregates.push_back(run);
        continue;
      }
      Figures& figures = figures_[run.run_name.function_name][std::stoul(run.run_name.args)];
      figures.rates.push_back(run.counters.at("cases_per_second").value);
      figures.cpu_us += run.counters.at("cpu_us_per_case").value;
    }
    ConsoleReporter::ReportRuns(aggregates);
  }

  void tell() {
    for (auto& [workers, bare] : figures_["bare"]) {
      Figures& harness = figures_["harness"][workers];
      const double without = median(bare.rates);
      const double with = median(harness.rates);
      std::printf("workers %2lu: harness %6.0f cases/s, bare %6.0f cases/s, ratio %.2f; processor "
                  "time %4.0f us, bare %4.0f us, ratio %.2f\n",
                  workers, with, without, without / with, harness.mean_cpu_us(),
                  bare.mean_cpu_us(), harness.mean_cpu_us() / bare.mean_cpu_us());
    }
  }

 private:
  struct Figures {
    std::vector<double> rates;
    double cpu_us = 0;  // of a case; the sum over all repetitions
    [[nodiscard]] double mean_cpu_us() const { return cpu_us / static_cast<double>(rates.size()); }
  };
  static double median(std::vector<double>& values) {
    if (values.empty()) return 0;
    std::ranges::sort(values);
    return values[values.size() / 2];
  }
  std::map<std::string, std::map<unsigned long, Figures>> figures_;
};

void add(const char* name, Crew& crew) {
  benchmark::RegisterBenchmark(name, [&crew](benchmark::State& state) { measure(state, crew); })
      ->RangeMultiplier(2)
      ->Range(1, workers_max)
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond)
      ->Iterations(1)
      ->Repetitions(15);
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
  std::vector<Worker> workers;
  std::vector<Worker> bare_workers;
  for (std::size_t i = 0; i < workers_max; ++i) {
    workers.push_back(launch_worker());
    auto bare = bench::launch_bare(Privilege::userns, *recordings);
    if (!bare) {
      std::fprintf(stderr, "harness_bench: %s\n", bare.error().what.c_str());
      return 3;
    }
    bare_workers.push_back({bare->pid, std::move(bare->pidfd), std::move(bare->socket)});
  }
  Crew harness(std::move(workers));
  Crew bare(std::move(bare_workers));
  add("harness", harness);
  add("bare", bare);
  Ratios ratios;
  benchmark::RunSpecifiedBenchmarks(&ratios);
  ratios.tell();
  return 0;
}
