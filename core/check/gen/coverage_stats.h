// SPDX-License-Identifier: Apache-2.0
// coverage_stats.h: what many scenarios had in them: shares, verbs, rules, situations. Numbers of
// 64 bits and nothing else, so that processes can share one, and add them up (Counts in
// check/trial/campaign.h).
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "check/gen/random_step.h"
#include "check/gen/situations.h"
#include "model/predict.h"
#include "model/rules.h"
#include "op/op.h"

namespace pivotcheck::gen {

struct CoverageStats {
  std::uint64_t scenarios = 0;
  std::uint64_t steps = 0;
  std::uint64_t steps_ok = 0;
  std::uint64_t with_pivot = 0;           // in which a pivot_root succeeded
  std::uint64_t with_attached_pivot = 0;  // the same, after move_mount attached a detached tree
  std::uint64_t with_two_tasks = 0;       // two or more
  std::uint64_t with_two_namespaces = 0;  // mount namespaces, two or more at the same time
  std::uint64_t with_user_namespace = 0;  // one below the first
  std::array<std::uint64_t, verbs_count> attempted{};  // in the order of prototypes()
  std::array<std::uint64_t, verbs_count> succeeded{};
  std::array<std::uint64_t, rules_count + 1> rules{};  // by Rule; [0] is none
  std::array<std::uint64_t, situations_count> situations{};  // scenarios that reach it
  std::array<std::uint64_t, Verdict::stops> ended_before{};   // by Verdict::Stop; [0]: by none

  void add(const Prediction& scenario);

  [[nodiscard]] double percent_of_scenarios(std::uint64_t count) const;
  [[nodiscard]] double percent_of_steps(std::uint64_t count) const;
  [[nodiscard]] std::size_t rules_reached() const;
  // Of that many: those of a kernel of that release, and what other traits than its own reached.
  [[nodiscard]] std::size_t rules_of(const Release& release) const;
  [[nodiscard]] std::string summary() const;  // one line
};

}  // namespace pivotcheck::gen
