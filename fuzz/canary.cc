// SPDX-License-Identifier: Apache-2.0
// canary: would the fuzzer notice? The trial target, with a fault in what the model says:
// pivot_root's EBUSY has become EINVAL. A fuzzer that does not abort here within seconds is broken.
#include <cerrno>

#include "scenario_input.h"

using namespace pivotcheck;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto input = fuzz::read_and_predict(data, size);
  if (!input) return fuzz::not_of_use;
  Prediction& predicted = input->predicted;
  for (std::size_t i = 0; i < predicted.verdicts.size(); ++i) {
    if (!std::holds_alternative<PivotRoot>(predicted.program.steps[i].op)) continue;
    Outcome& outcome = predicted.verdicts[i].outcome;
    if (outcome.error == EBUSY) outcome.error = EINVAL;
  }
  return fuzz::perform(*input, false);
}
