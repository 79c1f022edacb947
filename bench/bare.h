// SPDX-License-Identifier: Apache-2.0
// bare.h: whole cases without the harness: the system calls of a scenario, and the reads of its
// end, one after the other in one process (and in its tasks, where the scenario has several). There
// is no model, no generator, no comparison, no owner who is told anything, and nothing is parsed or
// kept.
//
//     recorded once:    the steps, the tasks that are left at the end with their descriptors
//     for each case:    end the last world; a fresh one; the steps' system calls;
//                       the same links, listmount, statmount; each 16th time mountinfo
//
// It is what a case costs at the least on this kernel. The executor's own code makes the calls
// (check/driver/executor.h), so that both sides have the same reset, the same tasks and the same turns.
#pragma once

#include <cstdint>
#include <vector>

#include "base/failure.h"
#include "check/driver/executor.h"
#include "check/driver/shared_schedule.h"
#include "op/privilege.h"

namespace pivotcheck::bench {

inline constexpr int cross_check_every = 16;  // as `pivotcheck explore` does it

struct TaskLeft {
  int number;  // in the cast
  std::vector<int> descriptors;
};

struct Recording {
  kernel::Script script;
  std::vector<TaskLeft> left;
};

// For each step a scenario that kernel and model agree about, in the order of the generator.
Expected<std::vector<Recording>> record(Privilege privilege, std::uint64_t seed, std::size_t cases);

// Cases [first, first + count) of the recordings, again from the start behind the last.
struct Portion {
  std::uint64_t first;
  std::uint64_t count;
};

// Lives by reading Portions from its socket and answering each with a byte. Plays `recordings`,
// which must be there when it is launched: it has a copy of this process' memory.
Expected<kernel::Executor> launch_bare(Privilege privilege,
                                       const std::vector<Recording>& recordings);

}  // namespace pivotcheck::bench
