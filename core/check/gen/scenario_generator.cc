// SPDX-License-Identifier: Apache-2.0
// scenario_generator.cc: see scenario_generator.h.
#include "check/gen/scenario_generator.h"

#include <iterator>
#include <utility>

#include "base/check.h"
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
  static constexpr std::uint32_t same_task = 60;  // stays at it for another turn
  static constexpr std::uint32_t expire = 14;     // scenarios with expire marks, without links
  static constexpr std::uint32_t goes_on = 99;    // dry choices end a scenario here
};

// How many turns in a hundred are recipes, which are several steps: one of these in each scenario.
constexpr std::uint32_t recipe_percents[] = {12, 4, 30};

std::uint32_t total_weight(bool opening) {
  std::uint32_t total = 0;
  for (const Recipe& recipe : gen::recipes()) {
    if (recipe.opening == opening) total += recipe.weight;
  }
  return total;
}

// nullptr if the one that was drawn does not fit.
const Recipe* some_recipe(const ScenarioBuilder& story, bool opening) {
  static const std::uint32_t totals[] = {total_weight(false), total_weight(true)};
  std::uint32_t drawn = story.choices().below(totals[opening ? 1 : 0]);
  for (const Recipe& recipe : gen::recipes()) {
    if (recipe.opening != opening) continue;
    if (drawn < recipe.weight) return fits(recipe, story) ? &recipe : nullptr;
    drawn -= recipe.weight;
  }
  return nullptr;
}

void write(ScenarioBuilder& story, const VerbWeights& weights, bool recipes) {
  Choices& choices = story.choices();
  const std::uint32_t recipe_percent =
      recipe_percents[choices.below(std::size(recipe_percents))];
  TaskIndex actor = story.some_task();
  if (recipes && choices.chance(Percent::opening)) {
    const Recipe* opening = some_recipe(story, true);
    if (opening != nullptr) perform(story, actor, *opening, weights);
  }
  while (!story.ended() && choices.chance(Percent::goes_on)) {
    if (!story.world()[actor].alive || !choices.chance(Percent::same_task)) {
      actor = story.some_task();
    }
    const Recipe* recipe =
        recipes && choices.chance(recipe_percent) ? some_recipe(story, false) : nullptr;
    if (recipe != nullptr) {
      perform(story, actor, *recipe, weights);
    } else {
      random_step(story, actor, weights);
    }
  }
}

}  // namespace

ScenarioGenerator::ScenarioGenerator(GeneratorOptions options) : options_(options) {
  PIVOTCHECK_CHECK(options.steps_min >= 1 && options.steps_min <= options.steps_max);
}

Prediction ScenarioGenerator::generate(Choices& choices) const {
  const std::uint32_t swarm = choices.below(UINT32_MAX);
  Features features;
  features.expire = choices.chance(Percent::expire);
  features.links = !features.expire;
  const std::uint32_t length =
      options_.steps_min + choices.below(options_.steps_max - options_.steps_min + 1);
  Predictor predictor(options_.privilege, options_.traits);
  ScenarioBuilder story(choices, predictor, length, features);
  write(story, VerbWeights(swarm, features), options_.recipes);
  return predictor.take();
}

}  // namespace pivotcheck
