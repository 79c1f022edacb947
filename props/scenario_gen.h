// SPDX-License-Identifier: Apache-2.0
// scenario_gen.h: the scenarios of the properties: from the generators of core/check/gen, with the
// choices of RapidCheck.
//
//     rc::Random --> Choices --> ScenarioGenerator --> Scenario --> smaller ones (scenario/edit.h)
//
// Shrinking removes steps, not choices: without one step the others stay as they are; without one
// choice all later choices are different.
#pragma once

#include <rapidcheck.h>

#include <iosfwd>
#include <vector>

#include "op/privilege.h"
#include "model/traits.h"
#include "scenario/scenario.h"

namespace pivotcheck::props {

struct ScenarioOptions {
  std::vector<Privilege> privileges{Privilege::userns, Privilege::root};
  KernelTraits traits = {};
  bool weird_text = false;  // headers, stated outcomes, and paths of any bytes: for the format
};

rc::Gen<Scenario> scenarios(ScenarioOptions options);

}  // namespace pivotcheck::props

namespace pivotcheck {
// How RapidCheck shows one.
void showValue(const Scenario& scenario, std::ostream& out);
}  // namespace pivotcheck
