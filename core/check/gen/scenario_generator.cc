// SPDX-License-Identifier: Apache-2.0
// scenario_generator.cc: openings, recipes and random steps, in turns; deep stories; a probing end.
#include "check/gen/scenario_generator.h"

#include <iterator>

#include "base/check.h"
#include "check/gen/deep_story.h"
#include "check/gen/random_step.h"
#include "check/gen/recipes.h"
#include "check/gen/scenario_builder.h"

namespace pivotcheck {
namespace {

using gen::Features;
using gen::Recipe;
using gen::ScenarioBuilder;
using gen::VerbWeights;
using model::TaskIndex;

struct Percent {
  static constexpr std::uint32_t opening = 62;
  static constexpr std::uint32_t same_task = 60;  // takes the next turn as well
  static constexpr std::uint32_t expire = 14;     // scenarios with expire marks (Features)
  static constexpr std::uint32_t goes_on = 99;    // choices that have ended end a scenario here
  static constexpr std::uint32_t steered = 60;    // turns of a deep story
};

// Of a hundred turns so many are recipes, which have several steps: one of these in each scenario.
constexpr std::uint32_t recipe_percents[] = {12, 4, 30};

std::uint32_t total_weight(bool opening) {
  std::uint32_t total = 0;
  for (const Recipe& recipe : gen::recipes()) {
    if (recipe.opening == opening) total += recipe.weight;
  }
  return total;
}

// nullptr if the one that was drawn does not fit.
const Recipe* some_recipe(const ScenarioBuilder& builder, bool opening) {
  static const std::uint32_t totals[] = {total_weight(false), total_weight(true)};
  std::uint32_t drawn = builder.choices().below(totals[opening ? 1 : 0]);
  for (const Recipe& recipe : gen::recipes()) {
    if (recipe.opening != opening) continue;
    if (drawn < recipe.weight) return fits(recipe, builder) ? &recipe : nullptr;
    drawn -= recipe.weight;
  }
  return nullptr;
}

struct Manner {
  bool recipes;
  bool deep;
};

void write(ScenarioBuilder& builder, const VerbWeights& weights, Manner manner) {
  Choices& choices = builder.choices();
  const std::uint32_t recipe_percent =
      recipe_percents[choices.below(std::size(recipe_percents))];
  TaskIndex actor = builder.some_task();
  if (builder.features().expire && choices.chance(gen::marked_noatime_percent)) {
    builder.perform(actor, MountSetattr{{"/"}, {{MountFlag::noatime}, {}, {}}, {}});
  }
  if (manner.deep) {
    open_deep_story(builder);
  } else if (manner.recipes && choices.chance(Percent::opening)) {
    const Recipe* opening = some_recipe(builder, true);
    if (opening != nullptr) perform(builder, actor, *opening, weights);
  }
  while (!builder.ended() && choices.chance(Percent::goes_on)) {
    if (manner.deep && choices.chance(Percent::steered)) {
      steer(builder);
      continue;
    }
    if (!builder.world()[actor].alive || !choices.chance(Percent::same_task)) {
      actor = builder.some_task();
    }
    const Recipe* recipe =
        manner.recipes && choices.chance(recipe_percent) ? some_recipe(builder, false) : nullptr;
    if (recipe != nullptr) {
      perform(builder, actor, *recipe, weights);
    } else {
      random_step(builder, actor, weights);
    }
  }
}

}  // namespace

ScenarioGenerator::ScenarioGenerator(GeneratorOptions options) : options_(options) {
  PIVOTCHECK_CHECK(options.steps_min >= 1 && options.steps_min <= options.steps_max);
}

Prediction ScenarioGenerator::generate(Choices& choices, gen::ProbeCounts& probed) const {
  const std::uint32_t swarm = choices.below(UINT32_MAX);
  const Features features{.expire = choices.chance(Percent::expire)};
  const bool deep = options_.recipes && choices.chance(options_.deep_percent);
  const auto between = [&](std::size_t least, std::size_t most) {
    return least + choices.below(static_cast<std::uint32_t>(most - least + 1));
  };
  gen::StoryLimits limits{.steps = between(options_.steps_min, options_.steps_max)};
  if (deep) {
    limits = gen::deep_limits;
    limits.steps = between(gen::deep_steps_min, limits.steps);
  }
  Predictor predictor(options_.privilege, options_.traits);
  ScenarioBuilder builder(choices, predictor, limits, features);
  write(builder, VerbWeights(swarm), {.recipes = options_.recipes, .deep = deep});
  if (choices.chance(options_.probed_percent)) add_probing_end(predictor, choices, probed);
  return predictor.take();
}

}  // namespace pivotcheck
