// SPDX-License-Identifier: Apache-2.0
// story.h: a scenario that is being written. Whoever adds a step sees at once what the model
// answers to it and what the world is like afterwards, which is how generators know what would
// be interesting next.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "check/gen/choices.h"
#include "model/predict.h"

namespace pivotcheck::gen {

// Four tasks are enough for every pair of relations that two others can have; names are never used
// again, so a story has no more than these.
inline constexpr std::string_view task_names[] = {"A", "B", "C", "D"};
inline constexpr std::string_view handle_names[] = {"h", "k", "m"};

// Two features that exclude each other in one story. A symbolic link that is followed has its
// access time updated, or not, by a rule that depends on the clock; the update takes a
// reference to the mount and gives it back, and that clears an MNT_EXPIRE mark. Nobody can
// predict that, so where there are marks there are no links. This is the only place where it is
// decided: recipes and free steps that use either feature ask here.
struct Features {
  bool links = true;
  bool expire = false;
};

class ScenarioBuilder {
 public:
  // Goes on after what the predictor has, up to `steps_max` steps.
  ScenarioBuilder(Choices& choices, Predictor& predictor, std::size_t steps_max, Features features)
      : choices_(choices), predictor_(predictor), steps_max_(steps_max), features_(features) {}

  // Adds a step of that task and applies it. False if it was refused, or if nothing was added
  // because the story has ended.
  bool perform(model::TaskIndex who, Op op);

  // It is long enough, or the step that was to be added would have ended the run.
  [[nodiscard]] bool ended() const {
    const Prediction& so_far = predictor_.so_far();
    return so_far.stop != Verdict::Stop::no || so_far.verdicts.size() >= steps_max_;
  }

  [[nodiscard]] Choices& choices() const { return choices_; }
  [[nodiscard]] const model::World& world() const { return predictor_.so_far().world; }
  [[nodiscard]] const Features& features() const { return features_; }

  [[nodiscard]] model::TaskIndex some_task() const;  // alive; the earliest for the simplest choice
  [[nodiscard]] std::size_t tasks_alive() const;
  [[nodiscard]] std::size_t names_left() const;      // tasks that may still be made
  [[nodiscard]] std::string_view next_name() const;  // of the next of them

 private:
  Choices& choices_;
  Predictor& predictor_;
  std::size_t steps_max_;
  Features features_;
};

}  // namespace pivotcheck::gen
