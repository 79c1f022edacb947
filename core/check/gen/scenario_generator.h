// SPDX-License-Identifier: Apache-2.0
// scenario_generator.h: random scenarios, from any source of choices. The model answers each step
// as it is generated, so a generated scenario has the model's verdicts and the world after its last
// step: a trial need not predict them again.
//
//     ScenarioGenerator generator({.privilege = Privilege::userns, .traits = traits});
//     SeededChoices choices(seed, case_number);
//     Prediction generated = generator.generate(choices);
//
// The same choices give the same scenario. If all choices are zero (or none are left) it is empty;
// fewer choices give a shorter one.
//
// A scenario has a random length. It begins, sometimes, with an opening recipe (which tasks and
// namespaces there are); then comes a recipe or a random step of some task, again and again. One
// number decides which verbs are frequent (swarm testing), one whether it has symbolic links or
// expire marks (Features in scenario_builder.h).
#pragma once

#include <cstdint>

#include "check/gen/choices.h"
#include "model/predict.h"
#include "op/privilege.h"
#include "scenario/scenario.h"

namespace pivotcheck {

struct GeneratorOptions {
  Privilege privilege = Privilege::userns;
  KernelTraits traits = {};
  std::uint32_t steps_min = 4;   // of the length that is drawn; a scenario may end before it
  std::uint32_t steps_max = 22;
  bool recipes = true;  // false: random steps only
};

class ScenarioGenerator {
 public:
  explicit ScenarioGenerator(GeneratorOptions options);
  [[nodiscard]] Prediction generate(Choices& choices) const;

 private:
  GeneratorOptions options_;
};

}  // namespace pivotcheck
