// SPDX-License-Identifier: Apache-2.0
// trial: does the running kernel do what the model says? The input is a scenario; the model
// predicts it in this process, which is instrumented, and the kernel performs it in a fresh
// world.
#include "differential.h"
#include "scenario_input.h"

using namespace pivotcheck;

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  fuzz::laboratory();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto scenario = fuzz::read_scenario(data, size);
  if (!scenario) return fuzz::not_of_use;
  const KernelTraits& traits = fuzz::laboratory().traits();
  Prediction predicted = predict(*scenario, traits, scenario->steps.size());
  if (!fuzz::note_features(predicted.steps, predicted.verdicts, predicted.world)) {
    return fuzz::not_of_use;
  }
  fuzz::perform(*scenario, std::move(predicted), true);
  return 0;
}
