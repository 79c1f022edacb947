// SPDX-License-Identifier: Apache-2.0
// report.h: the result of a trial, for people. All that is not the scenario itself is a comment, so
// a report is a scenario: `pivotcheck run` replays it.
//
//     # pivot.scn: disagree at step 3 of 4
//     mkdir /new
//     mount tmpfs /new
//     pivot_root /new /new/old
//     # ^^^ step 3
//     #     kernel  EINVAL
//     #     model   ENOENT by rule no-such-file: a name on the way does not exist
//     #             (path_resolution(7))
//     chdir /
//     # what both say of the state before step 3
//     #   ...
#pragma once

#include <string>
#include <string_view>

#include "scenario/scenario.h"
#include "check/trial/trial.h"

namespace pivotcheck {

// "disagree at step 3 of 4", "skipped: kernel >=6.19 wanted, running 6.18.0", "agree (4 steps)".
std::string headline(const Scenario& scenario, const TrialResult& result);

// The whole report. `name` is that of the scenario, mostly a file.
std::string report(std::string_view name, const Scenario& scenario, const TrialResult& result);

}  // namespace pivotcheck
