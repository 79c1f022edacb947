// SPDX-License-Identifier: Apache-2.0
// model: does the model keep its own promises? No kernel is asked, so this one is fast, and runs
// anywhere. It speaks for an old and a new kernel.
#include "model/apply.h"
#include "scenario_input.h"
#include "view/snapshot.h"

using namespace pivotcheck;

namespace {
void follow(const Scenario& scenario, const Release& release) {
  model::World world(scenario.effective_privilege(), KernelTraits::for_release(release));
  std::vector<Step> steps;
  std::vector<Verdict> verdicts;
  const auto require = [&](bool holds, std::string_view what) {
    if (!holds) fuzz::found(print(scenario) + "# " + print(steps.back()) + ": " + std::string(what));
  };
  for (const ScenarioStep& each : scenario.steps) {
    const model::World before = world;
    const Verdict verdict = apply(world, each.step);
    if (verdict.stop != Verdict::Stop::no || world.mount_count > fuzz::mounts_max) break;
    steps.push_back(each.step);
    verdicts.push_back(verdict);
    const Snapshot now = canonical(snapshot(world));
    require(verdict.outcome.ok() == (verdict.rule == Rule::none), "refused without a rule");
    require(verdict.outcome.ok() || verdict.outcome.error == info(verdict.rule).error,
            "the errno is not the rule's");
    require(verdict.outcome.ok() || now == canonical(snapshot(before)), "refused, but it changed");
    require(canonical(now) == now, "the canonical form of a canonical one is another");
    require(broken_invariant(world).empty(), broken_invariant(world));
    model::World twin = before;
    require(apply(twin, each.step) == verdict && canonical(snapshot(twin)) == now, "by chance");
  }
  fuzz::note_features(steps, verdicts, world);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto scenario = fuzz::read_scenario(data, size);
  if (!scenario) return fuzz::not_of_use;
  for (const Release& release : {Release{{6, 1, 0}}, Release{{6, 18, 0}}}) follow(*scenario, release);
  return 0;
}
