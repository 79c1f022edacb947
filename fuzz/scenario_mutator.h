// SPDX-License-Identifier: Apache-2.0
// scenario_mutator.h: from one scenario to another one close to it. A fuzzer that changes bytes
// of a scenario gets text that does not parse; this one changes steps, with an eye on the
// world:
//
//     mkdir /a                  mkdir /a
//     mount tmpfs /a     -->    mount tmpfs /a
//     pivot_root /a /a          spawn B            <- drawn by gen/, in the world as the model
//                               B: chdir /a           has it here, so that it mostly succeeds
//                               pivot_root /a /a
//
// What comes out always parses: tasks are renamed A, B, C, D in the order of their making, and
// steps of tasks that are not there go to one that is. Headers, but the privilege, and what is
// stated are left out. The same choices give the same scenario.
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
// Some steps of `other` within, or in place of the end of, `scenario`.
Scenario spliced(const Scenario& scenario, const Scenario& other, Choices& choices);

// Its text, without its last steps if it would be longer than that.
std::string print_within(Scenario scenario, std::size_t bytes_max);

}  // namespace pivotcheck::fuzz
