// SPDX-License-Identifier: Apache-2.0
// walk.h: each state of a small space once, in this process and in memory: for tests, and to print
// a space. `pivotcheck exhaust` itself works with many processes and a journal.
#pragma once

#include <cstdint>
#include <functional>

#include "check/exhaust/expander.h"
#include "check/exhaust/space.h"

namespace pivotcheck::exhaust {

// What `visit` gets is a scenario's end: the sequence with one more operation that changed
// something; or with all operations that were refused in its state, one after the other.
using VisitSequence = std::function<void(Sequence)>;

// Of sequences of at most `depth` operations.
void walk(const Space& space, const KernelTraits& traits, std::uint64_t depth, int mounts_max,
          const VisitSequence& visit);

}  // namespace pivotcheck::exhaust
