// SPDX-License-Identifier: Apache-2.0
// kernel_side.cc: see kernel_side.h.
#include "check/exhaust/kernel_side.h"

#include <utility>

namespace pivotcheck::exhaust {
namespace {

constexpr TrialOptions options{.asks_laws = false};

bool has_failed(const TrialResult& result) {
  return result.kind == TrialResult::Kind::failed || result.kind == TrialResult::Kind::skipped;
}

}  // namespace

// False where it differs or fails. `differs_at`: then nothing is reported, and this is the step.
bool KernelSide::perform(const std::vector<Letter>& steps, Counts& counts, const Report& report,
                         std::size_t* differs_at) {
  const Program program = space_.program(steps);
  const Prediction predicted = predict(program, trial_.traits());
  TrialResult result = trial_.run_predicted(predicted, options);
  if (has_failed(result)) result = trial_.run_predicted(predicted, options);  // a deadline, say
  ++counts.worlds;
  counts.state_unseen += has_unseen(result) ? 1 : 0;
  if (result.kind == TrialResult::Kind::agree) return true;
  if (differs_at != nullptr && result.kind == TrialResult::Kind::disagree) {
    *differs_at = result.step;
    return false;
  }
  const Scenario scenario = scenario_of(program);
  if (!has_failed(result)) {
    TrialResult traced = trial_.run(scenario);
    if (traced.kind != TrialResult::Kind::agree) result = std::move(traced);
  }
  ++(has_failed(result) ? counts.failures : counts.differences);
  report(scenario, result);
  return false;
}

void KernelSide::check(Sequence sequence, const std::vector<Transition>& transitions,
                       Counts& counts, const Report& report) {
  std::vector<Letter> refused(sequence.begin(), sequence.end());
  std::vector<Letter> one(sequence.begin(), sequence.end());
  for (const Transition& transition : transitions) {
    if (transition.reach == Reach::refused) refused.push_back(transition.letter);
    if (transition.reach != Reach::changed) continue;
    one.push_back(transition.letter);
    perform(one, counts, report, nullptr);
    one.pop_back();
  }
  // One that differs is performed alone, and the others without it.
  const std::size_t before = space_.set_up.steps.size() + sequence.size();
  while (refused.size() > sequence.size()) {
    std::size_t differs_at = 0;
    if (perform(refused, counts, report, &differs_at) || differs_at == 0) return;
    if (differs_at <= before) {
      perform(refused, counts, report, nullptr);
      return;
    }
    const std::size_t index = sequence.size() + differs_at - before - 1;
    one.push_back(refused[index]);
    const bool agrees_alone = perform(one, counts, report, nullptr);
    one.pop_back();
    if (agrees_alone) {
      perform(refused, counts, report, nullptr);
      return;
    }
    refused.erase(refused.begin() + static_cast<std::ptrdiff_t>(index));
  }
}

}  // namespace pivotcheck::exhaust
