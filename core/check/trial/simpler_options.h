// SPDX-License-Identifier: Apache-2.0
// simpler_options.h: the options of an operation (flags, "recursive", the type of a filesystem),
// and the same operation with fewer of them.
#pragma once

#include <cstddef>
#include <vector>

#include "op/op.h"

namespace pivotcheck {

// How many words of options it has: "mount ramfs /a ro,nosuid" has three.
std::size_t options_in(const Op& op);

// The same operation with fewer options, the simplest first; empty if it has none to spare.
std::vector<Op> with_fewer_options(const Op& op);

}  // namespace pivotcheck
