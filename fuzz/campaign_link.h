// SPDX-License-Identifier: Apache-2.0
// campaign_link.h: a target's side of FuzzerLink (check/trial/campaign.h): where it was started by
// `pivotcheck explore`, what it counts and finds goes there.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "check/trial/campaign.h"

namespace pivotcheck::fuzz {

class HuntLink {
 public:
  // nullptr if nobody asks for it. Ends the process where what it finds is not as it should be.
  static std::unique_ptr<HuntLink> find();

  // Only the features of the inputs are wanted.
  [[nodiscard]] bool only_predicts() const { return only_predicts_; }
  // "userns", "root", "both"
  [[nodiscard]] const std::string& privilege() const { return privilege_; }
  [[nodiscard]] bool recipes() const { return recipes_; }  // for the mutator

  // The trial is started, and the hunt begins.
  void begin(Trial trial);
  // Before each input: ends the process when no further case is wanted.
  void next();
  // Whether this process is the one to perform an input that it has not made itself: each input of
  // the corpus is performed once, not once by each process.
  [[nodiscard]] bool is_mine(const Scenario& scenario) const;

  TrialResult::Kind perform(const Scenario& scenario, const gen::CoverageStats& stats,
                            const Prediction& predicted);

 private:
  HuntLink() = default;

  bool only_predicts_ = false;
  unsigned share_ = 0;
  unsigned shares_ = 1;
  bool recipes_ = true;
  std::string privilege_ = "both";
  std::string artifacts_;
  Findings* findings_ = nullptr;
  FuzzerSlot* slot_ = nullptr;
  std::optional<FindingReporter> hunter_;
};

}  // namespace pivotcheck::fuzz
