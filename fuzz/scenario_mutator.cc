// SPDX-License-Identifier: Apache-2.0
// scenario_mutator.cc: see scenario_mutator.h. First what a change needs, then one function for
// each kind of change, then the table of them.
#include "scenario_mutator.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <span>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "check/gen/random_step.h"
#include "check/gen/places.h"
#include "check/gen/recipes.h"
#include "check/gen/scenario_generator.h"
#include "check/gen/scenario_builder.h"
#include "scenario_input.h"

namespace pivotcheck::fuzz {
namespace {

using gen::Features;
using gen::Places;
using gen::Recipe;
using gen::ScenarioBuilder;
using gen::VerbWeights;
using model::TaskIndex;
using model::World;

bool recipes_used = true;

constexpr std::uint32_t expire_percent = 14;  // as ScenarioGenerator has it
// What comes out is about as long as what ScenarioGenerator makes. Without a limit scenarios grow
// to twice that, take twice the time, and find less in it.
constexpr std::uint32_t steps_kept_min = 10;
constexpr std::uint32_t steps_kept_max = 22;

std::uint32_t count(std::size_t n) { return static_cast<std::uint32_t>(n); }

struct Draft {
  Privilege privilege = Privilege::userns;
  std::vector<Step> steps;
  Choices& choices;

  // 0 to n: in front of a step, or behind the last. The simplest choice is the end, which breaks
  // nothing that is there.
  [[nodiscard]] std::size_t place() const {
    return steps.size() - choices.below(count(steps.size()) + 1);
  }
  [[nodiscard]] std::size_t some_step() const { return choices.below(count(steps.size())); }
  [[nodiscard]] auto at(std::size_t i) { return steps.begin() + static_cast<std::ptrdiff_t>(i); }
};

Draft draft_of(const Scenario& scenario, Choices& choices) {
  Draft draft{.privilege = scenario.effective_privilege(), .steps = {}, .choices = choices};
  for (const ScenarioStep& each : scenario.steps) draft.steps.push_back(each.step);
  return draft;
}

Scenario scenario_of(Draft draft) {
  Scenario scenario;
  scenario.privilege = draft.privilege;
  for (Step& step : draft.steps) scenario.steps.push_back({.step = std::move(step), .stated = {}});
  return scenario;
}

bool is_link(const Step& step) { return std::holds_alternative<Symlink>(step.op); }
bool is_mark(const Step& step) {
  const auto* umount = std::get_if<Umount>(&step.op);
  return umount != nullptr && umount->flags.has(UmountFlag::expire);
}

Features features_of(const Draft& draft) {
  Features features;
  features.expire = std::ranges::any_of(draft.steps, is_mark);
  if (!features.expire && std::ranges::none_of(draft.steps, is_link)) {
    features.expire = draft.choices.chance(expire_percent);
  }
  features.links = !features.expire;
  return features;
}

// Gives every task a name of task_names, in the order of their making, whatever a step was cut out
// of. A step of a task that is not there is done by one that is.
class Naming {
 public:
  explicit Naming(Choices& choices) : choices_(choices) {}

  // False for a step that has to go.
  bool fit(Step& step) {
    step.task.text = alive(step.task.text);
    if (auto* setns = std::get_if<Setns>(&step.op)) setns->task.text = alive(setns->task.text);
    if (std::holds_alternative<Exit>(step.op)) {
      if (alive_.size() < 2) return false;  // the generators need somebody to go on with
      std::erase(alive_, step.task.text);
    }
    if (auto* spawn = std::get_if<Spawn>(&step.op)) {
      if (made_ >= std::size(gen::task_names)) return false;
      const std::string name(gen::task_names[made_++]);
      meant_[spawn->task.text] = name;
      spawn->task.text = name;
      alive_.push_back(name);
    }
    return true;
  }

 private:
  std::string alive(const std::string& name) {
    const auto meant = meant_.find(name);
    const std::string& task = meant == meant_.end() ? name : meant->second;
    if (std::ranges::find(alive_, task) != alive_.end()) return task;
    return alive_[choices_.below(count(alive_.size()))];
  }

