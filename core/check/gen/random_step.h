// SPDX-License-Identifier: Apache-2.0
// random_step.h: a single random step. Its arguments are chosen by the state of the world, so that
// most steps succeed. Each scenario has its own weights of verbs (swarm testing, Groce and others
// 2012): a scenario without some verbs finds what those would hide.
#pragma once

#include <array>
#include <cstdint>

#include "check/gen/scenario_builder.h"

namespace pivotcheck::gen {

inline constexpr std::size_t verbs_count = 37;  // as many as prototypes() has

class VerbWeights {
 public:
  // `swarm` is mixed to two bits for each verb: not used, usual weight (two of four), three times
  // the usual weight. 0 gives all verbs the usual weight.
  explicit VerbWeights(std::uint32_t swarm);
  // An index into prototypes().
  [[nodiscard]] std::size_t pick(Choices& choices) const;

 private:
  std::array<std::uint32_t, verbs_count> weights_{};
  std::uint32_t total_ = 0;
};

// Adds one step of that task to the scenario.
void random_step(ScenarioBuilder& builder, model::TaskIndex performer, const VerbWeights& weights);

// Draws the options anew (flags, kinds of namespaces, propagation); paths and names stay. The
// simplest choice leaves the operation as it is.
void mutate_options(Op& op, Choices& choices);

}  // namespace pivotcheck::gen
