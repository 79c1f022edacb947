// SPDX-License-Identifier: Apache-2.0
// picture.h: the drawing of a canonical snapshot (draw.h) for other programs: a graph for Graphviz,
// or a picture.
//
//     +------ namespace 1 ------+
//     |  (A) - - root - - > [/]  |    a box for each mount, below its parent; an ellipse for each
//     |                      |   |    task, with its root and its current directory
//     |                   [/new] |
//     +--------------------------+
#pragma once

#include <string>

#include "view/snapshot.h"

namespace pivotcheck {

std::string draw_dot(const Snapshot& canonical_snapshot);
// The lines of draw(), with boxes and connections instead of its marks.
std::string draw_svg(const Snapshot& canonical_snapshot);

}  // namespace pivotcheck
