// SPDX-License-Identifier: Apache-2.0
// recipes.h: short sequences of steps that random steps hardly ever make: a tree with a slave of a
// slave, a pivot on top of itself, a world in which one precondition of a call does not hold. Each
// is a few lines of recipes.txt, written as a scenario with variables for places:
//
//     mkdir $x; mount tmpfs $x; mkdir $x/o
//     ~ make-private $x
//     ? spawn B; B: chdir $x
//     | pivot_root $x $x/o
//     | pivot_root $x/o $x/o => EINVAL new-root-not-mount-point
//
//   $x $y $z     directories: mostly new names in a directory that exists, else existing ones
//   $f           a file, likewise; $l a symbolic link
//   $name255 …   long names and paths, see value() in recipes.cc
//   A            the task that performs the recipe; B a new task, if the recipe has `spawn B`
//   ;            separates the steps of a line; a line that begins with it continues the one above
//   ? line       all of it is performed, or nothing
//   ~ step       its options are drawn anew half the time
//   | line       one of all lines that begin with | is performed
//   {a|b}        in such a line: it stands for two, one with a and one with b
//   => OUTCOME   what the step answers in a fresh world if all lines except the optional ones are
//                performed as they are; `ok` where nothing is stated. A test tries them all.
//
// A scenario that uses a recipe may leave steps out and insert others, so the stated outcomes are
// not part of it.
#pragma once

#include <span>
#include <string>
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
  std::uint32_t weight = 0;
  bool opening = false;       // for the beginning of a scenario
  bool needs_expire = false;
  std::size_t spawns = 0;
  std::vector<Line> lines;    // one alternative of the text; each alternative is a recipe
};

// All of them, parsed once.
std::span<const Recipe> recipes();

[[nodiscard]] bool fits(const Recipe& recipe, const ScenarioBuilder& builder);
void perform(ScenarioBuilder& builder, model::TaskIndex performer, const Recipe& recipe,
             const VerbWeights& weights);

}  // namespace pivotcheck::gen
