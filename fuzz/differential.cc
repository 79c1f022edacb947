// SPDX-License-Identifier: Apache-2.0
// differential.cc: one input against the kernel, by hand or as a part of a campaign.
#include "differential.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include "campaign_link.h"
#include "scenario_input.h"
#include "scenario_mutator.h"
#include "check/trial/report.h"

namespace pivotcheck::fuzz {
namespace {

// To read both sources costs as much as all the rest of a case.
constexpr int cross_check_every = 16;
// After so many failures of the harness it can't run any other case either.
constexpr int failures_max = 8;

// Set when the process starts.
struct Process {
  std::unique_ptr<CampaignLink> link;  // nullptr: by hand
  std::optional<Trial> trial;      // by hand
  KernelTraits traits;
  bool userns = true;  // which privileges can run
  bool root = true;
};
Process process;

[[noreturn]] void nothing_runs(const Failure& failure) {
  std::fprintf(stderr, "%s\n", failure.what.c_str());
  std::fflush(nullptr);
  std::_Exit(failure.kind == Failure::Kind::cannot_run ? 4 : 3);
}

// The harness could not do its work. If that happens again with the same scenario (the observers
// disagree, the model's world breaks an invariant, the kernel hangs), it is a finding; if not, it
// is printed.
void failed(const Scenario& scenario, const TrialResult& first) {
  static int failures = 0;
  const TrialResult again = process.trial->run(scenario);
  if (again.kind != TrialResult::Kind::agree && again.kind != TrialResult::Kind::skipped) {
    found(report("input", scenario, again));
  }
  std::fprintf(stderr, "the harness failed once: %s\n%s", first.reason.c_str(),
               print(scenario).c_str());
  if (++failures >= failures_max) found(report("input", scenario, first));
}

int perform_by_hand(Input input, bool look_again) {
  const Scenario& scenario = input.scenario;
  const TrialResult result = process.trial->run_predicted(input.predicted);
  if (result.kind == TrialResult::Kind::failed) failed(scenario, result);
  if (result.kind != TrialResult::Kind::disagree) return 0;
  if (look_again) {
    const TrialResult closer = process.trial->trace_back(scenario, result);
    if (closer.kind == TrialResult::Kind::disagree) found(report("input", scenario, closer));
    std::fprintf(stderr, "# seen once, and not when it was run again\n");
  }
  found(report("input", scenario, result));
}

// Early, because the executor is a fork and has all the memory that this process has by then.
void begin() {
  process.link = CampaignLink::find();
  if (process.link && process.link->only_predicts()) {
    process.traits = KernelTraits::for_release(running_release());
    return;
  }
  auto trial = Trial::make({.traits = {}, .cross_check_every = cross_check_every});
  if (!trial) nothing_runs(trial.error());
  const std::string wanted = process.link ? process.link->privilege() : "both";
  process.traits = trial->traits();
  if (process.link) use_recipes(process.link->recipes());
  process.root = wanted != "userns" && ::geteuid() == 0 && trial->start(Privilege::root);
  const auto started = trial->start(Privilege::userns);
  process.userns = wanted != "root" && started;
  if (!process.userns && !process.root) {
    nothing_runs(started ? Failure{Failure::Kind::cannot_run, "privilege root can't run"}
                         : started.error());
  }
  if (process.link) process.link->begin(std::move(*trial));
  else process.trial.emplace(std::move(*trial));
}

}  // namespace

std::optional<Input> read_and_predict(const std::uint8_t* data, std::size_t size) {
  const bool mine = take_made_here();
  if (process.link) process.link->next();
  auto scenario = read_scenario(data, size);
  if (!scenario) return std::nullopt;
  if (!process.root) scenario->privilege = Privilege::userns;
  if (!process.userns) scenario->privilege = Privilege::root;
  Prediction predicted = predict(*scenario, process.traits);
  if (!note_features(predicted)) return std::nullopt;
  Input input{.scenario = std::move(*scenario),
              .predicted = std::move(predicted),
              .stats = {},
              .to_be_performed = true};
  input.to_be_performed = !process.link || mine || process.link->is_mine(input.scenario);
  input.stats.add(input.predicted);
  return input;
}

int perform(Input input, bool look_again) {
  if (!input.to_be_performed) return 0;
  if (!process.link) return perform_by_hand(std::move(input), look_again);
  const TrialResult::Kind kind =
      process.link->perform(input.scenario, input.stats, input.predicted);
  // A disagreement is kept in the artifacts; in the corpus every run would find it again.
  return kind == TrialResult::Kind::agree ? 0 : not_of_use;
}

}  // namespace pivotcheck::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  pivotcheck::fuzz::begin();
  return 0;
}
