// SPDX-License-Identifier: Apache-2.0
// trial: does the running kernel do what the model says? The input is a scenario; the model
// predicts it in this process, which is instrumented, and the kernel performs it in a fresh
// world.
#include "scenario_input.h"

using namespace pivotcheck;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto input = fuzz::read_and_predict(data, size);
  return input ? fuzz::perform(*input, true) : fuzz::not_of_use;
}
