// SPDX-License-Identifier: Apache-2.0
// cast.h: who plays in a list of steps. Each task gets a number: A is 0, the others follow in the
// order in which they are spawned. Owner and executor work it out from the same list.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/failure.h"
#include "op/op.h"

namespace pivotcheck::kernel {

// Tasks in one list of steps, A included. Each is a process that waits; scenarios have two or
// three.
inline constexpr std::size_t tasks_max = 64;

struct Cast {
  std::vector<std::string> names;  // by number
  std::vector<int> performer;      // for each step, who performs it
  std::vector<int> subject;        // for each step, whom it spawns or enters by setns; or -1
  // The executor can't play A itself: A ends, or takes on credentials that the executor can't put
  // off again.
  bool first_is_forked = false;
  // By number: it, or who spawns it, makes a user namespace. The kernel refuses that to a task that
  // shares its memory with others.
  std::vector<bool> own_memory;
};

// Failure::Kind::broke if a step names a task that does not exist then, or spawns one whose name
// was used: the parser refuses such a list, a generator must not make it.
Expected<Cast> make_cast(std::span<const Step> steps);

}  // namespace pivotcheck::kernel
