// SPDX-License-Identifier: Apache-2.0
// explore_parent.h: the parent of `pivotcheck explore`: it starts the processes of both engines,
// watches them and the kernel's log until the time is up, and prints their findings and the
// summary.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "explore.h"
#include "explore_fuzzers.h"
#include "options/options.h"

namespace pivotcheck::cli {

struct ExploreLimits {
  // Counted from the first case of the engine that starts last, so that each engine has them.
  std::optional<std::uint64_t> seconds;
  bool has_cases = false;    // ends when the random scenarios are used up (ExploreJob::cases_max)
  bool until_found = false;  // ends after the first disagreement
};

// `jobs`: how many workers run random scenarios.
ExitStatus run_explore(const ExploreLimits& limits, ExploreJob job, std::size_t jobs,
                       FuzzerOptions fuzzers);

}  // namespace pivotcheck::cli
