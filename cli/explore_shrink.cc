// SPDX-License-Identifier: Apache-2.0
// explore_shrink.cc: a quick way to make a disagreement readable: leave out one step after the other.
#include <fmt/format.h>

#include "explore.h"

namespace pivotcheck::cli {
namespace {

constexpr int trials_max = 400;
constexpr std::int64_t limit_ms = 20'000;  // well below what the parent takes for a hang

// A task that is never made can do nothing: its steps go with its spawn.
Scenario without(const Scenario& scenario, std::size_t index) {
  Scenario shorter = scenario;
  const auto* spawn = std::get_if<Spawn>(&scenario.steps[index].step.op);
  const TaskName lost = spawn != nullptr ? spawn->task : TaskName{""};
  shorter.steps.erase(shorter.steps.begin() + static_cast<std::ptrdiff_t>(index));
  std::erase_if(shorter.steps, [&](const ScenarioStep& s) {
    const auto* setns = std::get_if<Setns>(&s.step.op);
    return s.step.task == lost || (setns != nullptr && setns->task == lost);
  });
  return shorter;
}

}  // namespace

std::string kind_of(const Scenario& scenario, const TrialResult& result) {
  if (result.step == 0) return "state fresh";
  const std::string_view name = verb(scenario.steps[result.step - 1].step.op);
  if (!result.differences.empty()) return fmt::format("{} state", name);
  return fmt::format("{} {} {}{}{}", name, to_string(*result.kernel), to_string(*result.model),
                     result.rule == Rule::none ? "" : " ",
                     result.rule == Rule::none ? "" : info(result.rule).name);
}

Scenario shrink(Trial& trial, Scenario scenario, TrialResult& result) {
  const std::string kind = kind_of(scenario, result);
  scenario.steps.resize(result.step);
  const std::int64_t end_ms = now_ms() + limit_ms;
  int trials = 0;
  for (bool shorter = true; shorter;) {
    shorter = false;
    for (std::size_t i = scenario.steps.size(); i-- > 0 && trials < trials_max;) {
      if (i >= scenario.steps.size()) continue;
      if (now_ms() > end_ms) return scenario;
      Scenario candidate = without(scenario, i);
      // The parser knows which tasks may be named where.
      if (!parse(print(candidate))) continue;
      ++trials;
      TrialResult again = trial.run(candidate);
      if (again.kind != TrialResult::Kind::disagree || kind_of(candidate, again) != kind) continue;
      candidate.steps.resize(again.step);
      scenario = std::move(candidate);
      result = std::move(again);
      shorter = true;
    }
  }
  return scenario;
}

}  // namespace pivotcheck::cli
