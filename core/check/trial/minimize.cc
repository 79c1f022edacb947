// SPDX-License-Identifier: Apache-2.0
// minimize.cc: delta debugging. Each pass makes candidates (scenario/edit.h, simpler_options.cc);
// keep() takes those that still show what they must. Minimizer::all() has the order of the passes.
#include "check/trial/minimize.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "scenario/edit.h"

namespace pivotcheck {
namespace {

using Kind = TrialResult::Kind;

std::string_view rule_name(Rule rule) { return rule == Rule::none ? "" : info(rule).name; }

// Calls visit(text, path) for each path of a scenario (edit.h).
void for_each_path(auto& scenario, auto visit) {
  for (auto& step : scenario.steps) edit::for_each_path(step.step.op, visit);
}

std::size_t paths_in(const Scenario& scenario) {
  std::size_t count = 0;
  for_each_path(scenario, [&](const std::string&, const Path*) { ++count; });
  return count;
}

// Changes the path with that number.
template <class Change>
Scenario with_path(Scenario scenario, std::size_t number, Change change) {
  std::size_t at = 0;
  for_each_path(scenario, [&](std::string& text, Path* path) {
    if (at++ == number) change(text, path);
  });
  return scenario;
}

// Where the handles of a scenario were opened, as far as that is a plain path; and "".
std::set<std::string> places_opened(const Scenario& scenario) {
  std::set<std::string> places{""};
  for (const ScenarioStep& step : scenario.steps) {
    if (opened_handle(step.step.op) == nullptr) continue;
    edit::for_each_path(step.step.op, [&](const std::string& text, const Path* path) {
      if (path != nullptr && path->handle.empty()) places.insert(text);
    });
  }
  return places;
}

// "a" is as simple as a name gets, then "b"; digits and long names come last.
bool is_simpler_name(const std::string& one, const std::string& other) {
  return std::pair(one.size(), one) < std::pair(other.size(), other);
}

// --- what is to be shown

// The last step of an agreement for which something is stated; 0: none.
std::size_t last_stated(const Scenario& scenario) {
  for (std::size_t i = scenario.steps.size(); i > 0; --i) {
    if (scenario.steps[i - 1].stated) return i;
  }
  return 0;
}

// The step that is the point of the scenario, from 1.
std::size_t step_shown(const Scenario& scenario, const TrialResult& result) {
  return result.kind == Kind::agree ? last_stated(scenario) : result.step;
}

// Of a disagreement its signature(); else what the step that is shown is, answers, and states.
std::string point_of(const Scenario& scenario, const TrialResult& result) {
  const std::string kind(name(result.kind));
  if (is_finding(result)) return kind + signature(scenario, result);
  const std::size_t at = step_shown(scenario, result);
  if (at == 0 || at > result.verdicts.size()) return kind;
  const ScenarioStep& step = scenario.steps[at - 1];
  const Verdict& verdict = result.verdicts[at - 1];
  return fmt::format("{} {} {} {} {} {}", kind, verb(step.step.op), to_string(verdict.outcome),
                     rule_name(verdict.rule), to_string(step.stated->outcome), step.stated->rule);
}

class Minimizer {
 public:
  Minimizer(Trial& trial, const Scenario& scenario, const TrialResult& result,
            const MinimizeOptions& options)
      : trial_(trial), options_(options), point_(point_of(scenario, result)),
        of_law_(result.law != nullptr), best_{.scenario = scenario, .result = result} {}

  Minimized all() {
    keep(ended(best_.scenario, step_shown(best_.scenario, best_.result)));
    keep(without_statements());
    for (bool smaller = true; smaller && !best_.cut_short;) {
      smaller = steps();
      smaller = tasks() || smaller;
      smaller = handles() || smaller;
      smaller = names() || smaller;
      smaller = paths() || smaller;
      smaller = options() || smaller;
    }
    return std::move(best_);
  }

  bool shows_alone(const Scenario& scenario) {
    trial_.renew();
    return point_of(scenario, run(scenario)) == point_;
  }

 private:
  TrialResult run(const Scenario& scenario) {
    if (options_.renew) trial_.renew();
    // A law that only the kernel breaks shows where its states are read.
    return trial_.run(scenario, {.every_step = of_law_});
  }

