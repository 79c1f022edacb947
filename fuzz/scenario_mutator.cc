// SPDX-License-Identifier: Apache-2.0
// scenario_mutator.cc: libFuzzer's mutator and crossover for targets whose inputs are scenarios:
// from one scenario to a similar one. Changed bytes of a scenario are mostly no scenario any more,
// so steps are changed:
//
//     mkdir /a                  mkdir /a
//     mount tmpfs /a     -->    mount tmpfs /a
//     pivot_root /a /a          spawn B            <- drawn by core/check/gen in the world as the
//                               B: chdir /a           model has it here, so that it mostly succeeds
//                               pivot_root /a /a
//
// The result always parses: edit::repair_tasks (scenario/edit.h) gives the tasks the names A, B, C,
// D. It has the privilege, and neither other headers nor stated outcomes. libFuzzer's seed makes
// all choices, so a run with the same -seed= does the same.
//
// Helpers come first, then one function for each kind of change, then the table of them with their
// weights.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "check/gen/places.h"
#include "check/gen/random_step.h"
#include "check/gen/recipes.h"
#include "check/gen/scenario_builder.h"
#include "check/gen/scenario_generator.h"
#include "check/gen/choices.h"
#include "scenario/edit.h"
#include "scenario_input.h"

namespace pivotcheck::fuzz {
namespace {

using gen::Features;
using gen::Places;
using gen::Recipe;
using gen::ScenarioBuilder;
using gen::VerbWeights;
using model::TaskIndex;

constexpr std::uint32_t expire_percent = 14;  // as ScenarioGenerator has it
// A mutated scenario is about as long as one of ScenarioGenerator. Without a limit scenarios grow
// to twice that length, take twice the time, and find less.
constexpr std::uint32_t steps_kept_min = 10;
constexpr std::uint32_t steps_kept_max = 22;

std::uint32_t count(std::size_t n) { return static_cast<std::uint32_t>(n); }

// A scenario that is being changed; nothing is stated. Between two changes its tasks may not fit:
// see repair().
struct Draft : Scenario {
  Draft(const Scenario& scenario, Choices& source) : choices(source) {
    privilege = scenario.effective_privilege();
    for (const ScenarioStep& each : scenario.steps) steps.push_back({each.step, {}});
  }

  Choices& choices;

