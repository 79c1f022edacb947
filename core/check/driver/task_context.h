// SPDX-License-Identifier: Apache-2.0
// task_context.h: a task of a world, seen from inside: the process that is this task has exactly
// one TaskContext. A forked task starts with a copy of its maker's, handles included, as it has a
// copy of its descriptors.
#pragma once

#include <sys/types.h>

#include <optional>
#include <vector>

#include "check/driver/shared_schedule.h"
#include "op/privilege.h"

namespace pivotcheck::kernel {

struct TaskContext {
  SharedSchedule* schedule = nullptr;
  const Batch* batch = nullptr;
  int number = SharedSchedule::no_task;  // which task of the scenario
  bool is_executor = true;               // the process that reaps the others
  std::optional<dev_t> rootfs;  // where the root mount is not locked: there no task may stand
  bool is_in_user_ns_of_world = false;  // one that a step of the scenario made
  std::vector<int> handles;     // by slot: the descriptor, or -1
  int fail_nth = -1;            // its file in /proc, while an allocation is to fail

  // The descriptor; -1 for a handle that is not open.
  [[nodiscard]] int find(int slot) const {
    const auto index = static_cast<std::size_t>(slot);
    return slot >= 0 && index < handles.size() ? handles[index] : -1;
  }
  // -1 closes nothing, it only forgets.
  void set(int slot, int descriptor) {
    const auto index = static_cast<std::size_t>(slot);
    if (index >= handles.size()) handles.resize(index + 1, -1);
    handles[index] = descriptor;
  }
};

// Takes this task's turns until the list is over, or the harness can't go on. The executor also
// reaps the tasks that end, and answers for pauses.
void task_loop(TaskContext& context);
// Forks the calling process; the new one is task `number`, and takes its turns. In any case it is a
// child of the executor. Returns, in the maker, once the new task waits. `fresh_world`: the new
// task first moves from the template to a fresh world.
SetupError fork_task(TaskContext& context, int number, bool fresh_world);

// From now on the allocation of that number, from 1, fails in the calling task; and no longer. The
// second notes whether it was met, and does nothing where nothing was begun.
SetupError begin_failing(TaskContext& context, unsigned number);
SetupError end_failing(TaskContext& context);

// An operation as system calls.
StepResult perform(TaskContext& context, const ProgramStep& step);

// The calling process' pid as the machine's /proc has it; 0 if it is not in there.
pid_t outer_pid();

}  // namespace pivotcheck::kernel
