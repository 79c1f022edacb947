// SPDX-License-Identifier: Apache-2.0
// trial.h: read it first. A trial takes one scenario, asks the model and the running kernel what
// happens, and says whether they agree.
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
//        ^  compared here, on every cross_check_every-th state, and on each that has a slave
//     mountinfo          the same state from another source: guards against a wrong observer
//
// Where something differs, the scenario is performed once more, in a world that stands still after
// each step and is observed there; the first step that differs is what the result is about.
// Observing clears marks of MNT_EXPIRE (observe/observe.h): a prefix that ends while one stands is
// performed in a world of its own, and observed at its end only.
//
// Both may be wrong together. So the laws (check/laws/laws.h) are asked of the model's state after
// each step and, where the kernel's is read after each step, of that. What is read at the end only
// was found equal to the model's. Where kernel and model disagree, that is the result; a broken law
// is one where they agree.
//
// Not compared: see view/snapshot.h. Where listmount does not list all, or the kernel has none, and
// mountinfo shows only a part, that is compared with the same part of the model's world
// (`state_unseen`). Then all is performed once more, and at the end a task of the namespace moves to
// a copy of it, whose mounts are listed (`seen_in_copies`). What is not seen so either is counted.
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
#include "check/laws/laws.h"
#include "model/predict.h"
#include "model/traits.h"
#include "observe/observe.h"
#include "scenario/scenario.h"
#include "view/snapshot.h"

namespace pivotcheck {

struct TrialSettings {
  std::optional<KernelTraits> traits = {};  // not given: those of the running kernel
                                                // (probed_traits.h)
  int cross_check_every = 1;           // every how many-th observation reads both sources
  std::optional<laws::Quirks> law_quirks = {};  // likewise
  ListMounts list = list_mounts;       // a test loses some
  bool asks_kernel = true;             // false: the laws are asked of the model, and no kernel is; the
                                       // model is compared with itself
};

struct TrialOptions {
  bool every_step = false;  // compare the state after each step, not only after the last one
  std::chrono::milliseconds limit = std::chrono::seconds(10);  // for each world, or each pause;
                                                               // and 1 ms for each step
  bool asks_laws = true;  // whether the laws are asked of the model's states; false because the
                          // caller has done it already
};

struct TrialResult {
  // As `pivotcheck run --json` names them; `invalid` files never come this far.
  enum class Kind : unsigned char { agree, disagree, unmet, skipped, failed, broken_law };

  Kind kind = Kind::agree;
  std::size_t steps = 0;          // how many were performed
  std::size_t step = 0;           // the one this is about, from 1; 0: none
  std::optional<Outcome> kernel;  // what they answered to that step
  std::optional<Outcome> model;
  Rule rule = Rule::none;                // the model's, for that step
  std::vector<std::string> differences;  // of the state after that step
  std::string reason;                    // of anything but an agreement: one line
  const laws::Law* law = nullptr;        // that is broken

  bool cannot_run = false;            // skipped because this machine can't run any such scenario
  bool state_unseen = false;  // only a part of the state could be seen, and was compared
  std::vector<std::size_t> namespaces_unseen;  // in which that is so
  bool seen_in_copies = false;  // all of these were, afterwards, in copies of them
  bool listmount_lost = false;        // listmount lacked a mount: mountinfo was read instead
  bool mountinfo_incomplete = false;  // both sources were read, and mountinfo showed a part
  bool chance_possible = false;  // some step may be refused by chance: a lookup (FINDINGS.md), or an
                                 // expiry mark that another process had cleared
  int chance_refusals = 0;       // worlds made anew because it was
  bool cross_checked = false;  // both sources were read and gave the same
  bool has_slave = false;
  bool propagate_from_read = false;  // has_slave, and the kernel itself said what each receives from

