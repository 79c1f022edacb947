// SPDX-License-Identifier: Apache-2.0
// refusal.h: the rule that refuses a step. It is true when there is one:
//
//     if (const Refusal r = check_move(call, moved, target)) return r;
//     return {};  // done
#pragma once

#include "model/rules.h"

namespace pivotcheck {

struct Refusal {
  Rule rule = Rule::none;

  constexpr Refusal() = default;
  constexpr Refusal(Rule broken) : rule(broken) {}  // NOLINT: a broken rule is a refusal
  explicit constexpr operator bool() const { return rule != Rule::none; }
  bool operator==(const Refusal&) const = default;
};

}  // namespace pivotcheck
