// SPDX-License-Identifier: Apache-2.0
// explore_summary.cc: figures made into text.
#include "explore_summary.h"

#include <algorithm>

#include <fmt/format.h>

#include "corpus_folder.h"
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

std::string engine_line(std::string_view key, const EngineResult& engine) {
  const gen::CoverageStats& stats = engine.counts.stats;
  return fmt::format(
      "{}: {} cases, {} steps, {} rules, {} disagreements in {:.1f} s on {} jobs, "
      "{:.1f} s of CPU\n",
      key, stats.scenarios, stats.steps, stats.rules_reached(), engine.counts.disagreements,
      engine.seconds, engine.jobs, engine.cpu_seconds);
}

// What each engine did, if both were wanted.
std::string engines(const ExploreResult& result) {
  if (!result.libfuzzer && result.libfuzzer_missing.empty()) return "";
  const std::string text = engine_line("road_seeded", result.random);
  if (!result.libfuzzer) {
    return text + "road_libfuzzer: not run, " + result.libfuzzer_missing + "\n";
  }
  const CorpusFolder corpus = read_corpus(result.corpus);
  return text + engine_line("road_libfuzzer", *result.libfuzzer) +
         fmt::format("corpus: {}\ncorpus_files: {}\nfeatures: {}\n", result.corpus,
                     corpus.good.size() + corpus.bad.size(), result.features);
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

std::string summary(const ExploreResult& result) {
  const Counts& counts = result.total;
  const gen::CoverageStats& stats = counts.stats;
  std::string text = rules_not_reached(stats, result.release);
  const auto line = [&](std::string_view key, const auto& value) {
    text += fmt::format("{}: {}\n", key, value);
  };
  const auto decimal = [&](std::string_view key, double value) {
    text += fmt::format("{}: {:.1f}\n", key, value);
  };
  line("cases", stats.scenarios);
  decimal("cases_per_second", per_second(stats.scenarios, result.seconds));
  line("steps", stats.steps);
  decimal("steps_ok_percent", stats.percent_of_steps(stats.steps_ok));
  decimal("scenarios_pivot_percent", stats.percent_of_scenarios(stats.with_pivot));
  decimal("scenarios_attached_pivot_percent",
          stats.percent_of_scenarios(stats.with_attached_pivot));
  decimal("scenarios_two_tasks_percent", stats.percent_of_scenarios(stats.with_two_tasks));
  decimal("scenarios_two_namespaces_percent",
          stats.percent_of_scenarios(stats.with_two_namespaces));
  decimal("scenarios_userns_percent", stats.percent_of_scenarios(stats.with_user_namespace));
  line("rules_reached",
       fmt::format("{}/{}", stats.rules_reached(), gen::rules_shown_by(result.release)));
  text += success_of_verbs(stats);
  line("observers_cross_checked", counts.cross_checked);
  line("mountinfo_incomplete", counts.mountinfo_incomplete);
  line("state_unseen", counts.state_unseen);
  line("refused_by_chance", counts.chance_refusals);
  line("kernel_log_alarms", result.kernel_warnings);
  line("disagreements", counts.disagreements);
  line("not_run", counts.not_run);
  line("seed", result.seed);
  line("artifacts", result.artifacts);
  return text + engines(result);
}

}  // namespace pivotcheck::cli
