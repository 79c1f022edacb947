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
// A disagreement, or a broken law, is still shown if the last step has the same signature(). If
// kernel and model agree, the last stated outcome must hold by the same rule. All else is removed
// where possible: steps, many at a time and then one by one; tasks, whose steps their parents then
// perform;
// handles; parts of paths, and names; options. All of that is repeated until nothing more can be
// removed.
//
// The same scenario gives the same smaller one, unless a limit cuts the work short. No candidate is
// performed twice. But a faulty kernel may keep something from one candidate to the next, and then
// the smallest may not show the fault when it is performed alone. If so, all is done once more, and
// each candidate is performed by processes of its own.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "scenario/scenario.h"
#include "check/trial/trial.h"

namespace pivotcheck {

// What a disagreement is about, for people and to compare: the verb with both outcomes and the
// model's rule ("pivot_root EINVAL ok"), or the verb after which the states differ ("umount
// state"). Of a broken law: its name ("law peers-are-alike").
std::string signature(const Scenario& scenario, const TrialResult& result);

struct Minimized {
  Scenario scenario;
  TrialResult result;
  int trials = 0;
  bool cut_short = false;  // by a limit: more could perhaps be removed
};

struct MinimizeOptions {
  int trials_max = 20'000;          // far more than scenarios of 100 steps have needed
  std::function<bool()> stop = {};  // called before each trial; true ends the work
  bool renew = false;               // Trial::renew() before each trial
};

// `result` is that of trial.run(scenario). True for a finding, for a stated outcome that does
// not hold, and for an agreement that states an outcome.
bool can_minimize(const Scenario& scenario, const TrialResult& result);
Minimized minimize(Trial& trial, const Scenario& scenario, const TrialResult& result,
                   const MinimizeOptions& options = {});

// "removed 22 of 30 steps, 1 of 2 tasks, 14 of 31 path components (213 trials)"
std::string what_was_removed(const Scenario& before, const Minimized& after);

// --- options of an operation: flags, "recursive", the type of a filesystem (simpler_options.cc)

// How many words of options it has: "mount ramfs /a ro,nosuid" has three.
std::size_t options_in(const Op& op);

// The same operation with fewer options, the simplest first; empty if it has none to spare.
std::vector<Op> with_fewer_options(const Op& op);

}  // namespace pivotcheck
