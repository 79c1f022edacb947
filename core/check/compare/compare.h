// SPDX-License-Identifier: Apache-2.0
// compare.h: two snapshots in, a list of differences out: a line for each thing that differs, with
// what both sides have: "namespace 1: mount /new: kernel shared 1, model private". All of a
// Snapshot is compared; view/snapshot.h lists what is not in it.
#pragma once

#include <string>
#include <vector>

#include "view/snapshot.h"

namespace pivotcheck {

// Both must be canonical. Empty exactly when they are equal.
std::vector<std::string> differences(const Snapshot& kernel, const Snapshot& model);

}  // namespace pivotcheck
