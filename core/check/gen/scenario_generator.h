// SPDX-License-Identifier: Apache-2.0
// scenario_generator.h: random scenarios, from any source of choices. The model runs along
// while a scenario is written, so a generated one comes with the model's verdict on each of its
// steps and with the world behind the last: a trial need not predict them again.
//
//     ScenarioGenerator generator({.privilege = Privilege::userns, .traits = traits});
//     SeededChoices choices(seed, case_number);
//     Prediction generated = generator.generate(choices);
//
// The same choices give the same scenario. All choices zero (or none left) give the empty one, and
// fewer choices a shorter one.
//
// How a scenario comes about: sometimes an opening (who is there), then turns, each a recipe or
// a free step of some task, until it is as long as was drawn. One number decides which verbs
// the scenario is fond of (swarm testing), and whether it has symbolic links or expire marks
// (Features in story.h).
#pragma once

#include <cstdint>
#include <vector>

#include "check/gen/choices.h"
#include "model/predict.h"
#include "op/privilege.h"
#include "scenario/scenario.h"

namespace pivotcheck {

struct GeneratorOptions {
  Privilege privilege = Privilege::userns;
  KernelTraits traits = {};
  std::uint32_t steps_min = 4;   // what is drawn; a scenario ends early when its choices run dry
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
