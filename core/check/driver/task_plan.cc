// SPDX-License-Identifier: Apache-2.0
// task_plan.cc: one pass over the steps.
#include "check/driver/task_plan.h"

namespace pivotcheck::kernel {
namespace {

bool makes_user_namespace(const Op& op) {
  const auto* unshare = std::get_if<Unshare>(&op);
  return unshare != nullptr && unshare->kinds.has(NamespaceKind::user);
}

// After this the task has ended, or has credentials of which there is no way back.
bool leaves_no_way_back(const Op& op) {
  const auto* setns = std::get_if<Setns>(&op);
  return makes_user_namespace(op) || std::holds_alternative<Exit>(op) ||
         std::holds_alternative<DropCapabilities>(op) ||
         (setns != nullptr && setns->kinds.has(NamespaceKind::user));
}

}  // namespace

TaskPlan plan_tasks(std::span<const ProgramStep> steps) {
  TaskPlan plan{.first_is_forked = false, .own_memory = {false}};
  std::vector<int> makers{0};
  for (const ProgramStep& step : steps) {
    if (std::holds_alternative<Spawn>(step.op)) {
      makers.push_back(step.task);
      plan.own_memory.push_back(false);
    }
    if (step.task == 0 && leaves_no_way_back(step.op)) plan.first_is_forked = true;
    if (makes_user_namespace(step.op)) plan.own_memory[static_cast<std::size_t>(step.task)] = true;
  }
  for (std::size_t i = 1; i < makers.size(); ++i) {  // a maker has a lower number
    if (plan.own_memory[static_cast<std::size_t>(makers[i])]) plan.own_memory[i] = true;
  }
  return plan;
}

}  // namespace pivotcheck::kernel
