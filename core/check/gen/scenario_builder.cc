// SPDX-License-Identifier: Apache-2.0
// scenario_builder.cc: adds steps, and picks tasks.
#include "check/gen/scenario_builder.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"

namespace pivotcheck::gen {

bool ScenarioBuilder::perform(model::TaskIndex performer, Op op) {
  if (ended() || !predictor_.add(static_cast<int>(performer.value), std::move(op))) return false;
  return predictor_.last().outcome.ok();
}

std::size_t ScenarioBuilder::tasks_alive() const {
  return static_cast<std::size_t>(std::ranges::count_if(world().tasks, &model::Task::alive));
}

model::TaskIndex ScenarioBuilder::some_task() const {
  auto skipped = choices_.below(static_cast<std::uint32_t>(tasks_alive()));
  for (std::uint32_t i = 0; i < world().tasks.size(); ++i) {
    if (world().tasks[i].alive && skipped-- == 0) return {i};
  }
  PIVOTCHECK_CHECK(false);  // the last task never exits in a generated scenario
  return {};
}

// Tasks are named in order, and the world keeps those that have ended.
std::size_t ScenarioBuilder::names_left() const {
  return std::size(task_names) - world().tasks.size();
}
std::string_view ScenarioBuilder::next_name() const { return task_names[world().tasks.size()]; }

}  // namespace pivotcheck::gen