  // 0 to n: before a step, or after the last. The simplest choice is the end, where nothing that
  // exists is disturbed.
  [[nodiscard]] std::size_t place() const {
    return steps.size() - choices.below(count(steps.size()) + 1);
  }
  [[nodiscard]] std::size_t some_step() const { return choices.below(count(steps.size())); }
  [[nodiscard]] auto at(std::size_t i) { return steps.begin() + static_cast<std::ptrdiff_t>(i); }
  [[nodiscard]] Op& some_op() { return steps[some_step()].step.op; }
};

Features features_of(const Draft& draft) {
  const auto marks = [](const ScenarioStep& each) { return is_expire(each.step.op); };
  return {.expire =
              std::ranges::any_of(draft.steps, marks) || draft.choices.chance(expire_percent)};
}

void repair(Draft& draft) {
  edit::repair_tasks(draft.steps, gen::task_names,
                     [&](std::size_t n) { return draft.choices.below(count(n)); });
  if (draft.steps.size() > steps_max) draft.steps.resize(steps_max);
  if (draft.steps.empty()) draft.steps.push_back({{TaskName{"A"}, Mkdir{"/a"}}, {}});
}

// After repair(): no step needs one that is cut off here.
void shorten(Draft& draft) {
  const std::size_t kept =
      steps_kept_min + draft.choices.below(steps_kept_max - steps_kept_min + 1);
  if (draft.steps.size() > kept) draft.steps.resize(kept);
}

Scenario fresh(Choices& choices) {
  const bool root = ::geteuid() == 0 && choices.chance(50);
  const ScenarioGenerator generator({.privilege = root ? Privilege::root : Privilege::userns,
                                     .traits = {},
                                     .recipes = mutator.inserts_recipes});
  Draft draft(scenario_of(generator.generate(choices).program), choices);
  repair(draft);  // it may be empty
  return draft;
}

// Lets `write` insert at most `more` steps before step `position`.
void write_at(Draft& draft, std::size_t position, std::size_t more, auto write) {
  Predictor predictor(draft.effective_privilege(), KernelTraits{});
  for (std::size_t i = 0; i < position; ++i) {
    if (!predictor.add(draft.steps[i].step)) return;
  }
  const Features features = features_of(draft);
  ScenarioBuilder builder(draft.choices, predictor, {.steps = position + more}, features);
  write(builder, VerbWeights(draft.choices.below(UINT32_MAX)));
  const Scenario written = scenario_of(predictor.take().program);
  draft.steps.insert(draft.at(position),
                     written.steps.begin() + static_cast<std::ptrdiff_t>(position),
                     written.steps.end());
}

void free_steps(Draft& draft, std::size_t position, std::size_t how_many) {
  write_at(draft, position, how_many, [&](ScenarioBuilder& builder, const VerbWeights& weights) {
    TaskIndex actor = builder.some_task();
    for (std::size_t i = 0; i < how_many && !builder.ended(); ++i) {
      if (!builder.world()[actor].alive || draft.choices.chance(40)) actor = builder.some_task();
      random_step(builder, actor, weights);
    }
  });
}

// --- one kind of change each

void insert_steps(Draft& draft) {
  const std::size_t position = draft.place();
  free_steps(draft, position, 1 + draft.choices.below(3));
}

void another_end(Draft& draft) {
  draft.steps.resize(draft.place());
  free_steps(draft, draft.steps.size(), 1 + draft.choices.below(8));
}

void insert_recipe(Draft& draft) {
  constexpr std::size_t recipe_steps_max = 16;
  if (!mutator.inserts_recipes) return insert_steps(draft);
  const Recipe& recipe = gen::recipes()[draft.choices.below(count(gen::recipes().size()))];
  write_at(draft, draft.place(), recipe_steps_max,
           [&](ScenarioBuilder& builder, const VerbWeights& weights) {
             if (fits(recipe, builder)) perform(builder, builder.some_task(), recipe, weights);
           });
}

void delete_steps(Draft& draft) {
  const std::size_t first = draft.some_step();
  const std::size_t last = std::min(first + 1 + draft.choices.below(3), draft.steps.size());
  draft.steps.erase(draft.at(first), draft.at(last));
}

void duplicate_step(Draft& draft) {
  const ScenarioStep step = draft.steps[draft.some_step()];
  draft.steps.insert(draft.at(draft.place()), step);
}

void move_step(Draft& draft) {
  const std::size_t from = draft.some_step();
  const ScenarioStep step = draft.steps[from];
  draft.steps.erase(draft.at(from));
  draft.steps.insert(draft.at(draft.place()), step);
}

void change_verb(Draft& draft) {
  const std::size_t position = draft.some_step();
  draft.steps.erase(draft.at(position));
  free_steps(draft, position, 1);
}

void change_options(Draft& draft) { gen::mutate_options(draft.some_op(), draft.choices); }

void change_task(Draft& draft) {
  draft.steps[draft.some_step()].step.task.text =
      gen::task_names[draft.choices.below(std::size(gen::task_names))];
}

void change_privilege(Draft& draft) {
  const bool root = draft.privilege == Privilege::userns && ::geteuid() == 0;
  draft.privilege = root ? Privilege::root : Privilege::userns;
}

std::vector<Path*> paths_of(Op& op) {
  std::vector<Path*> paths;
  edit::for_each_path(op, [&](std::string&, Path* path) {
    if (path != nullptr) paths.push_back(path);
  });
  return paths;
}

// Puts it in place of one of the step's paths, if it has any.
void replace_path(Op& op, const Path& path, Choices& choices) {
  const std::vector<Path*> paths = paths_of(op);
  if (!paths.empty()) *paths[choices.below(count(paths.size()))] = path;
}

// To a place that exists before that step, in one of the many ways to write it.
void change_path(Draft& draft) {
  const std::size_t position = draft.some_step();
  write_at(draft, position, 1, [&](ScenarioBuilder& builder, const VerbWeights&) {
    const Places places(builder, builder.world().find_task(draft.steps[position].step.task.text));
    Choices& choices = draft.choices;
    const gen::Site site = choices.chance(40)   ? places.mount_root()
                           : choices.chance(50) ? places.directory()
                                              : places.anything();
    replace_path(draft.steps[position].step.op, places.spell_path(site), choices);
  });
}

// To one that another step has.
void copy_path(Draft& draft) {
  const std::vector<Path*> paths = paths_of(draft.some_op());
  if (paths.empty()) return;
  const Path path = *paths[draft.choices.below(count(paths.size()))];
  replace_path(draft.some_op(), path, draft.choices);
}

void all_anew(Draft& draft) {
  Draft anew(fresh(draft.choices), draft.choices);
  draft.privilege = anew.privilege;
  draft.steps = std::move(anew.steps);
}

// --- which of them how often

struct Change {
  std::uint32_t weight;
  void (*change)(Draft&);
};
// Changes that add steps come first: they find most. all_anew gives each run some scenarios that
// are generated from nothing, so that it never depends on the corpus alone.
constexpr std::array<Change, 13> changes{{
    {28, insert_steps},
    {14, another_end},
    {12, insert_recipe},
    {10, change_path},
    {8, delete_steps},
    {6, change_options},
    {6, change_verb},
    {5, copy_path},
    {5, move_step},
    {4, duplicate_step},
    {4, change_task},
    {2, change_privilege},
    {5, all_anew},
}};

void change_once(Draft& draft) {
  static constexpr std::uint32_t total =
      std::accumulate(changes.begin(), changes.end(), 0U,
                      [](std::uint32_t sum, const Change& each) { return sum + each.weight; });
  std::uint32_t drawn = draft.choices.below(total);
  for (const Change& each : changes) {
    if (drawn < each.weight) return each.change(draft);
    drawn -= each.weight;
  }
}

// --- whole scenarios

Scenario mutated(const Scenario& scenario, Choices& choices) {
  constexpr std::uint32_t again_percent = 25;
  Draft draft(scenario, choices);
  do {
    repair(draft);  // the changes need a scenario whose tasks are there
    change_once(draft);
  } while (choices.chance(again_percent));
  repair(draft);
  shorten(draft);
  return draft;
}

// `scenario` with some steps of `other` inserted, or in place of its end.
Scenario spliced(const Scenario& scenario, const Scenario& other, Choices& choices) {
  Draft draft(scenario, choices);
  Draft donor(other, choices);
  if (donor.steps.empty()) return mutated(scenario, choices);
  const std::size_t first = donor.some_step();
  const std::size_t most = donor.steps.size() - first;
  const bool to_the_end = choices.chance(40);
  const std::size_t length = to_the_end ? most : 1 + choices.below(count(most));
  const std::size_t position = draft.place();
  if (to_the_end) draft.steps.resize(position);
  draft.steps.insert(draft.at(position), donor.at(first), donor.at(first + length));
  repair(draft);
  shorten(draft);
  return draft;
}

std::optional<Scenario> read(const std::uint8_t* data, std::size_t size) {
  auto scenario = parse({reinterpret_cast<const char*>(data), size});
  if (!scenario || scenario->steps.empty()) return std::nullopt;
  return std::move(*scenario);
}

// Its text; without its last steps if it is longer than `bytes_max`.
std::size_t write(Scenario scenario, std::uint8_t* data, std::size_t bytes_max) {
  std::string text = print(scenario);
  for (; text.size() > bytes_max && !scenario.steps.empty(); text = print(scenario)) {
    scenario.steps.pop_back();
  }
  if (text.size() > bytes_max) text.clear();
  mutator.made_input = true;
  std::memcpy(data, text.data(), text.size());
  return text.size();
}

}  // namespace
}  // namespace pivotcheck::fuzz

using namespace pivotcheck;

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t size_max, unsigned seed) {
  SeededChoices choices(seed);
  const auto scenario = fuzz::read(data, size);
  return fuzz::write(scenario ? fuzz::mutated(*scenario, choices) : fuzz::fresh(choices), data,
                     size_max);
}

// libFuzzer takes turns between the two, and changes inside a scenario find more than splices do:
// so some of these are mutations as well.
extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* data1, std::size_t size1,
                                                 const std::uint8_t* data2, std::size_t size2,
                                                 std::uint8_t* out, std::size_t out_max,
                                                 unsigned seed) {
  constexpr std::uint32_t splice_percent = 40;
  SeededChoices choices(seed);
  const auto one = fuzz::read(data1, size1);
  const auto other = fuzz::read(data2, size2);
  if (!one || !other || !choices.chance(splice_percent)) {
    const std::size_t size = std::min(size1, out_max);
    std::memcpy(out, data1, size);
    return LLVMFuzzerCustomMutator(out, size, out_max, seed);
  }
  return fuzz::write(fuzz::spliced(*one, *other, choices), out, out_max);
}
