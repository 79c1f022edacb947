// SPDX-License-Identifier: Apache-2.0
// edit.cc: edit.h says what each change does.
#include "scenario/edit.h"

#include <algorithm>
#include <map>
#include <utility>

#include "scenario/program.h"

namespace pivotcheck::edit {
namespace {

template <class Visit>
void for_each_path(Scenario& scenario, Visit visit) {
  for (ScenarioStep& step : scenario.steps) edit::for_each_path(step.step.op, visit);
}

// The task that a step makes or enters; nullptr for most.
template <class AnyOp>
auto* task_named_in(AnyOp& op) {
  using Name = std::conditional_t<std::is_const_v<AnyOp>, const TaskName, TaskName>;
  Name* found = nullptr;
  const auto look = [&]<class Field>(Field& field) {
    if constexpr (std::is_same_v<std::remove_const_t<Field>, TaskName>) found = &field;
  };
  std::visit([&](auto& typed) { typed.fields(typed, look); }, op);
  return found;
}

std::optional<Scenario> if_valid(Scenario scenario) {
  if (!resolve(scenario)) return std::nullopt;
  return scenario;
}

std::string joined(const std::vector<std::string>& names, bool absolute) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() && !absolute ? "" : "/") + name;
  if (text.empty()) return absolute ? "/" : ".";
  return text.starts_with('@') ? "./" + text : text;
}

}  // namespace

// --- steps and tasks

Scenario without_steps(const Scenario& scenario, std::size_t first, std::size_t count) {
  Scenario shorter = scenario;
  shorter.steps.clear();
  std::set<std::string> gone;  // tasks; their spawns stand before their other steps
  for (std::size_t i = 0; i < scenario.steps.size(); ++i) {
    const Step& step = scenario.steps[i].step;
    const TaskName* named = task_named_in(step.op);
    const bool goes = (i >= first && i < first + count) || gone.contains(step.task.text) ||
                      (named != nullptr && gone.contains(named->text));
    if (!goes) shorter.steps.push_back(scenario.steps[i]);
    if (goes && std::holds_alternative<Spawn>(step.op)) gone.insert(named->text);
  }
  return shorter;
}

std::optional<Scenario> without_task(const Scenario& scenario, std::size_t spawn_at) {
  Scenario result = scenario;
  const TaskName gone = std::get<Spawn>(scenario.steps[spawn_at].step.op).task;
  const TaskName heir = scenario.steps[spawn_at].step.task;
  result.steps.erase(result.steps.begin() + static_cast<std::ptrdiff_t>(spawn_at));
  std::erase_if(result.steps, [&](const ScenarioStep& s) {
    return s.step.task == gone && std::holds_alternative<Exit>(s.step.op);
  });
  for (ScenarioStep& step : result.steps) {
    if (step.step.task == gone) step.step.task = heir;
    if (TaskName* named = task_named_in(step.step.op); named != nullptr && *named == gone) {
      *named = heir;
    }
  }
  return if_valid(std::move(result));
}

std::optional<Scenario> performed_by_first_task(Scenario scenario, std::size_t at) {
  scenario.steps[at].step.task = TaskName{"A"};
  return if_valid(std::move(scenario));
}

void repair_tasks(std::vector<ScenarioStep>& steps, std::span<const std::string_view> names,
                  const std::function<std::size_t(std::size_t)>& choose) {
  std::vector<std::string> alive{std::string(names[0])};
  std::size_t made = 1;
  std::map<std::string, std::string> renamed_to;  // a name as a step has it -> as it is now
  const auto replace = [&](std::string& name) {
    const auto found = renamed_to.find(name);
    if (found != renamed_to.end()) name = found->second;
    if (std::ranges::find(alive, name) == alive.end()) name = alive[choose(alive.size())];
  };
  std::erase_if(steps, [&](ScenarioStep& each) {
    Step& step = each.step;
    replace(step.task.text);
    TaskName* named = task_named_in(step.op);
    if (std::holds_alternative<Spawn>(step.op)) {
      if (made >= names.size()) return true;
      const std::string name(names[made++]);
      renamed_to[named->text] = name;
      named->text = name;
      alive.push_back(name);
    } else if (named != nullptr) {
      replace(named->text);
    }
    if (std::holds_alternative<Exit>(step.op)) {
      if (alive.size() < 2) return true;
      std::erase(alive, step.task.text);
    }
    return false;
  });
}

// --- paths

std::vector<std::string> names_of(std::string_view path) {
  std::vector<std::string> names;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    if (!name.empty() && name != ".") names.emplace_back(name);
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return names;
}

std::set<std::string> names_in(const Scenario& scenario) {
  std::set<std::string> names;
  for (const ScenarioStep& step : scenario.steps) {
    edit::for_each_path(step.step.op, [&](const std::string& text, const Path*) {
      for (std::string& name : names_of(text)) names.insert(std::move(name));
    });
  }
  names.erase("..");
  return names;
}

Scenario renamed(Scenario scenario, const std::string& from, const std::string& to) {
  for_each_path(scenario, [&](std::string& text, const Path* path) {
    std::vector<std::string> names = names_of(text);
    if (std::ranges::find(names, from) == names.end()) return;
    if (to.empty()) std::erase(names, from);
    else std::ranges::replace(names, from, to);
    const bool after_handle = path != nullptr && !path->handle.empty();
    text = names.empty() && after_handle ? "" : joined(names, text.starts_with('/'));
  });
  return scenario;
}

std::vector<std::string> simpler_paths(const std::string& text, bool after_handle) {
  std::vector<std::string> result;
  const bool absolute = text.starts_with('/');
  const std::vector<std::string> names = names_of(text);
  const auto offer = [&](const std::vector<std::string>& fewer) {
    if (fewer.empty() && after_handle) return result.push_back("");
    result.push_back(joined(fewer, absolute || after_handle));
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

}  // namespace pivotcheck::edit
