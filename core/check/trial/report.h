// SPDX-License-Identifier: Apache-2.0
// report.h: what a trial found, for people. All that is not the scenario itself stands behind '#',
// so a report is a scenario: save it, and `pivotcheck run` replays it.
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

// The whole report. `name` is what the scenario is called, a file as a rule.
std::string report(std::string_view name, const Scenario& scenario, const TrialResult& result);

}  // namespace pivotcheck
