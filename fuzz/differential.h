// SPDX-License-Identifier: Apache-2.0
// differential.h: a trial (check/trial/trial.h) of one input, for the targets that ask the kernel.
//
//     bytes --> read_and_predict --> (the canary's fault) --> perform --> what libFuzzer is told
//
// By hand, a target aborts at a disagreement, and libFuzzer keeps the input. Started by `pivotcheck
// explore` (check/trial/campaign.h), it counts, minimizes and tells as the workers there do, and
// goes on.
#pragma once

#include <optional>

#include "check/gen/coverage_stats.h"
#include "scenario/scenario.h"
#include "check/trial/trial.h"

namespace pivotcheck::fuzz {

struct Input {
  Scenario scenario;
  Prediction predicted;
  gen::CoverageStats stats;             // of this one scenario
  bool to_be_performed = true;  // not if another process does it, or if nobody is to
};

// Starts what a trial needs, once, and early: the executor is a fork, and has the memory that this
// process has by then. Where nothing can run it says so and ends the process with status 4.
void begin();

// The scenario and what the model says of it, whose features are noted. Nothing for bytes that are
// not of use (scenario_input.h).
std::optional<Input> read_and_predict(const std::uint8_t* data, std::size_t size);

// Performs it in a fresh world and aborts, with a report that is a scenario, where the kernel does
// not answer as predicted. `look_again`: a closer look tells at which step it began. Returns what
// the target is to return.
int perform(Input input, bool look_again);

}  // namespace pivotcheck::fuzz
