// SPDX-License-Identifier: Apache-2.0
// differential.cc: see differential.h.
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

// Reading both roads costs as much as all the rest of a case.
constexpr int cross_check_every = 16;
// So many cases in a row that the harness could not run: it will not run any other either.
constexpr int failures_max = 8;

// What this process has, once begin() was called.
struct Bench {
  std::unique_ptr<HuntLink> link;  // nullptr: by hand
  std::optional<Trial> trial;      // by hand
  KernelTraits traits;
  bool userns = true;  // which privileges can run
  bool root = true;
};
Bench bench;

[[noreturn]] void nothing_runs(const Failure& failure) {
  std::fprintf(stderr, "%s\n", failure.what.c_str());
  std::fflush(nullptr);
  std::_Exit(failure.kind == Failure::Kind::cannot_run ? 4 : 3);
}

// The harness could not do its work. Where that happens again with the same scenario (the observers
// disagree, the model's own world is broken, the kernel hangs), it is a find; where it does not, a
// line is enough.
void failed(const Scenario& scenario, const TrialResult& first) {
  static int failures = 0;
  const TrialResult again = bench.trial->run(scenario);
  if (again.kind != TrialResult::Kind::agree && again.kind != TrialResult::Kind::skipped) {
    found(report("input", scenario, again));
  }
  std::fprintf(stderr, "the harness failed once: %s\n%s", first.reason.c_str(),
               print(scenario).c_str());
  if (++failures >= failures_max) found(report("input", scenario, first));
}

int perform_by_hand(Input input, bool look_again) {
  const Scenario& scenario = input.scenario;
  const TrialResult result = bench.trial->run_predicted(input.predicted);
  if (result.kind == TrialResult::Kind::failed) failed(scenario, result);
  if (result.kind != TrialResult::Kind::disagree) return 0;
  if (look_again) {
    const TrialResult closer = bench.trial->trace_back(scenario, result);
    if (closer.kind == TrialResult::Kind::disagree) found(report("input", scenario, closer));
    std::fprintf(stderr, "# seen once, and not when it was run again\n");
  }
  found(report("input", scenario, result));
}

}  // namespace

void begin() {
  bench.link = HuntLink::find();
  if (bench.link && bench.link->only_predicts()) {
    bench.traits = KernelTraits::for_release(running_release());
    return;
  }
  auto trial = Trial::make({.traits = {}, .cross_check_every = cross_check_every});
  if (!trial) nothing_runs(trial.error());
  const std::string wanted = bench.link ? bench.link->privilege() : "both";
  bench.traits = trial->traits();
  if (bench.link) use_recipes(bench.link->recipes());
  bench.root = wanted != "userns" && ::geteuid() == 0 && trial->start(Privilege::root);
  const auto started = trial->start(Privilege::userns);
  bench.userns = wanted != "root" && started;
  if (!bench.userns && !bench.root) {
    nothing_runs(started ? Failure{Failure::Kind::cannot_run, "privilege root can't run"}
                         : started.error());
  }
  if (bench.link) bench.link->begin(std::move(*trial));
  else bench.trial.emplace(std::move(*trial));
}

std::optional<Input> read_and_predict(const std::uint8_t* data, std::size_t size) {
  const bool mine = take_made_here();
  if (bench.link) bench.link->next();
  auto scenario = read_scenario(data, size);
  if (!scenario) return std::nullopt;
  if (!bench.root) scenario->privilege = Privilege::userns;
  if (!bench.userns) scenario->privilege = Privilege::root;
  Prediction predicted = predict(*scenario, bench.traits);
  if (!note_features(predicted)) return std::nullopt;
  Input input{.scenario = std::move(*scenario),
              .predicted = std::move(predicted),
              .stats = {},
              .to_be_performed = true};
  input.to_be_performed = !bench.link || mine || bench.link->is_mine(input.scenario);
  input.stats.add(input.predicted);
  return input;
}

int perform(Input input, bool look_again) {
  if (!input.to_be_performed) return 0;
  if (!bench.link) return perform_by_hand(std::move(input), look_again);
  const TrialResult::Kind kind =
      bench.link->perform(input.scenario, input.stats, input.predicted);
  // What disagrees is kept elsewhere; in the corpus it would be found again in every run.
  return kind == TrialResult::Kind::agree ? 0 : not_of_use;
}

}  // namespace pivotcheck::fuzz
