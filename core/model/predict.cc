// SPDX-License-Identifier: Apache-2.0
// predict.cc: applies one step after the other.
#include "model/predict.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace pivotcheck {
namespace {

Prediction empty_prediction(Privilege privilege, const KernelTraits& traits) {
  return {.program = {.privilege = privilege, .steps = {}, .tasks = {}, .handles = {}},
          .verdicts = {},
          .world = model::World(privilege, traits)};
}

int namespaces_alive(const model::World& world) {
  const auto is_alive = [](const model::Namespace& mount_ns) { return mount_ns.rootfs.exists(); };
  return static_cast<int>(std::ranges::count_if(world.mount_namespaces, is_alive));
}

// False if the run ends before this step.
bool extend(Prediction& prediction, ProgramStep step) {
  if (prediction.stop != Verdict::Stop::no) return false;
  const std::size_t namespaces = prediction.world.mount_namespaces.size();
  const Verdict verdict = apply(prediction.world, step);
  if (verdict.stop != Verdict::Stop::no) {
    prediction.stop = verdict.stop;
    // That step spoilt the world: make it anew without it.
    prediction.world = model::World(prediction.program.privilege, prediction.world.traits);
    for (const ProgramStep& done : prediction.program.steps) apply(prediction.world, done);
    return false;
  }
  if (prediction.world.mount_namespaces.size() > namespaces) {
    prediction.namespaces_max =
        std::max(prediction.namespaces_max, namespaces_alive(prediction.world));
  }
  prediction.program.steps.push_back(std::move(step));
  prediction.verdicts.push_back(verdict);
  return true;
}

}  // namespace

std::vector<Outcome> Prediction::outcomes() const {
  std::vector<Outcome> result;
  result.reserve(verdicts.size());
  for (const Verdict& verdict : verdicts) result.push_back(verdict.outcome);
  return result;
}

Predictor::Predictor(Privilege privilege, const KernelTraits& traits)
    : prediction_(empty_prediction(privilege, traits)) {
  constexpr std::size_t usual_length = 24;
  prediction_.program.steps.reserve(usual_length);
  prediction_.verdicts.reserve(usual_length);
}

bool Predictor::add(Step step) {
  const int task = resolver_.find_alive(step.task.text);
  PIVOTCHECK_CHECK(task >= 0);
  return add(task, std::move(step.op));
}

bool Predictor::add(int task, Op op) {
  Expected<ProgramStep> step = resolver_.add(task, std::move(op));
  PIVOTCHECK_CHECK(step);
  return extend(prediction_, std::move(*step));
}

Prediction Predictor::take() {
  prediction_.program.tasks = resolver_.task_names();
  prediction_.program.handles = resolver_.handle_names();
  return std::move(prediction_);
}

Prediction predict(Program program, const KernelTraits& traits, std::size_t count) {
  Prediction prediction = empty_prediction(program.privilege, traits);
  prediction.program.tasks = std::move(program.tasks);
  prediction.program.handles = std::move(program.handles);
  for (ProgramStep& step : program.steps) {
    if (prediction.verdicts.size() == count || !extend(prediction, std::move(step))) break;
  }
  return prediction;
}

Prediction predict(const Scenario& scenario, const KernelTraits& traits, std::size_t count) {
  Expected<Program> program = resolve(scenario);
  PIVOTCHECK_CHECK(program);
  return predict(std::move(*program), traits, count);
}

std::string_view reason(Verdict::Stop stop) {
  constexpr std::array<std::string_view, Verdict::stops> reasons{
      "", "leaves-the-world", "too-large", "unclear-master", "unclear-mark", "unclear-cover"};
  return reasons[static_cast<std::size_t>(stop)];
}

}  // namespace pivotcheck
