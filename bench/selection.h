// SPDX-License-Identifier: Apache-2.0
// selection.h: which settings are measured: the axes, one at a time.
#pragma once

#include <vector>

#include "setting.h"

namespace pivotcheck::bench {

// `everything`: more points on each axis, and the axes of each strategy with each other carrier.
std::vector<Setting> selection(bool everything);

}  // namespace pivotcheck::bench
