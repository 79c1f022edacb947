// SPDX-License-Identifier: Apache-2.0
// recipes.h: short idioms of several steps that random steps alone would hardly ever come upon:
// a tree with a slave of a slave, a pivot on top of itself, a world whose one precondition is
// broken. Each is a few lines in the language of scenarios, with variables for places:
//
//     mkdir $x; mount tmpfs $x; mkdir $x/o
//     ~ make-private $x
//     ? spawn B; B: chdir $x
//     | pivot_root $x $x/o
//     | pivot_root $x/o $x/o => EINVAL new-root-not-mount-point
//
//   $x $y $z     directories: usually new names in a directory that is there, else ones that exist
//   $f           a file, likewise; $l a symbolic link
//   $name255 …   long things, see expand() in recipes.cc
//   A            whoever performs the recipe; B a new task, if the recipe has `spawn B`
//   ;            separates the steps of a line; a line that begins so goes on with the one above
//   ? line       performed or left out, all of it
//   ~ step       its options are drawn anew half the time
//   | line       one of all lines that begin so is performed
//   => OUTCOME   what the step answers in a fresh world when the recipe is performed as it stands,
//                without what is optional; `ok` where nothing is stated. A test tries them all.
//
// When a scenario uses a recipe, steps get lost, and others come in between. So the statements
// are not part of the scenario.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "check/gen/random_step.h"
#include "check/gen/scenario_builder.h"
#include "scenario/scenario.h"

namespace pivotcheck::gen {

struct Recipe {
  struct Line {
    ScenarioStep step;
    bool mutate_options = false;
    int option = 0;  // 0: always performed; lines with the same number are left out together
  };
  std::string name;
  std::uint32_t weight = 1;
  bool opening = false;       // sets a stage; for the beginning of a scenario
  bool needs_links = false;
  bool needs_expire = false;
  std::size_t spawns = 0;
  std::vector<Line> lines;    // one alternative of the text; each alternative is a recipe
};

// All of them, parsed once.
std::span<const Recipe> recipes();

[[nodiscard]] bool fits(const Recipe& recipe, const ScenarioBuilder& story);
void perform(ScenarioBuilder& story, model::TaskIndex who, const Recipe& recipe, const VerbWeights& weights);

}  // namespace pivotcheck::gen
