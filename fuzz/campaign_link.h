// SPDX-License-Identifier: Apache-2.0
// campaign_link.h: a target's side of FuzzerLink (check/trial/campaign.h): a target that
// `pivotcheck explore` has started counts and reports there.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "check/trial/campaign.h"

namespace pivotcheck::fuzz {

class CampaignLink {
 public:
  // nullptr if the target was started by hand. Ends the process if the link is not as it must be.
  static std::unique_ptr<CampaignLink> find();

  // Only the features of the inputs are wanted.
  [[nodiscard]] bool only_predicts() const { return only_predicts_; }
  // "userns", "root", "both"
  [[nodiscard]] const std::string& privilege() const { return privilege_; }
  [[nodiscard]] bool recipes() const { return recipes_; }  // for the mutator

  // From now on next() and perform() may be called.
  void begin(Trial trial);
  // Before each input: ends the process if the campaign ends.
  void next();
  // True if this process performs this input, which is from the corpus: one of the processes does.
  [[nodiscard]] bool is_mine(const Scenario& scenario) const;

  TrialResult::Kind perform(const Scenario& scenario, const gen::CoverageStats& stats,
                            const Prediction& predicted);

 private:
  CampaignLink() = default;

  bool only_predicts_ = false;
  unsigned share_ = 0;
  unsigned shares_ = 1;
  bool recipes_ = true;
  std::string privilege_ = "both";
  std::string artifacts_;
  Findings* findings_ = nullptr;
  FuzzerSlot* slot_ = nullptr;
  std::optional<FindingReporter> reporter_;
};

}  // namespace pivotcheck::fuzz
