// SPDX-License-Identifier: Apache-2.0
// readers_bench.cc: what it costs to read the kernel's state, by either road (observe/observe.h),
// and to parse a mountinfo alone, against the number of mounts in the world that is looked at.
//
//     read_listmount/20     listmount and statmount, and the links of the world's task
//     read_mountinfo/20     its mountinfo, and the same links
//     parse_mountinfo/20    the text of a mountinfo that is in memory
//
// Exit status: 0; 3 if a world can't be made, or a road fails; 4 if nothing can run here. Where the
// kernel has no listmount, that road is skipped, with the reason.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "check/driver/kernel_driver.h"
#include "observe/mountinfo.h"
#include "observe/observe.h"
#include "scenario/scenario.h"

namespace {

using namespace pivotcheck;

constexpr std::int64_t mounts_few = 5, mounts_some = 20, mounts_many = 100;

// What the benchmarks share: one laboratory, whose world stands still while it is looked at.
struct Scene {
  std::optional<KernelDriver> driver;
  std::optional<Observer> observer;
  std::vector<LiveTask> tasks;
  std::int64_t mounts = 0;
};
Scene scene;

// The root mount, and binds of one directory of it.
std::string world_of(std::int64_t mounts) {
  std::string text = "mkdir /s\n";
  for (std::int64_t i = 1; i < mounts; ++i) {
    const std::string place = "/m" + std::to_string(i);
    text += "mkdir " + place + "\nbind /s " + place + "\n";
  }
  return text;
}

// "" or what is wrong.
std::string set_scene(std::int64_t mounts) {
  if (scene.mounts == mounts) return "";
  const auto scenario = parse(world_of(mounts));
  if (!scenario) return "its scenario can't be parsed";
  std::vector<Step> steps;
  for (const ScenarioStep& step : scenario->steps) steps.push_back(step.step);
  const std::vector<Outcome> all_well(steps.size());
  auto performed = scene.driver->perform(steps, all_well, std::chrono::seconds(10));
  if (!performed) return performed.error().what;
  if (performed->outcomes != all_well) return "a step of its world was refused";
  scene.tasks = std::move(performed->tasks);
  scene.mounts = mounts;
  return "";
}

void read(benchmark::State& state, Source source) {
  if (!scene.observer->has(source)) {
    state.SkipWithError("this kernel has no such road");
    return;
  }
  std::string trouble = set_scene(state.range(0));
  for (auto _ : state) {
    if (!trouble.empty()) break;
    const auto seen = scene.observer->observe(scene.tasks, source);
    if (!seen) trouble = seen.error().what;
    benchmark::DoNotOptimize(seen);
  }
  if (!trouble.empty()) state.SkipWithError(trouble.c_str());
}

void read_listmount(benchmark::State& state) { read(state, Source::listmount); }
void read_mountinfo(benchmark::State& state) { read(state, Source::mountinfo); }
BENCHMARK(read_listmount)->Arg(mounts_few)->Arg(mounts_some)->Arg(mounts_many);
BENCHMARK(read_mountinfo)->Arg(mounts_few)->Arg(mounts_some)->Arg(mounts_many);

void parse_text(benchmark::State& state) {
  std::string text;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    const std::string id = std::to_string(100 + i);
    text += id + " 100 0:40 /s /m" + id + " rw,nosuid,relatime shared:" + id +
            " master:7 - tmpfs none rw,size=1024k\n";
  }
  for (auto _ : state) benchmark::DoNotOptimize(parse_mountinfo(text));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(parse_text)->Name("parse_mountinfo")->Arg(mounts_few)->Arg(mounts_some)->Arg(mounts_many);

int refuse(const Failure& failure) {
  std::fprintf(stderr, "readers_bench: %s\n", failure.what.c_str());
  return failure.kind == Failure::Kind::cannot_run ? 4 : 3;
}

// An error in a benchmark is an error of the run; a road that is not there is none.
class Faults : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (!run.error_occurred) continue;
      std::fprintf(stderr, "readers_bench: NOT RUN: %s: %s\n", run.benchmark_name().c_str(),
                   run.error_message.c_str());
      any = any || run.error_message != "this kernel has no such road";
    }
    ConsoleReporter::ReportRuns(runs);
  }
  bool any = false;
};

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  auto driver = KernelDriver::start(Privilege::userns);
  if (!driver) return refuse(driver.error());
  auto observer = Observer::make();
  if (!observer) return refuse(observer.error());
  scene.driver.emplace(std::move(*driver));
  scene.observer.emplace(std::move(*observer));
  Faults faults;
  benchmark::RunSpecifiedBenchmarks(&faults);
  scene.driver.reset();
  return faults.any ? 3 : 0;
}
