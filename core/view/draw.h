// SPDX-License-Identifier: Apache-2.0
// draw.h: the drawing of a canonical snapshot, for people:
//
//     namespace 1: A B
//     /                #1  fs-1:/
//     |-- /new         #2  fs-2:/  shared 1
//     |   `-- /new/old #3  fs-1:/  slave of 1, receives from 2
//     A  root #1 /  cwd #2 /new
#pragma once

#include <string>
#include <vector>

#include "view/snapshot.h"

namespace pivotcheck {

// One element for each line.
std::vector<std::string> draw(const Snapshot& canonical_snapshot);

// Two drawings as one diff: lines of both begin with "  ", those of the first only with "- ", those
// of the second only with "+ ". The two names come first.
std::string draw_difference(const Snapshot& first, std::string_view first_name,
                            const Snapshot& second, std::string_view second_name);

}  // namespace pivotcheck
