// SPDX-License-Identifier: Apache-2.0
// model_bench.cc: how many steps a second the model predicts, on one core.
//
// Each iteration makes a world and performs ten_mounts.scn in it. The counter is steps; the time to
// make the world is in it. The snapshot of the world and the parser are measured apart.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "model/apply.h"
#include "scenario/program.h"
#include "scenario/scenario.h"

namespace {

using namespace pivotcheck;

std::string text_or_exit() {
  std::ifstream file(SCENARIO);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!parse(text) || parse(text)->steps.empty()) std::abort();
  return text;
}

void model_steps(benchmark::State& state) {
  const Program program = resolve(*parse(text_or_exit())).value();
  std::size_t steps = 0;
  for (auto _ : state) {
    model::World world(Privilege::root, KernelTraits{});
    for (const ProgramStep& step : program.steps) benchmark::DoNotOptimize(apply(world, step));
    steps += program.steps.size();
  }
  state.counters["steps_per_second"] =
      benchmark::Counter(static_cast<double>(steps), benchmark::Counter::kIsRate);
}
BENCHMARK(model_steps);

void model_snapshot(benchmark::State& state) {
  const Program program = resolve(*parse(text_or_exit())).value();
  model::World world(Privilege::root, KernelTraits{});
  for (std::size_t i = 0; i < 20; ++i) apply(world, program.steps[i]);
  for (auto _ : state) benchmark::DoNotOptimize(canonical(model::snapshot(world)));
}
BENCHMARK(model_snapshot);

void parse_scenario(benchmark::State& state) {
  const std::string text = text_or_exit();
  for (auto _ : state) benchmark::DoNotOptimize(parse(text));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(parse_scenario);

}  // namespace

BENCHMARK_MAIN();