  // Takes the candidate if it still shows what is to be shown.
  bool keep(const Scenario& candidate) {
    if (best_.cut_short || candidate == best_.scenario) return false;
    if (!seen_.insert(print(candidate)).second) return false;
    if (best_.trials >= options_.trials_max || (options_.stop && options_.stop())) {
      best_.cut_short = true;
      return false;
    }
    ++best_.trials;
    TrialResult result = run(candidate);
    if (point_of(candidate, result) != point_) return false;
    const std::size_t end = step_shown(candidate, result);
    best_.scenario = candidate;
    best_.result = std::move(result);
    if (end < candidate.steps.size()) keep(ended(candidate, end));
    return true;
  }

  bool keep(const std::optional<Scenario>& candidate) { return candidate && keep(*candidate); }

  static Scenario ended(Scenario scenario, std::size_t steps) {
    scenario.steps.resize(steps);
    return scenario;
  }

  // Only the statement that is shown counts.
  Scenario without_statements() const {
    Scenario scenario = best_.scenario;
    const std::size_t shown =
        is_finding(best_.result) ? 0 : step_shown(best_.scenario, best_.result);
    for (std::size_t i = 0; i < scenario.steps.size(); ++i) {
      if (i + 1 != shown) scenario.steps[i].stated.reset();
    }
    return scenario;
  }

  bool steps() {
    bool smaller = false;
    for (std::size_t chunk = best_.scenario.steps.size() / 2; chunk > 0; chunk /= 2) {
      for (std::size_t end = best_.scenario.steps.size(); end > 0;) {
        end = std::min(end, best_.scenario.steps.size());
        const std::size_t first = end > chunk ? end - chunk : 0;
        smaller = keep(edit::without_steps(best_.scenario, first, end - first)) || smaller;
        end = first;
      }
    }
    return smaller || pairs();
  }

  // Two steps that need each other, such as a bind and its umount.
  bool pairs() {
    constexpr std::size_t steps_max = 14;  // beyond that it is too slow
    bool smaller = false;
    for (std::size_t one = best_.scenario.steps.size(); one-- > 1;) {
      for (std::size_t other = one; other-- > 0;) {
        if (one >= best_.scenario.steps.size() || best_.scenario.steps.size() > steps_max) break;
        const Scenario half = edit::without_steps(best_.scenario, one, 1);
        if (other >= half.steps.size()) continue;
        smaller = keep(edit::without_steps(half, other, 1)) || smaller;
      }
    }
    return smaller;
  }

  bool tasks() {
    bool smaller = false;
    for (std::size_t i = best_.scenario.steps.size(); i-- > 0;) {
      if (i >= best_.scenario.steps.size()) continue;
      if (effect_of(best_.scenario.steps[i].step.op) != Effect::makes_task) continue;
      smaller = keep(edit::without_task(best_.scenario, i)) || smaller;
    }
    for (std::size_t i = 0; i < best_.scenario.steps.size(); ++i) {  // or one step only
      smaller = keep(edit::performed_by_first_task(best_.scenario, i)) || smaller;
    }
    return smaller;
  }

  // A path that starts at a handle starts where that was opened, or at the root.
  bool handles() {
    bool smaller = false;
    for (std::size_t i = 0; i < paths_in(best_.scenario); ++i) {
      for (const std::string& start : places_opened(best_.scenario)) {
        smaller = keep(with_path(best_.scenario, i, [&](std::string& text, Path* path) {
                    if (path == nullptr || path->handle.empty()) return;
                    path->handle.clear();
                    text = start + text;
                    if (text.empty()) text = "/";
                  })) || smaller;
      }
    }
    return smaller;
  }

  bool names() {
    bool smaller = false;
    for (const std::string& name : edit::names_in(best_.scenario)) {
      if (keep(edit::renamed(best_.scenario, name, ""))) {
        smaller = true;
        continue;
      }
      for (const char* simple : {"a", "b", "c", "d", "e", "f"}) {
        if (!is_simpler_name(simple, name)) break;
        if (edit::names_in(best_.scenario).contains(simple)) continue;
        if (!keep(edit::renamed(best_.scenario, name, simple))) continue;
        smaller = true;
        break;
      }
    }
    return smaller;
  }

