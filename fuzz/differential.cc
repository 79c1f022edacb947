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

// One scenario as the model sees it; the tally wants to know of each moment, not of the end only.
Prediction follow(const Scenario& scenario, int& namespaces_max) {
  Prediction prediction{.steps = {},
                        .verdicts = {},
                        .outcomes = {},
                        .stop = Verdict::Stop::no,
                        .world = model::World(scenario.effective_privilege(), bench.traits)};
  namespaces_max = 1;
  for (std::size_t i = 0; i < scenario.steps.size(); ++i) {
    const Step& step = scenario.steps[i].step;
    const Verdict verdict = apply(prediction.world, step);
    if (verdict.stop != Verdict::Stop::no) return predict(scenario, bench.traits, i);
    prediction.steps.push_back(step);
    prediction.verdicts.push_back(verdict);
    prediction.outcomes.push_back(verdict.outcome);
    if (!std::holds_alternative<Unshare>(step.op)) continue;
    const auto alive = std::ranges::count_if(
        prediction.world.mount_namespaces, [](const auto& mount_ns) { return mount_ns.rootfs.exists(); });
    namespaces_max = std::max(namespaces_max, static_cast<int>(alive));
  }
  return prediction;
}

int perform_by_hand(Input input, bool look_again) {
  const Scenario& scenario = input.scenario;
  const TrialResult result =
      bench.trial->run_predicted(scenario.effective_privilege(), std::move(input.predicted));
  if (result.kind == TrialResult::Kind::failed) failed(scenario, result);
  if (result.kind != TrialResult::Kind::disagree) return 0;
  if (look_again) {
    const TrialResult closer = bench.trial->run(scenario);
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
  int namespaces_max = 1;
  Prediction predicted = follow(*scenario, namespaces_max);
  if (!note_features(predicted.steps, predicted.verdicts, predicted.world)) return std::nullopt;
  Input input{.scenario = std::move(*scenario),
              .predicted = std::move(predicted),
              .stats = {},
              .to_be_performed = true};
  input.to_be_performed = !bench.link || mine || bench.link->is_mine(input.scenario);
  const Prediction& known = input.predicted;
  input.stats.add(known.steps, known.verdicts, known.world, namespaces_max);
  return input;
}

int perform(Input input, bool look_again) {
  if (!input.to_be_performed) return 0;
  if (!bench.link) return perform_by_hand(std::move(input), look_again);
  const TrialResult::Kind kind =
      bench.link->perform(input.scenario, input.stats, std::move(input.predicted));
  // What disagrees is kept elsewhere; in the corpus it would be found again in every run.
  return kind == TrialResult::Kind::agree ? 0 : not_of_use;
}

}  // namespace pivotcheck::fuzz