  Choices& choices_;
  std::vector<std::string> alive_{std::string(gen::task_names[0])};
  std::size_t made_ = 1;
  std::map<std::string, std::string> meant_;  // a name as it is written -> as it is now
};

void repair(Draft& draft) {
  if (std::ranges::any_of(draft.steps, is_link) && std::ranges::any_of(draft.steps, is_mark)) {
    if (draft.choices.chance(50)) std::erase_if(draft.steps, is_mark);
    else std::erase_if(draft.steps, is_link);
  }
  Naming naming(draft.choices);
  std::erase_if(draft.steps, [&](Step& step) { return !naming.fit(step); });
  if (draft.steps.size() > steps_max) draft.steps.resize(steps_max);
  if (draft.steps.empty()) draft.steps.push_back({TaskName{"A"}, Mkdir{"/a"}});
}

// Behind repair(), which needs no step that is cut off here.
void shorten(Draft& draft) {
  const std::size_t kept =
      steps_kept_min + draft.choices.below(steps_kept_max - steps_kept_min + 1);
  if (draft.steps.size() > kept) draft.steps.resize(kept);
}

// Lets `write` go on with the story in front of step `position`, for at most `more` steps.
void write_at(Draft& draft, std::size_t position, std::size_t more, auto write) {
  World world(draft.privilege, KernelTraits{});
  std::vector<Step> steps(draft.steps.begin(), draft.at(position));
  std::vector<Verdict> verdicts;
  for (const Step& step : steps) {
    verdicts.push_back(apply(world, step));
    if (verdicts.back().stop != Verdict::Stop::no) return;
  }
  const Features features = features_of(draft);
  ScenarioBuilder story(draft.choices, world, steps, verdicts, position + more, features);
  write(story, VerbWeights(draft.choices.below(UINT32_MAX), features));
  steps.insert(steps.end(), draft.at(position), draft.steps.end());
  draft.steps = std::move(steps);
}

void free_steps(Draft& draft, std::size_t position, std::size_t how_many) {
  write_at(draft, position, how_many, [&](ScenarioBuilder& story, const VerbWeights& weights) {
    TaskIndex actor = story.some_task();
    for (std::size_t i = 0; i < how_many && !story.ended(); ++i) {
      if (!story.world()[actor].alive || draft.choices.chance(40)) actor = story.some_task();
      random_step(story, actor, weights);
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
  if (!recipes_used) return insert_steps(draft);
  const Recipe& recipe = gen::recipes()[draft.choices.below(count(gen::recipes().size()))];
  write_at(draft, draft.place(), recipe_steps_max,
           [&](ScenarioBuilder& story, const VerbWeights& weights) {
             if (fits(recipe, story)) perform(story, story.some_task(), recipe, weights);
           });
}

void delete_steps(Draft& draft) {
  const std::size_t first = draft.some_step();
  const std::size_t last = std::min(first + 1 + draft.choices.below(3), draft.steps.size());
  draft.steps.erase(draft.at(first), draft.at(last));
}

void duplicate_step(Draft& draft) {
  const Step step = draft.steps[draft.some_step()];
  draft.steps.insert(draft.at(draft.place()), step);
}

void move_step(Draft& draft) {
  const std::size_t from = draft.some_step();
  const Step step = draft.steps[from];
  draft.steps.erase(draft.at(from));
  draft.steps.insert(draft.at(draft.place()), step);
}

void change_verb(Draft& draft) {
  const std::size_t position = draft.some_step();
  draft.steps.erase(draft.at(position));
  free_steps(draft, position, 1);
}

void change_options(Draft& draft) {
  Step& step = draft.steps[draft.some_step()];
  gen::mutate_options(step.op, draft.choices);
}

void change_task(Draft& draft) {
  draft.steps[draft.some_step()].task.text =
      gen::task_names[draft.choices.below(std::size(gen::task_names))];
}

void change_privilege(Draft& draft) {
  const bool root = draft.privilege == Privilege::userns && ::geteuid() == 0;
  draft.privilege = root ? Privilege::root : Privilege::userns;
}

void for_each_path(Op& op, auto visit) {
  std::visit(
      [&](auto& o) {
        o.fields(o, [&](auto& field) {
          if constexpr (std::is_same_v<std::decay_t<decltype(field)>, Path>) visit(field);
        });
      },
      op);
}

// Puts it in place of one of the step's paths, if it has any.
void replace_path(Op& op, const Path& path, Choices& choices) {
  std::uint32_t paths = 0;
  for_each_path(op, [&](Path&) { ++paths; });
  std::uint32_t which = paths == 0 ? 0 : choices.below(paths);
  for_each_path(op, [&](Path& field) {
    if (which-- == 0) field = path;
  });
}

// To a place that is there in front of that step, in one of the many ways to write it.
void change_path(Draft& draft) {
  const std::size_t position = draft.some_step();
  write_at(draft, position, 1, [&](ScenarioBuilder& story, const VerbWeights&) {
    const Places places(story, story.world().find_task(draft.steps[position].task.text));
    Choices& choices = draft.choices;
    const gen::Site spot = choices.chance(40)   ? places.mount_root()
                           : choices.chance(50) ? places.directory()
                                              : places.anything();
    replace_path(draft.steps[position].op, places.spell_path(spot), choices);
  });
}

// To one that another step has.
void copy_path(Draft& draft) {
  std::vector<Path> paths;
  for_each_path(draft.steps[draft.some_step()].op, [&](Path& path) { paths.push_back(path); });
  if (paths.empty()) return;
  const Path& path = paths[draft.choices.below(count(paths.size()))];
  replace_path(draft.steps[draft.some_step()].op, path, draft.choices);
}

void all_anew(Draft& draft) {
  Draft anew = draft_of(fresh(draft.choices), draft.choices);
  draft.privilege = anew.privilege;
  draft.steps = std::move(anew.steps);
}

// --- which of them how often

struct Change {
  std::uint32_t weight;
  void (*change)(Draft&);
};
// What adds to a scenario first: it is what finds new things. all_anew makes a part of every
// run the seeded generator's, so that a corpus never is all there is to try.
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
  static constexpr std::uint32_t total = [] {
    std::uint32_t sum = 0;
    for (const Change& each : changes) sum += each.weight;
    return sum;
  }();
  std::uint32_t drawn = draft.choices.below(total);
  for (const Change& each : changes) {
    if (drawn < each.weight) return each.change(draft);
    drawn -= each.weight;
  }
}

}  // namespace

void use_recipes(bool yes) { recipes_used = yes; }

Scenario fresh(Choices& choices) {
  const bool root = ::geteuid() == 0 && choices.chance(50);
  const ScenarioGenerator generator(
      {.privilege = root ? Privilege::root : Privilege::userns, .traits = {}, .recipes = recipes_used});
  Draft draft = draft_of(generator.generate(choices).scenario(), choices);
  repair(draft);  // it may be empty
  return scenario_of(std::move(draft));
}

Scenario mutated(const Scenario& scenario, Choices& choices) {
  constexpr std::uint32_t again_percent = 25;
  Draft draft = draft_of(scenario, choices);
  do {
    repair(draft);  // the changes need a scenario whose tasks are there
    change_once(draft);
  } while (choices.chance(again_percent));
  repair(draft);
  shorten(draft);
  return scenario_of(std::move(draft));
}

Scenario spliced(const Scenario& scenario, const Scenario& other, Choices& choices) {
  Draft draft = draft_of(scenario, choices);
  Draft donor = draft_of(other, choices);
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
  return scenario_of(std::move(draft));
}

std::string print_within(Scenario scenario, std::size_t bytes_max) {
  std::string text = print(scenario);
  while (text.size() > bytes_max && !scenario.steps.empty()) {
    scenario.steps.pop_back();
    text = print(scenario);
  }
  return text.size() > bytes_max ? std::string() : text;
}

}  // namespace pivotcheck::fuzz
