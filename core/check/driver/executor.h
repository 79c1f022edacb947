// SPDX-License-Identifier: Apache-2.0
// executor.h: the executor process of a Laboratory, seen by the process that starts it.
#pragma once

#include <sys/types.h>

#include "base/failure.h"
#include "base/unique_fd.h"
#include "check/driver/actor.h"
#include "check/driver/trouble.h"
#include "op/privilege.h"

namespace pivotcheck::kernel {

struct Executor {
  pid_t pid = -1;   // a child of the caller
  UniqueFd pidfd;
  UniqueFd socket;  // frames (frame.h); its first Report says whether it could set itself up
};

// What an executor does when it is set up, and has said so. It ends when this returns.
using Life = void (*)(Actor& actor, int owner_socket);

// Forks the calling process twice: the executor is a child of it, in new namespaces. Its life is to
// obey orders (wire.h), unless another one is given: a benchmark lives without a protocol.
Expected<Executor> launch_executor(Privilege privilege, Life life = nullptr);

// What a life consists of. Ends what is left of the last world: tasks, descriptors, and the world
// itself with them; makes room for so many steps.
Trouble end_world(Actor& actor, std::size_t steps);
// Plays the steps in a fresh world; how it went is on the stage.
void play_in_fresh_world(Actor& actor, const Script& script);

}  // namespace pivotcheck::kernel