  bool paths() {
    bool smaller = false;
    for (std::size_t i = 0; i < paths_in(best_.scenario); ++i) {
      std::vector<std::string> texts;
      with_path(best_.scenario, i, [&](const std::string& text, const Path* path) {
        texts = edit::simpler_paths(text, path != nullptr && !path->handle.empty());
      });
      for (const std::string& simple : texts) {
        if (!keep(with_path(best_.scenario, i, [&](std::string& text, Path*) { text = simple; }))) {
          continue;
        }
        smaller = true;
        break;
      }
    }
    return smaller;
  }

  bool options() {
    bool smaller = false;
    Scenario plain = best_.scenario;
    plain.privilege.reset();
    smaller = keep(plain) || smaller;
    plain = best_.scenario;
    plain.kernel.clear();
    smaller = keep(plain) || smaller;
    plain = best_.scenario;
    plain.traits.clear();
    smaller = keep(plain) || smaller;
    for (std::size_t i = 0; i < best_.scenario.steps.size(); ++i) {
      for (const Op& simple : with_fewer_options(best_.scenario.steps[i].step.op)) {
        if (i >= best_.scenario.steps.size()) break;
        Scenario candidate = best_.scenario;
        candidate.steps[i].step.op = simple;
        if (!keep(candidate)) continue;
        smaller = true;
        break;
      }
    }
    return smaller;
  }

  Trial& trial_;
  const MinimizeOptions& options_;
  const std::string point_;
  bool of_law_;
  Minimized best_;
  std::unordered_set<std::string> seen_;
};

// --- one line on what was removed

// What makes a scenario long to read, and how much of it there is.
using Lengths = std::array<std::pair<std::string_view, std::size_t>, 5>;
Lengths lengths_of(const Scenario& scenario) {
  std::size_t tasks = 1;
  std::size_t components = 0;
  std::size_t handles = 0;  // paths that start at one
  std::size_t options = scenario.kernel.size() + scenario.traits.size() +
                        (scenario.privilege ? 1 : 0);
  for (const ScenarioStep& step : scenario.steps) {
    if (effect_of(step.step.op) == Effect::makes_task) ++tasks;
    options += options_in(step.step.op);
    edit::for_each_path(step.step.op, [&](const std::string& text, const Path* path) {
      components += edit::names_of(text).size();
      if (path != nullptr && !path->handle.empty()) ++handles;
    });
  }
  return {{{"steps", scenario.steps.size()},
           {"tasks", tasks},
           {"path components", components},
           {"handles", handles},
           {"options", options}}};
}

}  // namespace

std::string signature(const Scenario& scenario, const TrialResult& result) {
  if (result.law != nullptr) return fmt::format("law {}", result.law->name);
  if (result.step == 0) return "state fresh";
  const std::string_view name = verb(scenario.steps[result.step - 1].step.op);
  if (!result.differences.empty()) return fmt::format("{} state", name);
  const std::string_view rule = rule_name(result.rule);
  return fmt::format("{} {} {}{}{}", name, to_string(*result.kernel), to_string(*result.model),
                     rule.empty() ? "" : " ", rule);
}

bool can_minimize(const Scenario& scenario, const TrialResult& result) {
  if (is_finding(result)) return result.step > 0;
  if (result.kind == Kind::unmet) return true;
  return result.kind == Kind::agree && last_stated(scenario) > 0;
}

Minimized minimize(Trial& trial, const Scenario& scenario, const TrialResult& result,
                   const MinimizeOptions& options) {
  Minimizer minimizer(trial, scenario, result, options);
  Minimized found = minimizer.all();
  if (minimizer.shows_alone(found.scenario)) return found;
  MinimizeOptions alone = options;
  alone.renew = true;
  return Minimizer(trial, scenario, result, alone).all();
}

std::string what_was_removed(const Scenario& before, const Minimized& after) {
  const Lengths was = lengths_of(before);
  const Lengths is = lengths_of(after.scenario);
  std::string text;
  for (std::size_t i = 0; i < was.size(); ++i) {
    const auto& [what, count] = was[i];
    if (is[i].second >= count) continue;
    text += fmt::format("{}{} of {} {}", text.empty() ? "removed " : ", ", count - is[i].second,
                        count, what);
  }
  if (text.empty()) text = before == after.scenario ? "nothing to remove" : "only names changed";
  return text + fmt::format(" ({} trial{}{})", after.trials, after.trials == 1 ? "" : "s",
                            after.cut_short ? ", cut short by a limit" : "");
}

}  // namespace pivotcheck
