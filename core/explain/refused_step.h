// SPDX-License-Identifier: Apache-2.0
// refused_step.h: which rule refused an operation, for a process that has been stopped at it since.
// The same that `explain` does for a pivot_root that might be called, for any call about mounts and
// roots that was called and whose errno is known.
//
//     ProcessView ---> a World for each assumption ---> apply(op) in each ---> those with that
//                                                               errno: all by the same rule?
//
// Worlds with another errno are excluded. If both locked and unlocked mounts remain possible,
// they are taken for unlocked: a program that switches root usually made the mounts itself.
#pragma once

#include <sys/types.h>

#include <array>

#include "base/failure.h"
#include "explain/explain.h"
#include "op/op.h"

namespace pivotcheck::explain {

struct RefusedStep {
  Op op;
  int error = 0;
  // The process's descriptors for those paths of the operation that begin at a handle, in order.
  std::array<int, 2> descriptors{-1, -1};
};

// nullptr: no rule has that errno, or several have. A failure: the process can't be inspected, or
// not only mounts and roots decide the operation. `pid` 0: the calling process.
Expected<Reason> why_refused(pid_t pid, const RefusedStep& step);

}  // namespace pivotcheck::explain
