// SPDX-License-Identifier: Apache-2.0
// scenario_mutator.h: from one scenario to a similar one. Changed bytes of a scenario are mostly no
// scenario any more, so steps are changed:
//
//     mkdir /a                  mkdir /a
//     mount tmpfs /a     -->    mount tmpfs /a
//     pivot_root /a /a          spawn B            <- drawn by core/check/gen in the world as the
//                               B: chdir /a           model has it here, so that it mostly succeeds
//                               pivot_root /a /a
//
// The result always parses: edit::repair_tasks (scenario/edit.h) gives the tasks the names A, B, C,
// D. It has the privilege, and neither other headers nor stated outcomes. The same choices give the
// same scenario.
#pragma once

#include <cstddef>
#include <string>

#include "check/gen/choices.h"
#include "scenario/scenario.h"

namespace pivotcheck::fuzz {

// Whether the following three insert recipes (check/gen/recipes.h). For the whole process, because
// libFuzzer calls the mutator without an argument of ours. True unless this is called.
void use_recipes(bool yes);

Scenario fresh(Choices& choices);
Scenario mutated(const Scenario& scenario, Choices& choices);
// `scenario` with some steps of `other` inserted, or in place of its end.
Scenario spliced(const Scenario& scenario, const Scenario& other, Choices& choices);

// Its text; without its last steps if it is longer than `bytes_max`.
std::string print_within(Scenario scenario, std::size_t bytes_max);

}  // namespace pivotcheck::fuzz
