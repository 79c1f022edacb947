// SPDX-License-Identifier: Apache-2.0
// model: does the model keep its own promises? No kernel is asked, so this one is fast, and runs
// anywhere. It speaks for the newest kernel only: as one before 6.17 it puts two mounts on one
// place (FINDINGS.md), and then unmounting the first of them leaves the other without a parent.
#include "model/apply.h"
#include "scenario_input.h"
#include "view/snapshot.h"

using namespace pivotcheck;

namespace {
void follow(const Scenario& scenario, const KernelTraits& traits) {
  model::World world(scenario.effective_privilege(), traits);
  std::vector<Step> steps;
  std::vector<Verdict> verdicts;
  const auto require = [&](bool holds, std::string_view what) {
    if (holds) return;
    fuzz::found(print(scenario) + "# " + print(steps.back()) + ": " + std::string(what));
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
    const std::string broken = broken_invariant(world);
    require(broken.empty(), broken);
    model::World twin = before;
    require(apply(twin, each.step) == verdict && canonical(snapshot(twin)) == now, "by chance");
  }
  fuzz::note_features(steps, verdicts, world);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto scenario = fuzz::read_scenario(data, size);
  if (!scenario) return fuzz::not_of_use;
  follow(*scenario, KernelTraits{});
  return 0;
}
