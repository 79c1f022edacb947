// SPDX-License-Identifier: Apache-2.0
// model_bench.cc: how many steps a second the model predicts, on one core.
//
// Each iteration builds a world of ten mounts (two namespaces, a peer group, a slave) and then
// performs a mix of successful and refused steps of every kind in it. The counter is steps, the
// building of the world among them. Parsing is measured apart.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string_view>

#include "model/apply.h"
#include "scenario/scenario.h"

namespace {

using namespace pivotcheck;

constexpr std::string_view ten_mounts = R"(
mkdir /a
mkdir /b
mkdir /c
mount tmpfs /a
make-shared /a
mkdir /a/x
bind /a /b
mount tmpfs /a/x nosuid
bind /a /c
make-slave /c
spawn B
B: unshare mnt
mkdir /n
mount tmpfs /n
mkdir /n/old
mkdir /a/y
bind /a/x /a/y
umount /b/y
touch /n/f
unlink /n/f
chdir /n
open h .
mkdir @h/d
bind /a/x d
remount d ro,nodev
touch d/f => EROFS
umount d detach
rmdir d
pivot_root . /a => EINVAL
pivot_root /n/old /n/old => EINVAL
pivot_root . old
umount / => EBUSY
B: chdir /a/x
B: chroot .
B: pivot_root / / => EBUSY
B: mkdir ../../z
B: make-rprivate /z => EINVAL
pivot_root old old/n
chdir /
umount /a/x => EBUSY
move /a/x /n => EINVAL
make-rprivate /
move /a/x /n
umount /n
umount /c
umount /b
umount /a detach
)";

Scenario scenario_or_exit() {
  auto parsed = parse(ten_mounts);
  if (!parsed) std::abort();
  return *parsed;
}

void model_steps(benchmark::State& state) {
  const Scenario scenario = scenario_or_exit();
  std::size_t steps = 0;
  for (auto _ : state) {
    model::World world(Privilege::root, KernelTraits{});
    for (const ScenarioStep& step : scenario.steps) {
      benchmark::DoNotOptimize(apply(world, step.step));
    }
    steps += scenario.steps.size();
  }
  state.counters["steps_per_second"] =
      benchmark::Counter(static_cast<double>(steps), benchmark::Counter::kIsRate);
}
BENCHMARK(model_steps);

void model_snapshot(benchmark::State& state) {
  const Scenario scenario = scenario_or_exit();
  model::World world(Privilege::root, KernelTraits{});
  for (std::size_t i = 0; i < 20; ++i) apply(world, scenario.steps[i].step);
  for (auto _ : state) benchmark::DoNotOptimize(canonical(model::snapshot(world)));
}
BENCHMARK(model_snapshot);

void parse_scenario(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(parse(ten_mounts));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(ten_mounts.size()));
}
BENCHMARK(parse_scenario);

}  // namespace
