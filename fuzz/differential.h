// SPDX-License-Identifier: Apache-2.0
// differential.h: a trial (trial/trial.h) of one input, for the targets that ask the kernel.
#pragma once

#include "scenario/scenario.h"
#include "trial/trial.h"

namespace pivotcheck::fuzz {

// Starts what a trial needs, once, and early: the executor is a fork, and has the memory that this
// process has by then. Where nothing can run it says so and ends the process with status 4.
Trial& laboratory();

// Performs a scenario in a fresh world and aborts, with a report that is a scenario, where the
// kernel does not answer as predicted. `look_again`: a closer look tells at which step it began.
void perform(const Scenario& scenario, Prediction predicted, bool look_again);

}  // namespace pivotcheck::fuzz
