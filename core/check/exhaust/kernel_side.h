// SPDX-License-Identifier: Apache-2.0
// kernel_side.h: the transitions of one state, performed on the running kernel and compared.
//
//     refused      all in one world, one after the other: they must change nothing, and the state
//                  at the end is compared
//     changed      each in a world of its own: set-up, sequence, operation; the outcomes and the
//                  state at the end are compared
//
// The laws were asked of the model's states before (expander.h); the kernel's are equal to these.
// Where something differs, that transition is performed alone, and looked at step by step.
#pragma once

#include <functional>
#include <vector>

#include "check/exhaust/expander.h"
#include "check/exhaust/journal.h"
#include "check/trial/trial.h"

namespace pivotcheck::exhaust {

// A disagreement, a broken law, or what failed.
using Report = std::function<void(const Scenario&, const TrialResult&)>;

class KernelSide {
 public:
  // Both must outlive it.
  KernelSide(const Space& space, Trial& trial) : space_(space), trial_(trial) {}

  void check(Sequence sequence, const std::vector<Transition>& transitions, Counts& counts,
             const Report& report);

 private:
  bool perform(const std::vector<Letter>& steps, Counts& counts, const Report& report,
               std::size_t* differs_at);

  const Space& space_;
  Trial& trial_;
};

}  // namespace pivotcheck::exhaust