  std::vector<Verdict> verdicts;  // the model's, of the steps performed
  Snapshot kernel_view;           // canonical: at the end; where states differ, after `step`; where
  Snapshot model_view;            // outcomes do, before it
};

std::string_view name(TrialResult::Kind kind);
// A part of the state was compared with nothing.
inline bool has_unseen(const TrialResult& result) {
  return result.state_unseen && !result.seen_in_copies;
}
// A disagreement or a broken law.
inline bool is_finding(const TrialResult& result) {
  return result.kind == TrialResult::Kind::disagree || result.kind == TrialResult::Kind::broken_law;
}

class Trial {
 public:
  // cannot_run where this machine offers no way to read a world's state.
  static Expected<Trial> make(TrialSettings settings = {});

  // Starts the KernelDriver for this privilege, unless it runs already, and looks at a first world: what
  // is mounted over the machine's root may be in the way. run() does it by itself; call it to know
  // beforehand whether the machine can.
  Expected<void> start(Privilege privilege);

  TrialResult run(const Scenario& scenario, const TrialOptions& options = {});
  // For a whole scenario that was predicted already, with the same traits: one world, one
  // comparison of the outcomes and of the state after the last step.
  TrialResult run_predicted(const Prediction& predicted, const TrialOptions& options = {});
  // Performs a scenario that disagreed once more, with the state read after each step: at which
  // step does the difference begin? Agrees where nothing differs this time.
  TrialResult trace_back(const Scenario& scenario, const TrialResult& late);

  // Ends the processes that perform scenarios; the next run starts others. A faulty kernel may keep
  // something from one world of a process to the next.
  void renew() { drivers_ = {}; }

  // How often each law's premise held, in all that this trial ran.
  [[nodiscard]] const laws::AskedCounts& laws_asked() const { return laws_asked_; }
  [[nodiscard]] const KernelTraits& traits() const { return traits_; }
  [[nodiscard]] const Release& running() const { return running_; }
  [[nodiscard]] const Observer& observer() const { return observer_; }

 private:
  Trial(TrialSettings settings, Observer observer);
  std::string what_is_strange(Privilege privilege);
  TrialResult compare(const Prediction& predicted, const TrialOptions& options);
  void compare_with_stand_in(const Prediction& predicted, TrialResult& result);
  TrialResult with_laws(const Prediction& predicted, TrialResult result);
  void ask_laws(std::optional<laws::Watch>& watch, const Prediction& predicted,
                const TrialResult& result);
  TrialResult compare_every_step(const Prediction& predicted, const TrialOptions& options);
  TrialResult compare_unread(const Prediction& predicted, const std::vector<std::size_t>& unread,
                             TrialResult last, TrialResult result, const TrialOptions& options);
  Expected<ExecutionResult> perform(const Prediction& predicted, TrialResult& result,
                                    const TrialOptions& options,
                                    const KernelDriver::AtPause& at_pause = {});
  void compare_all(const Expected<ExecutionResult>& performed, const Prediction& predicted,
                   TrialResult& result);
  void see_in_copies(const Prediction& predicted, const TrialOptions& options,
                     TrialResult& result);
  void compare_state(std::span<const LiveTask> tasks, const model::World& world,
                     const Prediction& predicted, TrialResult& result);
  Expected<Observation> observe(std::span<const LiveTask> tasks, TrialResult& result);
  Expected<void> cross_check(std::span<const LiveTask> tasks, const Observation& seen,
                             TrialResult& result);
  [[nodiscard]] std::string condition_not_met(const Scenario& scenario) const;

  KernelTraits traits_;
  laws::Quirks law_quirks_;
  laws::AskedCounts laws_asked_{};
  std::optional<Observation> read_;  // the last state, where the laws are asked of the kernel's
  bool asks_kernel_;
  Release running_;
  Observer observer_;
  int cross_check_every_;
  unsigned observations_ = 0;
  std::array<std::optional<KernelDriver>, 2> drivers_;  // by Privilege
  std::array<std::optional<Failure>, 2> refusals_;         // why there is none; asked once only
};

}  // namespace pivotcheck
