// SPDX-License-Identifier: Apache-2.0
// compare.h: two snapshots in, a list of differences out. Each is one line for a person, says which
// thing differs and what both sides have: "namespace 1: mount /new: kernel shared 1, model
// private". Nothing is left out of the comparison here; what is never in a Snapshot is listed in
// view/snapshot.h.
#pragma once

#include <string>
#include <vector>

#include "view/snapshot.h"

namespace pivotcheck {

// Both must be canonical. Empty exactly when they are equal.
std::vector<std::string> differences(const Snapshot& kernel, const Snapshot& model);

}  // namespace pivotcheck
