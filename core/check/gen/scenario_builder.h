// SPDX-License-Identifier: Apache-2.0
// scenario_builder.h: a scenario that is being written. The model answers each step as it is added,
// so that a generator knows the world for which it chooses the next one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "check/gen/choices.h"
#include "model/predict.h"

namespace pivotcheck::gen {

// A name is used once, so a scenario has at most these tasks.
inline constexpr std::string_view task_names[] = {"A", "B", "C", "D", "E", "F", "G", "H"};
inline constexpr std::string_view handle_names[] = {"h", "k", "m"};

inline std::string some_handle_name(Choices& choices) {
  return std::string(handle_names[choices.below(std::size(handle_names))]);
}

// Marks of MNT_EXPIRE are in some scenarios only, because no state can be read while one stands.
// There most mounts are noatime: elsewhere each symbolic link that is followed makes all marks
// unclear (model/lookup.h), and the use of such a mark would end the scenario.
struct Features {
  bool expire = false;
};
inline constexpr std::uint32_t marked_noatime_percent = 75;  // of the mounts of such a scenario

// How far a scenario may grow.
struct StoryLimits {
  std::size_t steps;
  // Four tasks are enough for every pair of relations between two others.
  std::size_t tasks = 4;
  // With more mounts than this, no step adds any: a world of ten mounts shows what there is to see,
  // and recursive binds of shared trees double their number at every step.
  int mounts = 24;
};

class ScenarioBuilder {
 public:
  // Adds to the steps that the predictor has, up to `limits.steps` of them.
  ScenarioBuilder(Choices& choices, Predictor& predictor, StoryLimits limits, Features features)
      : choices_(choices), predictor_(predictor), limits_(limits), features_(features) {}

  // Adds a step of that task. False if it is refused, or if nothing was added because ended() is
  // true.
  bool perform(model::TaskIndex performer, Op op) {
    if (ended() || !predictor_.add(static_cast<int>(performer.value), std::move(op))) return false;
    return predictor_.last().outcome.ok();
  }

  // It is long enough, the last task has ended, or the last step given to perform() would have
  // ended the run.
  [[nodiscard]] bool ended() const {
    const Prediction& so_far = predictor_.so_far();
    return so_far.stop != Verdict::Stop::no || so_far.verdicts.size() >= limits_.steps ||
           tasks_alive() == 0;
  }

  [[nodiscard]] Choices& choices() const { return choices_; }
  [[nodiscard]] const model::World& world() const { return predictor_.so_far().world; }
  [[nodiscard]] const Features& features() const { return features_; }
  [[nodiscard]] const StoryLimits& limits() const { return limits_; }

  // One that is alive; the earliest for the simplest choice. Not after the last has ended.
  [[nodiscard]] model::TaskIndex some_task() const {
    auto skipped = choices_.below(static_cast<std::uint32_t>(tasks_alive()));
    std::uint32_t i = 0;
    while (!world().tasks[i].alive || skipped-- > 0) ++i;
    return {i};
  }
  [[nodiscard]] std::size_t tasks_alive() const {
    return static_cast<std::size_t>(std::ranges::count_if(world().tasks, &model::Task::alive));
  }
  // How many tasks may still be made, and the name of the next of them. They are named in order,
  // and the world keeps those that have ended.
  [[nodiscard]] std::size_t names_left() const {
    return limits_.tasks - std::min(limits_.tasks, world().tasks.size());
  }
  [[nodiscard]] std::string_view next_name() const { return task_names[world().tasks.size()]; }

 private:
  Choices& choices_;
  Predictor& predictor_;
  StoryLimits limits_;
  Features features_;
};

}  // namespace pivotcheck::gen
