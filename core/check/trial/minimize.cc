// SPDX-License-Identifier: Apache-2.0
// minimize.cc: delta debugging. Each pass offers candidates, and keep() takes those that still show
// what is to be shown; Minimizer::all() is the order of the passes.
#include "check/trial/minimize.h"

#include <algorithm>
#include <concepts>
#include <set>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace pivotcheck {
namespace {

using Kind = TrialResult::Kind;

std::string_view rule_name(Rule rule) { return rule == Rule::none ? "" : info(rule).name; }

// --- paths as lists of names

// "/a//b/" is {"a", "b"}; "." is left out, as it leads nowhere.
std::vector<std::string> components(std::string_view text) {
  std::vector<std::string> result;
  while (!text.empty()) {
    const std::size_t slash = text.find('/');
    const std::string_view name = text.substr(0, slash);
    if (!name.empty() && name != ".") result.emplace_back(name);
    if (slash == std::string_view::npos) break;
    text.remove_prefix(slash + 1);
  }
  return result;
}

std::string joined(const std::vector<std::string>& names, bool absolute) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() && !absolute ? "" : "/") + name;
  if (text.empty()) text = absolute ? "/" : ".";
  return text;
}

// Every text of a path in a scenario: paths, and targets of links.
template <class Visit>
void each_path(Scenario& scenario, Visit visit) {
  for (ScenarioStep& step : scenario.steps) {
    const auto look = [&]<class Field>(Field& field) {
      if constexpr (std::is_same_v<Field, Path>) visit(field.text, &field);
      if constexpr (std::is_same_v<Field, LinkTarget>) visit(field.text, nullptr);
    };
    std::visit([&](auto& op) { op.fields(op, look); }, step.step.op);
  }
}

std::size_t paths_in(Scenario scenario) {
  std::size_t count = 0;
  each_path(scenario, [&](std::string&, Path*) { ++count; });
  return count;
}

// Changes the path with that number.
template <class Change>
Scenario with_path(Scenario scenario, std::size_t number, Change change) {
  std::size_t at = 0;
  each_path(scenario, [&](std::string& text, Path* path) {
    if (at++ == number) change(text, path);
  });
  return scenario;
}

// --- options

// What is simpler than one argument of an operation, the simplest first; nothing for most.
template <class Flag>
std::vector<FlagSet<Flag>> simpler(const FlagSet<Flag>& flags) {
  std::vector<FlagSet<Flag>> result;
  if (flags.count() > 1) result.push_back({});
  for (int bit = 1; bit <= flags.bits(); bit *= 2) {
    if ((flags.bits() & bit) != 0) result.push_back(flags.without(FlagSet<Flag>::from_bits(bit)));
  }
  return result;
}
std::vector<RemountFlags> simpler(const RemountFlags& remount) {
  std::vector<RemountFlags> result;
  for (const MountFlags& flags : simpler(remount.flags)) result.push_back({flags});
  return result;
}
std::vector<FilesystemType> simpler(const FilesystemType& type) {
  if (type == FilesystemType::tmpfs) return {};
  return {FilesystemType::tmpfs};
}
std::vector<RecursiveWord> simpler(const RecursiveWord& word) {
  if (!word.on) return {};
  return {RecursiveWord{}};
}
int options_in(const AttributeChange& change);
// With one thing less to change; something always is.
std::vector<AttributeChange> simpler(const AttributeChange& change) {
  std::vector<AttributeChange> result;
  const auto offer = [&](AttributeChange less) {
    if (options_in(less) > 0) result.push_back(std::move(less));
  };
  for (const MountFlags& set : simpler(change.set)) offer({set, change.clear, change.propagation});
  for (const MountFlags& clear : simpler(change.clear)) {
    offer({change.set, clear, change.propagation});
  }
  if (change.propagation) offer({change.set, change.clear, std::nullopt});
  return result;
}
std::vector<int> simpler(const auto&) { return {}; }

template <class Flag>
int options_in(const FlagSet<Flag>& flags) { return flags.count(); }
int options_in(const RemountFlags& remount) { return remount.flags.count(); }
int options_in(const FilesystemType& type) { return type == FilesystemType::tmpfs ? 0 : 1; }
int options_in(const RecursiveWord& word) { return word.on ? 1 : 0; }
int options_in(const AttributeChange& change) {
  return change.set.count() + change.clear.count() + (change.propagation ? 1 : 0);
}
int options_in(const auto&) { return 0; }

