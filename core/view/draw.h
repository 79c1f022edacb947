// SPDX-License-Identifier: Apache-2.0
// draw.h: the drawing of a canonical snapshot, for people:
//
//     namespace 1: A B
//     /            #1 tmpfs-1:/              locked? no: what can't be read is not drawn
//     |-- /new     #2 tmpfs-2:/  shared 1
//     |   `-- /new/old #3 ...    slave of 1, receives from 2
//     A  root #1 /   cwd #2 /new
#pragma once

#include <string>
#include <vector>

#include "view/snapshot.h"

namespace pivotcheck {

// The drawing, one element per line, no line longer than what the paths in it make necessary.
std::vector<std::string> draw(const Snapshot& canonical_snapshot);

// Two drawings as one diff: lines that are on both sides begin with "  ", those only on the first
// with "- ", those only on the second with "+ ". Headed by the two names.
std::string draw_difference(const Snapshot& first, std::string_view first_name,
                            const Snapshot& second, std::string_view second_name);

}  // namespace pivotcheck
