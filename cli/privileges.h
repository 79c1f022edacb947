// SPDX-License-Identifier: Apache-2.0
// privileges.h: with which privileges worlds can be made on this machine.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "check/trial/trial.h"
#include "op/privilege.h"

namespace pivotcheck::cli {

// Those of `wanted` with which a world can be made; complains about the others. `wanted` is userns,
// root or both. Where it is "", it becomes what an option that is not given means: both for root,
// or if worlds are only made on the model; else userns, with a remark that only those are `done`
// ("explored").
std::vector<Privilege> find_privileges(const TrialSettings& settings, std::string& wanted,
                                       std::string_view done);

}  // namespace pivotcheck::cli