// All simpler forms of one operation.
std::vector<Op> simpler_forms(const Op& op) {
  std::vector<Op> result;
  Op changed = op;
  const auto offer_each = [&]<class Field>(Field& field) {
    const Field before = field;
    for (const auto& simple : simpler(before)) {
      if constexpr (std::is_same_v<std::remove_cvref_t<decltype(simple)>, Field>) field = simple;
      result.push_back(changed);
    }
    field = before;
  };
  std::visit(
      [&](auto& self) {
        if constexpr (requires { { self.recursive } -> std::same_as<bool&>; }) {
          if (std::exchange(self.recursive, false)) {
            result.push_back(changed);
            self.recursive = true;
          }
        }
        self.fields(self, offer_each);
      },
      changed);
  return result;
}

std::size_t options_of(const Op& op) {
  int count = 0;
  std::visit(
      [&](const auto& self) {
        if constexpr (requires { { self.recursive } -> std::same_as<const bool&>; }) count += self.recursive ? 1 : 0;
        self.fields(self, [&](const auto& field) { count += options_in(field); });
      },
      op);
  return static_cast<std::size_t>(count);
}

// --- tasks

bool names_task(const ScenarioStep& step, const TaskName& task) {
  const auto* setns = std::get_if<Setns>(&step.step.op);
  const auto* spawn = std::get_if<Spawn>(&step.step.op);
  return step.step.task == task || (setns != nullptr && setns->task == task) ||
         (spawn != nullptr && spawn->task == task);
}

// Without `count` steps from `first` on. A task that is not made any more can do nothing: its steps
// go with its spawn.
Scenario without(const Scenario& scenario, std::size_t first, std::size_t count) {
  Scenario shorter = scenario;
  const auto begin = shorter.steps.begin() + static_cast<std::ptrdiff_t>(first);
  shorter.steps.erase(begin, begin + static_cast<std::ptrdiff_t>(count));
  for (std::size_t i = first; i < first + count; ++i) {
    const auto* spawn = std::get_if<Spawn>(&scenario.steps[i].step.op);
    if (spawn == nullptr) continue;
    std::vector<TaskName> lost{spawn->task};  // and those that it makes
    for (std::size_t k = 0; k < lost.size(); ++k) {
      for (const ScenarioStep& step : shorter.steps) {
        const auto* made = std::get_if<Spawn>(&step.step.op);
        if (made != nullptr && step.step.task == lost[k]) lost.push_back(made->task);
      }
      std::erase_if(shorter.steps, [&](const ScenarioStep& s) { return names_task(s, lost[k]); });
    }
  }
  return shorter;
}

// The spawn with that number goes, and whoever performed it does the work of the task.
Scenario merged(const Scenario& scenario, std::size_t spawn_at) {
  Scenario result = scenario;
  const TaskName gone = std::get<Spawn>(scenario.steps[spawn_at].step.op).task;
  const TaskName heir = scenario.steps[spawn_at].step.task;
  result.steps.erase(result.steps.begin() + static_cast<std::ptrdiff_t>(spawn_at));
  std::erase_if(result.steps, [&](const ScenarioStep& s) {
    return s.step.task == gone && std::holds_alternative<Exit>(s.step.op);
  });
  for (ScenarioStep& step : result.steps) {
    if (step.step.task == gone) step.step.task = heir;
    if (auto* setns = std::get_if<Setns>(&step.step.op); setns != nullptr && setns->task == gone) {
      setns->task = heir;
    }
  }
  return result;
}

// --- paths

// One text of a path said more simply, the simplest first.
std::vector<std::string> simpler_texts(const std::string& text, bool behind_handle) {
  std::vector<std::string> result;
  const bool absolute = text.starts_with('/');
  std::vector<std::string> names = components(text);
  const auto offer = [&](const std::vector<std::string>& fewer) {
    if (fewer.empty() && behind_handle) return result.push_back("");
    result.push_back(joined(fewer, absolute || behind_handle));
    if (!absolute) result.push_back(joined(fewer, true));
  };
  if (names.size() > 1) offer({});
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::vector<std::string> fewer = names;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    offer(fewer);
  }
  if (!text.empty()) offer(names);
  std::erase(result, text);
  return result;
}

