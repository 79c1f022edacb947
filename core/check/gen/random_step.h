// SPDX-License-Identifier: Apache-2.0
// random_step.h: a single random step, chosen with an eye on the world: arguments that fit, most
// of the time. Which verbs a scenario is fond of differs from scenario to scenario (swarm
// testing, Groce and others 2012): leaving verbs out finds what their presence hides.
#pragma once

#include <array>
#include <cstdint>

#include "check/gen/scenario_builder.h"

namespace pivotcheck::gen {

inline constexpr std::size_t verbs_count = 36;  // as many as prototypes() has

class VerbWeights {
 public:
  // `swarm` decides, two bits for each verb: left out, as usual, as usual, three times as
  // often. 0 is the usual weight for all of them.
  VerbWeights(std::uint32_t swarm, Features features);
  // Which of prototypes().
  [[nodiscard]] std::size_t pick(Choices& choices) const;

 private:
  std::array<std::uint32_t, verbs_count> weights_{};
  std::uint32_t total_ = 0;
};

// Adds one step of that task to the story.
void random_step(ScenarioBuilder& story, model::TaskIndex who, const VerbWeights& weights);

// Draws anew what is not a path: flags, kinds of namespaces, propagation. The simplest choice
// leaves the operation as it is.
void mutate_options(Op& op, Choices& choices);

}  // namespace pivotcheck::gen
