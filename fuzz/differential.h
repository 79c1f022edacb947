// SPDX-License-Identifier: Apache-2.0
// differential.h: a trial (check/trial/trial.h) of one input, for the targets that ask the kernel.
//
//     bytes --> read_and_predict --> (the canary's fault) --> perform --> the target's return value
//
// A target that was started by hand aborts at a disagreement, and libFuzzer keeps the input. One
// that `pivotcheck explore` has started counts, minimizes and reports like the workers there, and
// continues (check/trial/campaign.h). differential.cc has their LLVMFuzzerInitialize: it starts
// what a trial needs, and ends the process with status 4 if nothing can run.
#pragma once

#include <optional>

#include "check/gen/coverage_stats.h"
#include "scenario/scenario.h"
#include "check/trial/trial.h"

namespace pivotcheck::fuzz {

struct Input {
  Scenario scenario;
  Prediction predicted;
  gen::CoverageStats stats;     // of this scenario
  bool to_be_performed = true;  // false: another process does it, or no process
};

// The scenario and its prediction; counts its features. nullopt for bytes that are not of use
// (scenario_input.h).
std::optional<Input> read_and_predict(const std::uint8_t* data, std::size_t size);

// Performs it in a fresh world; by hand, aborts with a report at a disagreement. `look_again`:
// performs it once more, to find the first step that differs. Returns what the target must return.
int perform(Input input, bool look_again);

}  // namespace pivotcheck::fuzz