// Everywhere the name is another one, or is left out ("").
Scenario renamed(Scenario scenario, const std::string& from, const std::string& to) {
  each_path(scenario, [&](std::string& text, Path* path) {
    std::vector<std::string> names = components(text);
    if (std::ranges::find(names, from) == names.end()) return;
    if (to.empty()) {
      std::erase(names, from);
    } else {
      std::ranges::replace(names, from, to);
    }
    const bool behind_handle = path != nullptr && !path->handle.empty();
    text = names.empty() && behind_handle ? "" : joined(names, text.starts_with('/'));
  });
  return scenario;
}

std::set<std::string> names_in(Scenario scenario) {
  std::set<std::string> result;
  each_path(scenario, [&](const std::string& text, Path*) {
    for (std::string& name : components(text)) result.insert(std::move(name));
  });
  result.erase("..");
  return result;
}

// "a" is as simple as a name gets, then "b"; digits and long names come last.
bool is_simpler_name(const std::string& one, const std::string& other) {
  return std::pair(one.size(), one) < std::pair(other.size(), other);
}

// --- what is to be shown

struct Target {
  Kind kind = Kind::agree;
  std::string what;  // of a disagreement kind_of(); else verb, outcome, rule and statement
};

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

Target target_of(const Scenario& scenario, const TrialResult& result) {
  if (result.kind == Kind::disagree) return {result.kind, signature(scenario, result)};
  const std::size_t at = step_shown(scenario, result);
  if (at == 0 || at > result.verdicts.size()) return {result.kind, ""};
  const ScenarioStep& step = scenario.steps[at - 1];
  const Verdict& verdict = result.verdicts[at - 1];
  return {result.kind, fmt::format("{} {} {} {} {}", verb(step.step.op), to_string(verdict.outcome),
                                   rule_name(verdict.rule), to_string(step.stated->outcome),
                                   step.stated->rule)};
}

bool is_shown(const Scenario& scenario, const TrialResult& result, const Target& target) {
  return result.kind == target.kind && target_of(scenario, result).what == target.what;
}

class Minimizer {
 public:
  Minimizer(Trial& trial, const Scenario& scenario, const TrialResult& result,
            const MinimizeOptions& options)
      : trial_(trial), options_(options), target_(target_of(scenario, result)),
        best_{.scenario = scenario, .result = result} {}

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

 private:
  // Takes the candidate if it still shows what is to be shown.
  bool keep(const Scenario& candidate) {
    if (best_.cut_short || candidate == best_.scenario) return false;
    const std::string text = print(candidate);
    if (!seen_.insert(text).second) return false;
    const auto parsed = parse(text);  // which knows what may be named where
    if (!parsed || *parsed != candidate) return false;
    if (best_.trials >= options_.trials_max || (options_.stop && options_.stop())) {
      best_.cut_short = true;
      return false;
    }
    ++best_.trials;
    TrialResult result = trial_.run(candidate);
    if (!is_shown(candidate, result, target_)) return false;
    const std::size_t end = step_shown(candidate, result);
    best_.scenario = candidate;
    best_.result = std::move(result);
    if (end < candidate.steps.size()) keep(ended(candidate, end));
    return true;
  }

  static Scenario ended(Scenario scenario, std::size_t steps) {
    scenario.steps.resize(steps);
    return scenario;
  }

