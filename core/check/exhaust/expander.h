// SPDX-License-Identifier: Apache-2.0
// expander.h: one state, and what every operation of the alphabet does there: on the model, held
// against the laws. It remembers nothing from one state to the next.
//
//     sequence --> set-up and sequence applied --> a world
//                                                    |-- operation 0: refused
//                                                    |-- operation 1: ok --> hash of the state
//                                                    '-- ...
//
// A refused operation changes nothing but expiry marks. So the refused ones are applied one after
// the other to one copy of the world, and what succeeds gets a copy of its own; where a mark is
// there or is made, each has its own.
//
// Where a renaming (symmetry.h) leaves the state what it is, an operation and the renamed one lead
// to one state: only that of the lower number is tried.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "check/exhaust/canonical_state.h"
#include "check/exhaust/space.h"
#include "check/laws/laws.h"
#include "model/apply.h"

namespace pivotcheck::exhaust {

struct ExpandOptions {
  int mounts_max = 64;  // worlds with more are left out; kernels may have 100,000
  bool asks_laws = true;
  laws::Quirks quirks = {};
  bool tries_renamed = false;  // in a symmetric state, all operations: for tests
};

enum class Reach : unsigned char {
  refused,   // and nothing changed
  changed,   // a state was reached: the operation succeeded, or changed a mark
  too_many,  // a world of more mounts than are wanted: left out
  stopped,   // never performed (Verdict::Stop)
  renamed,   // not tried: it is another one, renamed
};

struct Transition {
  Letter letter = 0;
  Reach reach = Reach::refused;
  Verdict verdict;
  StateHash hash;                     // of the state that was reached; else 0
  const laws::Law* broken = nullptr;  // the first law that the step breaks
  std::string breach;                 // what of it
};

class Expander {
 public:
  // `space` must outlive it.
  Expander(const Space& space, const KernelTraits& traits, const ExpandOptions& options);

  [[nodiscard]] StateHash first() const { return first_; }  // of the state after the set-up
  // One for each operation, in their order. Valid until the next call.
  const std::vector<Transition>& expand(Sequence sequence);
  // The renamings after which the state after `one` is the state after `other`; nullptr is the one
  // that changes nothing.
  std::vector<const Symmetry*> symmetries_between(Sequence one, Sequence other);
  // How often the premise of each law held, so far.
  [[nodiscard]] const laws::AskedCounts& laws_asked() const { return laws_asked_; }
  void forget_laws_asked() { laws_asked_ = {}; }

 private:
  void enter(Sequence sequence);
  void find_renamed();
  void take(Letter letter, bool has_mark, Transition& result);
  void ask_laws(Transition& transition);

  const Space& space_;
  ExpandOptions options_;
  model::World start_;  // after the set-up
  laws::AskedCounts laws_asked_{};
  std::optional<laws::Watch> watch_;  // of the state that is expanded
  StateEncoder encoder_;
  StateHash first_;
  model::World world_;  // of the state that is expanded
  model::World scratch_;
  bool is_scratch_fresh_ = false;
  std::vector<Step> set_up_steps_;  // with names: for the laws
  std::vector<Step> steps_;         // by Letter
  std::vector<bool> is_renamed_;    // by Letter: not tried in this state
  std::vector<Transition> transitions_;
};

}  // namespace pivotcheck::exhaust
