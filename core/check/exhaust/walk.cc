// SPDX-License-Identifier: Apache-2.0
// walk.cc: see walk.h.
#include "check/exhaust/walk.h"

#include <set>
#include <utility>
#include <vector>

namespace pivotcheck::exhaust {

void walk(const Space& space, const KernelTraits& traits, std::uint64_t depth, int mounts_max,
          const VisitSequence& visit) {
  using Letters = std::vector<Letter>;
  Expander expander(space, traits, {.mounts_max = mounts_max, .asks_laws = false});
  std::set<StateHash> met{expander.first()};
  std::vector<Letters> states{{}};
  for (std::uint64_t length = 1; length <= depth; ++length) {
    std::vector<Letters> next;
    for (const Letters& sequence : states) {
      Letters refused = sequence;
      for (const Transition& transition : expander.expand(sequence)) {
        if (transition.reach == Reach::refused) refused.push_back(transition.letter);
        if (transition.reach != Reach::changed) continue;
        Letters longer = sequence;
        longer.push_back(transition.letter);
        visit(longer);
        if (met.insert(transition.hash).second) next.push_back(std::move(longer));
      }
      if (refused.size() > sequence.size()) visit(refused);
    }
    states = std::move(next);
  }
}

}  // namespace pivotcheck::exhaust
