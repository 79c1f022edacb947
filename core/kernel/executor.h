// SPDX-License-Identifier: Apache-2.0
// executor.h: the executor process of a Laboratory, seen by the process that starts it.
#pragma once

#include <sys/types.h>

#include "base/failure.h"
#include "base/unique_fd.h"
#include "op/privilege.h"

namespace pivotcheck::kernel {

struct Executor {
  pid_t pid = -1;   // a child of the caller
  UniqueFd pidfd;
  UniqueFd socket;  // frames (frame.h); its first Report says whether it could set itself up
};

// Forks the calling process twice: the executor is a child of it, in new namespaces.
Expected<Executor> launch_executor(Privilege privilege);

}  // namespace pivotcheck::kernel
