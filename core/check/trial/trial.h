// SPDX-License-Identifier: Apache-2.0
// trial.h: the story, read it first. A trial takes one scenario, asks the model and the running
// kernel what happens, and says whether they agree.
//
//     scenario --+--> predict: model::apply, step by step ----> verdicts (outcome, rule), a World
//                |                                                  |                       |
//                |                                              compared                compared,
//                |                                              at every step           canonical
//                |                                                  |                       |
//                '--> perform: KernelDriver, in a fresh world ----> outcomes, then tasks that stand
//                                                                still: observe --> a Snapshot
//
// Who checks whom. Each rung is checked by the one above it, and nothing checks itself:
//
//     documentation      manual pages, sharedsubtree.rst: cited by every rule
//        ^  read by people; `=> ERRNO RULE` in corpus/rules holds each rule to one scenario
//     model              outcome and rule of each step, state; broken_invariant() of its own world
//        ^  compared here
//     kernel             outcome of each step; state as seen by listmount and statmount
//        ^  compared here, on every cross_check_every-th trial and wherever mountinfo sees all
//     mountinfo          the same state by another road: guards against an observer that is wrong
//
// A world is observed once, behind its last step, because looking disturbs (observe/observe.h). So
// where something differs, each prefix of the scenario is performed anew in a world of its own, and
// the shortest one that differs is what the result tells about.
//
// Not compared: see view/snapshot.h. Where mountinfo can't see all and the kernel has no listmount,
// the state is not compared either; those trials say so (`state_unseen`) and are counted.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"
#include "base/release.h"
#include "check/driver/kernel_driver.h"
#include "model/apply.h"
#include "model/traits.h"
#include "observe/observe.h"
#include "scenario/scenario.h"
#include "view/snapshot.h"

namespace pivotcheck {

struct TrialSettings {
  std::optional<KernelTraits> traits;  // not given: those of the running kernel
  int cross_check_every = 1;           // every how many-th observation takes both roads
};

struct TrialOptions {
  bool every_step = false;  // compare the state after each step, not only behind the last one
  std::chrono::milliseconds limit = std::chrono::seconds(10);  // for each world
};

struct TrialResult {
  // As `pivotcheck run --json` names them; `invalid` files never come this far.
  enum class Kind : unsigned char { agree, disagree, unmet, skipped, failed };

  Kind kind = Kind::agree;
  std::size_t steps = 0;          // how many were performed
  std::size_t step = 0;           // the one this is about, from 1; 0: none
  std::optional<Outcome> kernel;  // what they answered to that step
  std::optional<Outcome> model;
  Rule rule = Rule::none;                // the model's, for that step
  std::vector<std::string> differences;  // of the state after that step
  std::string reason;                    // of anything but an agreement: one line

  bool cannot_run = false;            // skipped because this machine can't run any such scenario
  bool state_unseen = false;          // mountinfo did not see all and there is no listmount
  bool mountinfo_incomplete = false;  // both roads were wanted, but mountinfo can't see all:
                                      // listmount decided
  int chance_refusals = 0;  // worlds made anew since a step was refused by chance: a lookup
                            // (FINDINGS.md), or an expiry mark that somebody else had cleared
  bool cross_checked = false;  // both roads were read and gave the same

  std::vector<Verdict> verdicts;  // the model's, of the steps performed
  Snapshot kernel_view;           // canonical. At the end; where states differ, after `step`; where
  Snapshot model_view;            // outcomes do, before it
};

std::string_view name(TrialResult::Kind kind);

// What the model says about the first `count` steps of a scenario.
struct Prediction {
  std::vector<Step> steps;        // those that may be performed: all before a stop
  std::vector<Verdict> verdicts;  // one for each of them
  std::vector<Outcome> outcomes;  // the same, as KernelDriver wants them
  Verdict::Stop stop = Verdict::Stop::no;
  model::World world;  // behind the last of them
};
Prediction predict(const Scenario& scenario, const KernelTraits& traits, std::size_t count);

// "leaves-the-world", "too-large"; "" for no stop.
std::string_view reason(Verdict::Stop stop);

class Trial {
 public:
  // cannot_run where this machine offers no way to read a world's state.
  static Expected<Trial> make(TrialSettings settings = {});

  // Starts the KernelDriver for this privilege, unless it runs already. run() does it by itself; a
  // caller who wants to know beforehand whether the machine can asks here.
  Expected<void> start(Privilege privilege);

  TrialResult run(const Scenario& scenario, const TrialOptions& options = {});
  // For whoever has predicted the whole scenario already, with the same traits: one world, one
  // comparison of the outcomes and of the state behind the last step. It does not look for the step
  // at which a difference began: that is what run() is for.
  TrialResult run_predicted(Privilege privilege, Prediction predicted,
                            const TrialOptions& options = {});

  [[nodiscard]] const KernelTraits& traits() const { return traits_; }
  [[nodiscard]] const Release& running() const { return running_; }
  [[nodiscard]] const Observer& observer() const { return observer_; }

 private:
  struct Case;  // one scenario on its way through run()

  Trial(TrialSettings settings, Observer observer);
  TrialResult compare(KernelDriver& driver, Prediction predicted, const TrialOptions& options);
  TrialResult first_difference(const Case& one, std::size_t count);
  TrialResult trace_back(const Case& one, TrialResult late);
  Expected<Observation> observe(std::span<const LiveTask> tasks, TrialResult& result);
  [[nodiscard]] std::string condition_not_met(const Scenario& scenario) const;

  KernelTraits traits_;
  Release running_;
  Observer observer_;
  int cross_check_every_;
  unsigned observations_ = 0;
  std::array<std::optional<KernelDriver>, 2> drivers_;  // by Privilege
  std::array<std::optional<Failure>, 2> refusals_;         // why there is none; asked once only
};

}  // namespace pivotcheck
