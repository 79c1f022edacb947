// SPDX-License-Identifier: Apache-2.0
// bare.h: whole cases without the harness: the system calls of a scenario and the reads of its end,
// one after the other in one process (and in its tasks, where the scenario has several). There is no
// model, no generator, no comparison, no protocol, and nothing is parsed or kept.
//
//     recorded once:    the steps, the tasks that are left at the end with their descriptors
//     for each case:    end the last world; a fresh one; the steps' system calls;
//                       the same links, listmount, statmount; each 16th time mountinfo
//
// It is what a case costs at the least on this kernel. The executor's own code makes the calls
// (check/driver/executor.h), so that both sides have the same reset, tasks and turns. The reads are
// a second road to those of observe/, on purpose: without what is made of them.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <vector>

#include "base/failure.h"
#include "check/driver/executor.h"
#include "check/driver/shared_schedule.h"
#include "op/privilege.h"

namespace pivotcheck::bench {

inline constexpr int cross_check_every = 16;  // as `pivotcheck explore` does it

struct TaskLeft {
  int number;  // of the task
  std::vector<int> descriptors;
};

struct Recording {
  kernel::Script script;
  std::vector<TaskLeft> left;
};

// Scenarios that kernel and model agree about, in the order of the generator.
Expected<std::vector<Recording>> record(Privilege privilege, std::uint64_t seed, std::size_t cases);

// Cases [first, first + count).
struct CaseRange {
  std::uint64_t first;
  std::uint64_t count;
};

// Until the socket is closed: reads a CaseRange, does each case, answers with a byte. Ends when
// `one_case` returns false.
template <class OneCase>
void serve(int socket, OneCase one_case) {
  for (CaseRange range{}; ::recv(socket, &range, sizeof(range), MSG_WAITALL) == sizeof(range);) {
    for (std::uint64_t i = 0; i < range.count; ++i) {
      if (!one_case(range.first + i)) return;
    }
    if (::send(socket, "", 1, MSG_NOSIGNAL) != 1) return;
  }
}

// Serves cases of `recordings`, again from the first after the last. It is a copy of this process,
// so they must be there when it is launched.
Expected<kernel::Executor> launch_bare(Privilege privilege,
                                       const std::vector<Recording>& recordings);

}  // namespace pivotcheck::bench
