// SPDX-License-Identifier: Apache-2.0
// model: does the model keep its own promises? No kernel is asked, so it is fast and runs anywhere.
// It speaks for the newest kernel: one before 6.17 puts two mounts on one place (FINDINGS.md), and
// unmounting the first of them leaves the other without a parent.
#include "scenario_input.h"
#include "view/snapshot.h"
using namespace pivotcheck;

static std::string broken(const model::World& before, const ProgramStep& step,
                          const Verdict& verdict, const model::World& world) {
  const bool ok = verdict.outcome.ok();
  const Snapshot now = canonical(snapshot(world));
  model::World twin = before;
  if (ok != (verdict.rule == Rule::none)) return "refused without a rule";
  if (!ok && verdict.outcome.error != info(verdict.rule).error) return "an errno of another rule";
  if (!ok && !info(verdict.rule).calls.overlaps(calls_of(step.op))) return "a rule of another call";
  if (!ok && now != canonical(snapshot(before))) return "refused, but it changed";
  if (canonical(now) != now) return "the canonical form of a canonical one is another";
  if (apply(twin, step) != verdict || canonical(snapshot(twin)) != now) return "decided by chance";
  return broken_invariant(world);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto scenario = fuzz::read_scenario(data, size);
  if (!scenario) return fuzz::not_of_use;
  Predictor predictor(scenario->effective_privilege(), KernelTraits{});
  for (const auto& [step, stated] : scenario->steps) {
    const model::World before = predictor.so_far().world;
    if (!predictor.add(step)) break;
    const Prediction& now = predictor.so_far();
    if (now.world.mount_count > fuzz::mounts_max) break;
    const std::string what = broken(before, now.program.steps.back(), predictor.last(), now.world);
    if (!what.empty()) fuzz::found(print(*scenario) + "# " + print(step) + ": " + what);
  }
  fuzz::note_features(predictor.so_far());
  return 0;
}
