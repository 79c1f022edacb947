// SPDX-License-Identifier: Apache-2.0
// story.cc: see story.h.
#include "check/gen/scenario_builder.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"

namespace pivotcheck::gen {

bool ScenarioBuilder::perform(model::TaskIndex who, Op op) {
  if (ended()) return false;
  Step step{TaskName{world_[who].name}, std::move(op)};
  const bool is_unshare = std::holds_alternative<Unshare>(step.op);
  const Verdict verdict = apply(world_, step);
  if (verdict.stop != Verdict::Stop::no) {
    stopped_ = true;
    return false;
  }
  steps_.push_back(std::move(step));
  verdicts_.push_back(verdict);
  if (is_unshare) namespaces_max_ = std::max(namespaces_max_, namespaces_alive());
  return verdict.outcome.ok();
}

int ScenarioBuilder::namespaces_alive() const {
  return static_cast<int>(std::ranges::count_if(
      world_.mount_namespaces, [](const model::Namespace& mount_ns) { return mount_ns.rootfs.exists(); }));
}

std::size_t ScenarioBuilder::tasks_alive() const {
  return static_cast<std::size_t>(std::ranges::count_if(world_.tasks, &model::Task::alive));
}

model::TaskIndex ScenarioBuilder::some_task() const {
  auto skipped = choices_.below(static_cast<std::uint32_t>(tasks_alive()));
  for (std::uint32_t i = 0; i < world_.tasks.size(); ++i) {
    if (world_.tasks[i].alive && skipped-- == 0) return {i};
  }
  PIVOTCHECK_CHECK(false);  // the last task never exits in a story
  return {};
}

// Tasks are named in order, and the world keeps those that have ended.
std::size_t ScenarioBuilder::names_left() const { return std::size(task_names) - world_.tasks.size(); }
std::string_view ScenarioBuilder::next_name() const { return task_names[world_.tasks.size()]; }

}  // namespace pivotcheck::gen
