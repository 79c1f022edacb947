// SPDX-License-Identifier: Apache-2.0
// task_plan.h: what must be known of a program's tasks before its first step is performed: which
// processes they can be.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "scenario/program.h"

namespace pivotcheck::kernel {

// Tasks in one program, A included. Each is a process that waits; scenarios have two or three.
inline constexpr std::size_t tasks_max = 64;

struct TaskPlan {
  // The executor can't be A itself: A ends, or takes credentials on that the executor could not
  // put off again.
  bool first_is_forked = false;
  // By task: it, or a task from which it was forked, makes a user namespace. The kernel refuses
  // that to a task that shares its memory with others.
  std::vector<bool> own_memory;
};

TaskPlan plan_tasks(std::span<const ProgramStep> steps);

}  // namespace pivotcheck::kernel
