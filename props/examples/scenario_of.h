// SPDX-License-Identifier: Apache-2.0
// scenario_of.h: what the tests of trials share: a scenario from text that is known to be one, and
// a short name for what becomes of it.
#pragma once

#include <doctest/doctest.h>

#include <string_view>

#include "scenario/scenario.h"
#include "check/trial/trial.h"

namespace pivotcheck {

using Kind = TrialResult::Kind;

inline Scenario scenario_of(std::string_view text) {
  const auto scenario = parse(text);
  REQUIRE(scenario);
  return *scenario;
}

}  // namespace pivotcheck
