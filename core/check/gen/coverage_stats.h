// SPDX-License-Identifier: Apache-2.0
// tally.h: what was in a number of scenarios: shares, verbs, rules. Plain numbers without
// pointers, so that one can live in memory that processes share.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "check/gen/random_step.h"
#include "model/predict.h"
#include "model/rules.h"
#include "op/op.h"

namespace pivotcheck::gen {

struct CoverageStats {
  std::uint64_t scenarios = 0;
  std::uint64_t steps = 0;
  std::uint64_t steps_ok = 0;
  std::uint64_t with_pivot = 0;           // in which a pivot_root succeeded
  std::uint64_t with_attached_pivot = 0;  // the same, behind a move_mount that attached a detached tree
  std::uint64_t with_two_tasks = 0;       // two or more
  std::uint64_t with_two_namespaces = 0;  // mount namespaces, two or more at the same time
  std::uint64_t with_user_namespace = 0;  // one below the first
  std::array<std::uint64_t, verbs_count> attempted{};  // as prototypes() has them
  std::array<std::uint64_t, verbs_count> succeeded{};
  std::array<std::uint64_t, rules_count + 1> rules{};  // by Rule; [0] is none

  void add(const Prediction& scenario);
  void add(const CoverageStats& other);

  [[nodiscard]] double percent_of_scenarios(std::uint64_t count) const;
  [[nodiscard]] double percent_of_steps(std::uint64_t count) const;
  [[nodiscard]] std::size_t rules_reached() const;
  [[nodiscard]] std::string summary() const;  // one line
};

// How many rules a kernel of that release can show at all.
std::size_t rules_shown_by(const Release& release);

// Which of prototypes() has the verb of this operation.
std::size_t verb_index(const Op& op);

}  // namespace pivotcheck::gen
