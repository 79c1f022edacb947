// SPDX-License-Identifier: Apache-2.0
// coverage_stats.cc: counts by verb, rule and situation.
#include "check/gen/coverage_stats.h"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace pivotcheck::gen {
namespace {

double percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

// Finds the steps that attach a detached tree: they move a handle that shows one.
class Attachments {
 public:
  bool attaches(const Op& op) {
    if (const auto* move = std::get_if<MoveMount>(&op)) {
      return move->source.text.empty() && !move->flags.has(MoveMountFlag::set_group) &&
             std::ranges::find(detached_, move->source.handle) != detached_.end();
    }
    if (const HandleName* opened = opened_handle(op)) {
      std::erase(detached_, opened->text);
      const auto* tree = std::get_if<OpenTree>(&op);
      const bool is_detached = std::holds_alternative<Fsmount>(op) ||
                               (tree != nullptr && tree->flags.has(OpenTreeFlag::clone));
      if (is_detached) detached_.push_back(opened->text);
    }
    return false;
  }

 private:
  std::vector<std::string> detached_;
};

}  // namespace

void CoverageStats::add(const Prediction& scenario) {
  const std::vector<ProgramStep>& scenario_steps = scenario.program.steps;
  ++scenarios;
  steps += scenario_steps.size();
  bool pivoted = false;
  bool attached = false;
  bool attached_pivot = false;
  Attachments attachments;
  for (std::size_t i = 0; i < scenario_steps.size(); ++i) {
    const Op& op = scenario_steps[i].op;
    const Verdict& verdict = scenario.verdicts[i];
    const bool ok = verdict.outcome.ok();
    const std::size_t verb = verb_index(op);
    ++attempted[verb];
    if (ok) ++steps_ok;
    if (ok) ++succeeded[verb];
    ++rules[static_cast<std::size_t>(verdict.rule)];
    if (!ok) continue;
    const bool is_pivot = std::holds_alternative<PivotRoot>(op);
    pivoted = pivoted || is_pivot;
    attached_pivot = attached_pivot || (is_pivot && attached);
    attached = attachments.attaches(op) || attached;
  }
  ++ended_before[static_cast<std::size_t>(scenario.stop)];
  const Situations reached = situations_of(scenario);
  for (std::size_t i = 0; i < situations_count; ++i) situations[i] += reached[i] ? 1 : 0;
  if (pivoted) ++with_pivot;
  if (attached_pivot) ++with_attached_pivot;
  if (scenario.world.tasks.size() > 1) ++with_two_tasks;
  if (scenario.namespaces_max > 1) ++with_two_namespaces;
  if (scenario.world.user_namespaces.size() > 1) ++with_user_namespace;
}

double CoverageStats::percent_of_scenarios(std::uint64_t count) const {
  return percent(count, scenarios);
}
double CoverageStats::percent_of_steps(std::uint64_t count) const { return percent(count, steps); }

std::size_t CoverageStats::rules_reached() const {
  return static_cast<std::size_t>(
      std::count_if(rules.begin() + 1, rules.end(), [](auto hits) { return hits > 0; }));
}

std::size_t CoverageStats::rules_of(const Release& release) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(rule_table(), [&](const RuleInfo& rule) {
        return shown_by(rule, release) || rules[static_cast<std::size_t>(rule.rule)] > 0;
      }));
}

std::string CoverageStats::summary() const {
  return fmt::format(
      "{} scenarios, {:.1f} steps each, {:.1f} % ok; pivot {:.1f} %, after a detached tree "
      "was attached {:.1f} %, two tasks {:.1f} %, two namespaces {:.1f} %, user namespace {:.1f} "
      "%; "
      "rules {}/{}",
      scenarios, scenarios == 0 ? 0.0 : static_cast<double>(steps) / static_cast<double>(scenarios),
      percent_of_steps(steps_ok), percent_of_scenarios(with_pivot),
      percent_of_scenarios(with_attached_pivot), percent_of_scenarios(with_two_tasks),
      percent_of_scenarios(with_two_namespaces), percent_of_scenarios(with_user_namespace),
      rules_reached(), rules_count);
}

}  // namespace pivotcheck::gen
