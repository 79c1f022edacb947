// SPDX-License-Identifier: Apache-2.0
// explore_summary.cc: figures of `pivotcheck explore`, as an object and as text.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "explore.h"
#include "model/rules.h"

namespace pivotcheck::cli {
namespace {

double per_second(std::uint64_t count, double seconds) {
  return static_cast<double>(count) / std::max(seconds, 0.001);
}

double percent_of(std::uint64_t number, std::uint64_t all) {
  return 100.0 * static_cast<double>(number) / static_cast<double>(std::max<std::uint64_t>(all, 1));
}

// So that it is printed with one digit after the point.
double rounded(double number) { return std::round(number * 10) / 10; }

Json rules_not_reached(const gen::CoverageStats& stats, const Release& release) {
  Json names = Json::array();
  for (const RuleInfo& rule : rule_table()) {
    if (stats.rules[static_cast<std::size_t>(rule.rule)] == 0 && shown_by(rule, release)) {
      names.push_back(rule.name);
    }
  }
  return names;
}

Json success_of_verbs(const gen::CoverageStats& stats) {
  Json percents = Json::object();
  for (std::size_t i = 0; i < prototypes().size(); ++i) {
    const std::uint64_t tried = std::max<std::uint64_t>(stats.attempted[i], 1);
    percents[std::string(verb(prototypes()[i]))] = (stats.succeeded[i] * 100 + tried / 2) / tried;
  }
  return percents;
}

// How often the premise of each law held.
Json laws_asked(const Counts& counts) {
  Json asked = Json::object();
  for (std::size_t i = 0; i < laws::laws_count; ++i) {
    asked[std::string(laws::all_laws()[i].name)] = counts.laws_asked[i];
  }
  return asked;
}

// How many scenarios ended before a step that is never performed, by the reason (FORMAT.md).
Json ended_before(const gen::CoverageStats& stats) {
  Json counts = Json::object();
  for (std::size_t i = 1; i < Verdict::stops; ++i) {
    counts[std::string(reason(static_cast<Verdict::Stop>(i)))] = stats.ended_before[i];
  }
  return counts;
}

Json probing(const gen::ProbeCounts& probed) {
  return {{"cases", probed.cases},
          {"mounts", probed.mounts},
          {"mounts_unnamed", probed.mounts_unnamed},
          {"trees_attached", probed.trees_attached},
          {"groups_mounted_on", probed.groups_mounted_on},
          {"trees_left", probed.trees_left},
          {"namespaces_left", probed.namespaces_left}};
}

// How many of 100 scenarios reach each.
Json situations_per_100(const gen::CoverageStats& stats) {
  Json shares = Json::object();
  for (std::size_t i = 0; i < gen::situations_count; ++i) {
    shares[std::string(gen::situation_table()[i].name)] =
        std::round(stats.percent_of_scenarios(stats.situations[i]) * 1000) / 1000;
  }
  return shares;
}

std::string word(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// "mkdir 93 rmdir 50 ..."
std::string words(const Json& object) {
  std::string text;
  for (const auto& [key, value] : object.items()) text += fmt::format(" {} {}", key, word(value));
  return text.substr(std::min<std::size_t>(text.size(), 1));
}

}  // namespace

std::string progress_line(double seconds, const Counts& counts, const Release& release) {
  const gen::CoverageStats& stats = counts.stats;
  return fmt::format(
      "{:.0f} s, {} cases ({:.0f} a second), {} steps ({:.0f} % ok), {} of {} rules, {} "
      "disagreements, {} not run",
      seconds, stats.scenarios, per_second(stats.scenarios, seconds), stats.steps,
      stats.percent_of_steps(stats.steps_ok), stats.rules_reached(), stats.rules_of(release),
      counts.disagreements, counts.not_run);
}

Json figures(double seconds, const Counts& counts, const Release& release) {
  const gen::CoverageStats& stats = counts.stats;
  const auto percent = [&](std::uint64_t number) {
    return rounded(stats.percent_of_scenarios(number));
  };
  return {{"not_reached", rules_not_reached(stats, release)},
          {"cases", stats.scenarios},
          {"cases_per_second", rounded(per_second(stats.scenarios, seconds))},
          {"steps", stats.steps},
          {"steps_ok_percent", rounded(stats.percent_of_steps(stats.steps_ok))},
          {"scenarios_pivot_percent", percent(stats.with_pivot)},
          {"scenarios_attached_pivot_percent", percent(stats.with_attached_pivot)},
          {"scenarios_two_tasks_percent", percent(stats.with_two_tasks)},
          {"scenarios_two_namespaces_percent", percent(stats.with_two_namespaces)},
          {"scenarios_userns_percent", percent(stats.with_user_namespace)},
          {"rules_reached",
           fmt::format("{}/{}", stats.rules_reached(), stats.rules_of(release))},
          {"verbs_ok_percent", success_of_verbs(stats)},
          {"situations_per_100", situations_per_100(stats)},
          {"ended_before", ended_before(stats)},
          {"observers_cross_checked", counts.cross_checked},
          {"mountinfo_incomplete", counts.mountinfo_incomplete},
          {"state_unseen", counts.state_unseen},
          {"seen_in_copies", counts.seen_in_copies},
          {"listmount_lost", counts.listmount_lost},
          {"cases_with_slave", counts.with_slave},
          {"propagate_from_read", counts.propagate_from_read},
          {"refused_by_chance", counts.chance_refusals},
          {"refused_by_chance_percent", rounded(percent_of(counts.chance_refusals,
                                                           counts.chance_possible))},
          {"read_after_each_step", counts.every_step},
          {"probed", probing(counts.probed)},
          {"laws_asked", laws_asked(counts)}};
}

Json figures(const Engine& engine) {
  const gen::CoverageStats& stats = engine.counts.stats;
  return {{"cases", stats.scenarios},
          {"steps", stats.steps},
          {"rules", stats.rules_reached()},
          {"disagreements", engine.counts.disagreements},
          {"seconds", rounded(engine.seconds)},
          {"jobs", engine.jobs},
          {"cpu_seconds", rounded(engine.cpu_seconds)}};
}

std::string text_of(const Json& summary) {
  std::string text;
  for (const auto& [key, value] : summary.items()) {
    if (value.is_array()) {
      for (const Json& rule : value) text += "not reached: " + word(rule) + "\n";
    } else if (key.starts_with("road_") && value.is_object()) {
      text += fmt::format("{}: {} cases, {} steps, {} rules, {} disagreements in {} s on {} jobs, "
                          "{} s of CPU\n",
                          key, word(value["cases"]), word(value["steps"]), word(value["rules"]),
                          word(value["disagreements"]), word(value["seconds"]),
                          word(value["jobs"]), word(value["cpu_seconds"]));
    } else {
      text += fmt::format("{}: {}\n", key, value.is_object() ? words(value) : word(value));
    }
  }
  return text;
}

}  // namespace pivotcheck::cli
