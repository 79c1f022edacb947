// SPDX-License-Identifier: Apache-2.0
// minimize.h: from a scenario that shows something to the smallest one that still does.
//
//     mkdir /v                    mkdir /a
//     mount tmpfs /v ro,nosuid    mount tmpfs /a
//     spawn B                     pivot_root /a /
//     B: mkdir /v/w          -->
//     B: chdir ../v
//     B: pivot_root . /
//     mkdir /z
//
// "Still shows it" means: the same verb at its end, and there the same pair of answers by the
// same rule (or a state that differs there, as before); of a scenario in which all agree, the last
// outcome that it states, by the same rule. Everything else is tried without: steps in large
// pieces, then one by one; tasks, by letting the one who made them do their work; handles; parts of
// paths, and names; options. Then all of it once more, until nothing goes any more.
//
// The same scenario gives the same smaller one, as long as no limit cuts the work short. A
// candidate is never performed twice.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

#include "scenario/scenario.h"
#include "check/trial/trial.h"

namespace pivotcheck {

// Two disagreements are of the same kind if they are about the same verb, the same pair of answers
// and the same rule, or both about the state behind the same verb: "pivot_root EINVAL ok", "umount
// state".
std::string signature(const Scenario& scenario, const TrialResult& result);

// What makes a scenario long to read.
struct ScenarioSize {
  std::size_t steps = 0;
  std::size_t tasks = 1;
  std::size_t path_components = 0;
  std::size_t handles = 0;  // paths that start at one
  std::size_t options = 0;  // words of flags, "recursive", ramfs, headers that are conditions
  bool operator==(const ScenarioSize&) const = default;
};
ScenarioSize size_of(const Scenario& scenario);

struct Minimized {
  Scenario scenario;
  TrialResult result;
  int trials = 0;
  bool cut_short = false;  // by a limit: there may be something left to remove
};

struct MinimizeOptions {
  int trials_max = 20'000;            // far more than a scenario of 100 steps was seen to need
  std::function<bool()> stop = {};    // asked before each trial; a reason to end early
};

// `result` is what trial.run() says of the scenario. Whether there is anything to minimize in it:
// a disagreement, an unmet statement, or an agreement that states something.
bool can_minimize(const Scenario& scenario, const TrialResult& result);
Minimized minimize(Trial& trial, const Scenario& scenario, const TrialResult& result,
                   const MinimizeOptions& options = {});

// "removed 22 of 30 steps, 1 of 2 tasks, 14 of 31 path components (213 trials)"
std::string what_was_removed(const Scenario& before, const Minimized& after);

}  // namespace pivotcheck
