// SPDX-License-Identifier: Apache-2.0
// canary: would the fuzzer notice? The trial target with a planted fault in what the model says:
// pivot_root's EBUSY has become EINVAL. A fuzzer that does not abort here within seconds is broken.
#include <cerrno>

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
  for (std::size_t i = 0; i < predicted.steps.size(); ++i) {
    if (!std::holds_alternative<PivotRoot>(predicted.steps[i].op)) continue;
    if (predicted.outcomes[i].error != EBUSY) continue;
    predicted.outcomes[i].error = predicted.verdicts[i].outcome.error = EINVAL;
  }
  fuzz::perform(*scenario, std::move(predicted), false);
  return 0;
}
