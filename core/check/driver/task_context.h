// SPDX-License-Identifier: Apache-2.0
// task_context.h: a task of a world, seen from inside: the process that is this task has exactly one
// TaskContext. A forked task starts with a copy of its maker's, handles included, as it has a copy of its
// descriptors.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "check/driver/shared_schedule.h"
#include "op/privilege.h"

namespace pivotcheck::kernel {

struct OpenHandle {
  std::string name;
  int fd = -1;
};

struct TaskContext {
  SharedSchedule* schedule = nullptr;
  const Script* script = nullptr;
  int number = SharedSchedule::no_part;  // which task of the cast
  bool is_executor = true;      // the process that reaps the others
  std::optional<dev_t> rootfs;  // in worlds whose root mount is not locked: where no task may stand
  std::vector<OpenHandle> handles;

  // The descriptor, or -1.
  [[nodiscard]] int find(std::string_view name) const {
    for (const OpenHandle& handle : handles) {
      if (handle.name == name) return handle.fd;
    }
    return -1;
  }
};

// perform.cc: does what the operation says. `subject` is the task that the step spawns or enters.
Answer perform(TaskContext& context, const Op& op, int subject);

// play.cc: takes this task's turns until the list is over, or the harness can't go on. The executor
// also reaps the tasks that leave. A task other than the executor never comes back.
void task_loop(TaskContext& context);
// Forks the calling process; the new one is task `number` and plays. A child of the executor it is
// in any case. Comes back, in the maker, when the new task is on the stage. `fresh_world`: the new
// task first moves from the template to a fresh world.
SetupError fork_task(TaskContext& context, int number, bool fresh_world);

// The calling process' pid as the machine's /proc has it; 0 if it is not in there.
pid_t outer_pid();

}  // namespace pivotcheck::kernel
