// SPDX-License-Identifier: Apache-2.0
// scenario.cc: what a scenario means beyond its text: whether a condition on the kernel holds.
#include "scenario/scenario.h"

#include <algorithm>

namespace pivotcheck {

bool holds(const KernelCondition& condition, const Release& running) {
  using enum KernelCondition::Relation;
  const Release& wanted = condition.release;
  switch (condition.relation) {
    case less: return running < wanted;
    case less_or_equal: return running <= wanted;
    case equal:
      // Only here does it matter how many numbers were written; elsewhere a missing one is 0.
      return std::equal(wanted.parts.begin(), wanted.parts.begin() + condition.parts,
                        running.parts.begin());
    case greater_or_equal: return running >= wanted;
    case greater: return running > wanted;
  }
  return false;
}

}  // namespace pivotcheck
