// SPDX-License-Identifier: Apache-2.0
// scenario_gen.h: where the properties get scenarios from: core/gen, with the choices of RapidCheck.
//
//     rc::Random --> Choices --> ScenarioGenerator --> Scenario --> the same with fewer steps
//
// What shrinks are the steps, not the choices: to leave out one step leaves the others as they are,
// while one choice less changes all that were made after it.
#pragma once

#include <rapidcheck.h>

#include <iosfwd>
#include <vector>

#include "op/privilege.h"
#include "model/traits.h"
#include "scenario/scenario.h"

namespace pivotcheck::props {

struct StoryOptions {
  std::vector<Privilege> privileges{Privilege::userns, Privilege::root};
  KernelTraits traits = {};
  bool weird_text = false;  // headers, stated outcomes and paths with any bytes: for the text format
};

rc::Gen<Scenario> stories(StoryOptions options);

// A task is used only while it is there, and no name is made twice (scenario.h).
bool tasks_are_there(const std::vector<ScenarioStep>& steps);

}  // namespace pivotcheck::props

namespace pivotcheck {
// How RapidCheck shows one.
void showValue(const Scenario& scenario, std::ostream& out);
}  // namespace pivotcheck