  // Only the statement that is shown counts.
  Scenario without_statements() const {
    Scenario scenario = best_.scenario;
    const std::size_t shown = target_.kind == Kind::disagree
                                  ? 0 : step_shown(best_.scenario, best_.result);
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
        smaller = keep(without(best_.scenario, first, end - first)) || smaller;
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
        const Scenario half = without(best_.scenario, one, 1);
        if (other < half.steps.size()) smaller = keep(without(half, other, 1)) || smaller;
      }
    }
    return smaller;
  }

  bool tasks() {
    bool smaller = false;
    for (std::size_t i = best_.scenario.steps.size(); i-- > 0;) {
      if (i >= best_.scenario.steps.size()) continue;
      if (!std::holds_alternative<Spawn>(best_.scenario.steps[i].step.op)) continue;
      smaller = keep(merged(best_.scenario, i)) || smaller;
    }
    for (std::size_t i = 0; i < best_.scenario.steps.size(); ++i) {  // or one step only
      Scenario candidate = best_.scenario;
      candidate.steps[i].step.task = TaskName{"A"};
      smaller = keep(candidate) || smaller;
    }
    return smaller;
  }

  // A path that starts at a handle starts where that was opened, or at the root.
  bool handles() {
    bool smaller = false;
    for (std::size_t i = 0; i < paths_in(best_.scenario); ++i) {
      std::set<std::string> starts{""};
      for (const ScenarioStep& step : best_.scenario.steps) {
        const auto* open = std::get_if<Open>(&step.step.op);
        if (open != nullptr && open->path.handle.empty()) starts.insert(open->path.text);
        const auto* tree = std::get_if<OpenTree>(&step.step.op);
        if (tree != nullptr && tree->path.handle.empty()) starts.insert(tree->path.text);
      }
      for (const std::string& start : starts) {
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
    for (const std::string& name : names_in(best_.scenario)) {
      if (keep(renamed(best_.scenario, name, ""))) {
        smaller = true;
        continue;
      }
      for (const char* simple : {"a", "b", "c", "d", "e", "f"}) {
        if (!is_simpler_name(simple, name)) break;
        if (names_in(best_.scenario).contains(simple)) continue;
        if (!keep(renamed(best_.scenario, name, simple))) continue;
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
        texts = simpler_texts(text, path != nullptr && !path->handle.empty());
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
    for (std::size_t i = 0; i < best_.scenario.steps.size(); ++i) {
      for (const Op& simple : simpler_forms(best_.scenario.steps[i].step.op)) {
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
  const Target target_;
  Minimized best_;
  std::unordered_set<std::string> seen_;
};

}  // namespace

std::string signature(const Scenario& scenario, const TrialResult& result) {
  if (result.step == 0) return "state fresh";
  const std::string_view name = verb(scenario.steps[result.step - 1].step.op);
  if (!result.differences.empty()) return fmt::format("{} state", name);
  const std::string_view rule = rule_name(result.rule);
  return fmt::format("{} {} {}{}{}", name, to_string(*result.kernel), to_string(*result.model),
                     rule.empty() ? "" : " ", rule);
}

ScenarioSize size_of(const Scenario& scenario) {
  ScenarioSize size{.steps = scenario.steps.size()};
  size.options = scenario.kernel.size() + (scenario.privilege ? 1 : 0);
  for (const ScenarioStep& step : scenario.steps) {
    size.tasks += std::holds_alternative<Spawn>(step.step.op) ? 1 : 0;
    size.options += options_of(step.step.op);
  }
  Scenario copy = scenario;
  each_path(copy, [&](const std::string& text, const Path* path) {
    size.path_components += components(text).size();
    if (path != nullptr && !path->handle.empty()) ++size.handles;
  });
  return size;
}

bool can_minimize(const Scenario& scenario, const TrialResult& result) {
  if (result.kind == Kind::disagree) return result.step > 0;
  if (result.kind == Kind::unmet) return true;
  return result.kind == Kind::agree && last_stated(scenario) > 0;
}

Minimized minimize(Trial& trial, const Scenario& scenario, const TrialResult& result,
                   const MinimizeOptions& options) {
  return Minimizer(trial, scenario, result, options).all();
}

std::string what_was_removed(const Scenario& before, const Minimized& after) {
  const ScenarioSize from = size_of(before);
  const ScenarioSize to = size_of(after.scenario);
  std::string text;
  const auto count = [&](std::string_view what, std::size_t was, std::size_t is) {
    if (is >= was) return;
    text += fmt::format("{}{} of {} {}", text.empty() ? "removed " : ", ", was - is, was, what);
  };
  count("steps", from.steps, to.steps);
  count("tasks", from.tasks, to.tasks);
  count("path components", from.path_components, to.path_components);
  count("handles", from.handles, to.handles);
  count("options", from.options, to.options);
  if (text.empty()) text = before == after.scenario ? "nothing to remove" : "only names changed";
  text += fmt::format(" ({} trial{}{})", after.trials, after.trials == 1 ? "" : "s",
                      after.cut_short ? ", cut short by a limit" : "");
  return text;
}

}  // namespace pivotcheck
