// SPDX-License-Identifier: Apache-2.0
// scenario_generator.cc: openings, recipes and random steps, in turns; a probing end.
#include "check/gen/scenario_generator.h"

#include <iterator>

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
  static constexpr std::uint32_t same_task = 60;  // takes the next turn as well
  static constexpr std::uint32_t expire = 14;     // scenarios with expire marks, without links
  static constexpr std::uint32_t goes_on = 99;    // choices that have ended end a scenario here
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

void write(ScenarioBuilder& builder, const VerbWeights& weights, bool recipes) {
  Choices& choices = builder.choices();
  const std::uint32_t recipe_percent =
      recipe_percents[choices.below(std::size(recipe_percents))];
  TaskIndex actor = builder.some_task();
  if (recipes && choices.chance(Percent::opening)) {
    const Recipe* opening = some_recipe(builder, true);
    if (opening != nullptr) perform(builder, actor, *opening, weights);
  }
  while (!builder.ended() && choices.chance(Percent::goes_on)) {
    if (!builder.world()[actor].alive || !choices.chance(Percent::same_task)) {
      actor = builder.some_task();
    }
    const Recipe* recipe =
        recipes && choices.chance(recipe_percent) ? some_recipe(builder, false) : nullptr;
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
  Features features;
  features.expire = choices.chance(Percent::expire);
  features.links = !features.expire;
  const std::uint32_t length =
      options_.steps_min + choices.below(options_.steps_max - options_.steps_min + 1);
  Predictor predictor(options_.privilege, options_.traits);
  ScenarioBuilder builder(choices, predictor, length, features);
  write(builder, VerbWeights(swarm, features), options_.recipes);
  if (choices.chance(options_.probed_percent)) add_probing_end(predictor, choices, probed);
  return predictor.take();
}

}  // namespace pivotcheck
