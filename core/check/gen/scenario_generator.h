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
// number decides which verbs are frequent (swarm testing), one whether it has expire marks
// (Features in scenario_builder.h). A few in a hundred are deep stories: longer, with more tasks
// and namespaces, and steered for rare situations (deep_story.h). Some have a probing end
// (probing_end.h), which comes on top of that length.
#pragma once

#include <cstdint>

#include "check/gen/choices.h"
#include "check/gen/probing_end.h"
#include "model/predict.h"
#include "op/privilege.h"
#include "scenario/scenario.h"

namespace pivotcheck {

struct GeneratorOptions {
  Privilege privilege = Privilege::userns;
  KernelTraits traits = {};
  std::uint32_t steps_min = 4;   // of the length that is drawn; a scenario may end before it
  std::uint32_t steps_max = 22;
  bool recipes = true;  // false: random steps only, and no deep story
  std::uint32_t deep_percent = 8;    // of the scenarios: steered, and longer (deep_story.h)
  std::uint32_t probed_percent = 5;  // of the scenarios: with a probing end
};

class ScenarioGenerator {
 public:
  explicit ScenarioGenerator(GeneratorOptions options);
  [[nodiscard]] Prediction generate(Choices& choices) const {
    gen::ProbeCounts probed;
    return generate(choices, probed);
  }
  // The same; what a probing end reaches is added to the counts.
  [[nodiscard]] Prediction generate(Choices& choices, gen::ProbeCounts& probed) const;

 private:
  GeneratorOptions options_;
};

}  // namespace pivotcheck
