// SPDX-License-Identifier: Apache-2.0
// program.cc: from names to numbers, and back.
#include "scenario/program.h"

#include <type_traits>
#include <utility>

namespace pivotcheck {

int Resolver::make_task(const std::string& name) {
  const int number = static_cast<int>(task_names_.size());
  tasks_.emplace(name, number);
  task_names_.push_back(name);
  alive_.push_back(true);
  return number;
}

int Resolver::find_alive(std::string_view task) const {
  const auto found = tasks_.find(task);
  if (found == tasks_.end() || !alive_[static_cast<std::size_t>(found->second)]) return -1;
  return found->second;
}

int Resolver::slot_of(const std::string& handle) {
  if (handle.empty()) return no_slot;
  const auto [entry, is_new] = slots_.try_emplace(handle, static_cast<int>(handle_names_.size()));
  if (is_new) handle_names_.push_back(handle);
  return entry->second;
}

Expected<ProgramStep> Resolver::add(Step step) {
  const int task = find_alive(step.task.text);
  if (task < 0) return fail("no task " + step.task.text);
  return add(task, std::move(step.op));
}

Expected<ProgramStep> Resolver::add(int task, Op op) {
  ProgramStep step{.task = task, .op = std::move(op)};
  const std::string refused = std::visit(
      Overloaded{[&](const Spawn& spawn) {
                   if (was_made(spawn.task.text)) return "a second task " + spawn.task.text;
                   step.subject = make_task(spawn.task.text);
                   return std::string();
                 },
                 [&](const Setns& setns) {
                   step.subject = find_alive(setns.task.text);
                   return step.subject < 0 ? "no task " + setns.task.text : std::string();
                 },
                 [&](const Exit&) {
                   alive_[static_cast<std::size_t>(task)] = false;
                   return std::string();
                 },
                 []<class Typed>(const Typed&) {
                   static_assert(!requires(Typed typed) { typed.task; }, "what is that task to it?");
                   return std::string();
                 }},
      step.op);
  if (!refused.empty()) return fail(refused);
  const auto set_slot = [this]<class Field>(Field& field) {
    if constexpr (std::is_same_v<Field, Path>) field.slot = slot_of(field.handle);
    if constexpr (std::is_same_v<Field, HandleName>) field.slot = slot_of(field.text);
  };
  std::visit([&](auto& typed) { typed.fields(typed, set_slot); }, step.op);
  return step;
}

Expected<Program> resolve(const Scenario& scenario) {
  Resolver resolver;
  Program program{.privilege = scenario.effective_privilege(), .steps = {}, .tasks = {},
                  .handles = {}};
  program.steps.reserve(scenario.steps.size());
  for (const ScenarioStep& each : scenario.steps) {
    Expected<ProgramStep> step = resolver.add(each.step);
    if (!step) {
      const std::size_t number = program.steps.size() + 1;
      return fail("step " + std::to_string(number) + ": " + step.error().what);
    }
    program.steps.push_back(std::move(*step));
  }
  program.tasks = resolver.task_names();
  program.handles = resolver.handle_names();
  return program;
}

Step step_of(const Program& program, std::size_t index) {
  const ProgramStep& step = program.steps[index];
  return {TaskName{program.tasks[static_cast<std::size_t>(step.task)]}, step.op};
}

Scenario scenario_of(const Program& program) {
  Scenario scenario;
  scenario.privilege = program.privilege;
  scenario.steps.reserve(program.steps.size());
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    scenario.steps.push_back({.step = step_of(program, i), .stated = {}});
  }
  return scenario;
}

}  // namespace pivotcheck
