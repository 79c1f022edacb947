// SPDX-License-Identifier: Apache-2.0
// executor.h: the executor process of a KernelDriver, seen by the process that starts it.
#pragma once

#include <sys/types.h>

#include "base/failure.h"
#include "base/unique_fd.h"
#include "check/driver/task_context.h"
#include "syscalls/setup_error.h"
#include "op/privilege.h"

namespace pivotcheck::kernel {

struct Executor {
  pid_t pid = -1;   // a child of the caller
  UniqueFd pidfd;
  UniqueFd socket;  // frames (wire.h); the first Progress says whether it could set itself up
};

// What an executor does once it is set up, and has said so. It ends when this returns.
using ExecutorMain = void (*)(TaskContext& context, int owner_socket);

// Forks the calling process twice: the executor is a child of it, in new namespaces. It serves
// requests (wire.h), unless another `main` is given: a benchmark works without a protocol.
Expected<Executor> launch_executor(Privilege privilege, ExecutorMain main = nullptr);

// For an ExecutorMain. Ends what is left of the last world: tasks, descriptors, and the world with
// them; makes room for so many steps.
SetupError end_world(TaskContext& context, std::size_t steps);
// Performs the steps in a fresh world; what came of them is in the schedule. The batch stays until
// the world was ended: its tasks look at it.
void run_in_fresh_namespace(TaskContext& context, const Batch& batch);

}  // namespace pivotcheck::kernel
