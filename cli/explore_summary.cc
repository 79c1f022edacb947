// SPDX-License-Identifier: Apache-2.0
// explore_summary.cc: figures of `pivotcheck explore`, made into text.
#include <algorithm>

#include <fmt/format.h>

#include "explore.h"
#include "model/rules.h"

namespace pivotcheck::cli {
namespace {

double per_second(std::uint64_t count, double seconds) {
  return static_cast<double>(count) / std::max(seconds, 0.001);
}

std::string rules_not_reached(const gen::CoverageStats& stats, const Release& release) {
  std::string text;
  for (const RuleInfo& rule : rule_table()) {
    if (stats.rules[static_cast<std::size_t>(rule.rule)] == 0 && shown_by(rule, release)) {
      text += fmt::format("not reached: {}\n", rule.name);
    }
  }
  return text;
}

std::string success_of_verbs(const gen::CoverageStats& stats) {
  std::string text = "verbs_ok_percent:";
  for (std::size_t i = 0; i < prototypes().size(); ++i) {
    const auto tried = static_cast<double>(std::max<std::uint64_t>(stats.attempted[i], 1));
    text += fmt::format(" {} {:.0f}", verb(prototypes()[i]),
                        100.0 * static_cast<double>(stats.succeeded[i]) / tried);
  }
  return text + "\n";
}

}  // namespace

std::string progress_line(double seconds, const Counts& counts, const Release& release) {
  const gen::CoverageStats& stats = counts.stats;
  return fmt::format(
      "{:.0f} s, {} cases ({:.0f} a second), {} steps ({:.0f} % ok), {} of {} rules, {} "
      "disagreements, {} not run",
      seconds, stats.scenarios, per_second(stats.scenarios, seconds), stats.steps,
      stats.percent_of_steps(stats.steps_ok), stats.rules_reached(), gen::rules_shown_by(release),
      counts.disagreements, counts.not_run);
}

std::string figures(double seconds, const Counts& counts, const Release& release) {
  const gen::CoverageStats& stats = counts.stats;
  return rules_not_reached(stats, release) +
         fmt::format(
             "cases: {}\n"
             "cases_per_second: {:.1f}\n"
             "steps: {}\n"
             "steps_ok_percent: {:.1f}\n"
             "scenarios_pivot_percent: {:.1f}\n"
             "scenarios_attached_pivot_percent: {:.1f}\n"
             "scenarios_two_tasks_percent: {:.1f}\n"
             "scenarios_two_namespaces_percent: {:.1f}\n"
             "scenarios_userns_percent: {:.1f}\n"
             "rules_reached: {}/{}\n",
             stats.scenarios, per_second(stats.scenarios, seconds), stats.steps,
             stats.percent_of_steps(stats.steps_ok), stats.percent_of_scenarios(stats.with_pivot),
             stats.percent_of_scenarios(stats.with_attached_pivot),
             stats.percent_of_scenarios(stats.with_two_tasks),
             stats.percent_of_scenarios(stats.with_two_namespaces),
             stats.percent_of_scenarios(stats.with_user_namespace), stats.rules_reached(),
             gen::rules_shown_by(release)) +
         success_of_verbs(stats) +
         fmt::format(
             "observers_cross_checked: {}\n"
             "mountinfo_incomplete: {}\n"
             "state_unseen: {}\n"
             "refused_by_chance: {}\n",
             counts.cross_checked, counts.mountinfo_incomplete, counts.state_unseen,
             counts.chance_refusals);
}

std::string engine_line(std::string_view key, const Engine& engine) {
  const gen::CoverageStats& stats = engine.counts.stats;
  return fmt::format(
      "{}: {} cases, {} steps, {} rules, {} disagreements in {:.1f} s on {} jobs, "
      "{:.1f} s of CPU\n",
      key, stats.scenarios, stats.steps, stats.rules_reached(), engine.counts.disagreements,
      engine.seconds, engine.jobs, engine.cpu_seconds);
}

}  // namespace pivotcheck::cli
