// SPDX-License-Identifier: Apache-2.0
// refused_step.h: why the kernel refused an operation to a process that stands still since: what
// `explain` does for a pivot_root that might be called, done for any call about mounts and roots
// that was called, and whose errno is known.
//
//     ProcessView ---> a World for each possibility ---> apply(op) in each ---> those with that errno:
//                                                                        all by the same rule?
//
// What the errno excludes is excluded. Where it leaves locked and unlocked mounts, they are taken
// for unlocked: who switches root binds what he moves and pivots to himself.
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
  // Of the process, for those of the operation's paths that begin at a handle; in their order.
  std::array<int, 2> descriptors{-1, -1};
};

// nullptr: none of the rules, or not the same in all possibilities. The failure: the process can't
// be looked at, or it is an operation that hangs on more than mounts and roots. `pid` 0: the
// calling process.
Expected<Reason> why_refused(pid_t pid, const RefusedStep& step);

}  // namespace pivotcheck::explain
