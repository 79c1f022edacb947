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
  UniqueFd socket;  // frames (frame.h); its first Report says whether it could set itself up
};

// What an executor does when it is set up, and has said so. It ends when this returns.
using ExecutorMain = void (*)(TaskContext& context, int owner_socket);

// Forks the calling process twice: the executor is a child of it, in new namespaces. Its life is to
// obey orders (wire.h), unless another one is given: a benchmark lives without a protocol.
Expected<Executor> launch_executor(Privilege privilege, ExecutorMain life = nullptr);

// What a life consists of. Ends what is left of the last world: tasks, descriptors, and the world
// itself with them; makes room for so many steps.
SetupError end_world(TaskContext& context, std::size_t steps);
// Plays the steps in a fresh world; how it went is on the stage.
void run_in_fresh_namespace(TaskContext& context, const Script& script);

}  // namespace pivotcheck::kernel
