// SPDX-License-Identifier: Apache-2.0
// differential.cc: see differential.h.
#include "differential.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "model/faults.h"
#include "scenario_input.h"
#include "trial/report.h"

namespace pivotcheck::fuzz {
namespace {

// Reading both roads costs as much as all the rest of a case.
constexpr int cross_check_every = 16;
// So many cases in a row that the harness could not run: it will not run any other either.
constexpr int failures_max = 8;

[[noreturn]] void nothing_runs(const Failure& failure) {
  std::fprintf(stderr, "%s\n", failure.what.c_str());
  std::fflush(nullptr);
  std::_Exit(failure.kind == Failure::Kind::cannot_run ? 4 : 3);
}

// A build that knows planted faults (model/faults.h) plants the one that the environment names.
void plant_fault() {
#ifdef PIVOTCHECK_PLANTED_FAULTS
  const char* name = std::getenv("PIVOTCHECK_PLANT");
  if (name != nullptr && !plant(name)) {
    std::fprintf(stderr, "PIVOTCHECK_PLANT: there is no fault %s\n", name);
    std::_Exit(2);
  }
#endif
}

// The harness could not do its work. Where that happens again with the same scenario (the observers
// disagree, the model's own world is broken, the kernel hangs), it is a find; where it does not, a
// line is enough.
void failed(const Scenario& scenario, const TrialResult& first) {
  static int failures = 0;
  const TrialResult again = laboratory().run(scenario);
  if (again.kind != TrialResult::Kind::agree && again.kind != TrialResult::Kind::skipped) {
    found(report("input", scenario, again));
  }
  std::fprintf(stderr, "the harness failed once: %s\n%s", first.reason.c_str(),
               print(scenario).c_str());
  if (++failures >= failures_max) found(report("input", scenario, first));
}

}  // namespace

Trial& laboratory() {
  static Trial trial = [] {
    plant_fault();
    auto made = Trial::make({.traits = {}, .cross_check_every = cross_check_every});
    if (!made) nothing_runs(made.error());
    const auto started = made->start(Privilege::userns);
    if (!started && ::geteuid() != 0) nothing_runs(started.error());
    if (::geteuid() == 0) {
      if (const auto as_root = made->start(Privilege::root); !as_root && !started) {
        nothing_runs(as_root.error());
      }
    }
    return std::move(*made);
  }();
  return trial;
}

void perform(const Scenario& scenario, Prediction predicted, bool look_again) {
  const TrialResult result =
      laboratory().run_predicted(scenario.effective_privilege(), std::move(predicted));
  if (result.kind == TrialResult::Kind::failed) return failed(scenario, result);
  if (result.kind != TrialResult::Kind::disagree) return;
  if (look_again) {
    const TrialResult closer = laboratory().run(scenario);
    if (closer.kind == TrialResult::Kind::disagree) found(report("input", scenario, closer));
    std::fprintf(stderr, "# seen once, and not when it was run again\n");
  }
  found(report("input", scenario, result));
}

}  // namespace pivotcheck::fuzz
