// SPDX-License-Identifier: Apache-2.0
// evaluate.h: asks the model about one Hypothesis: which rule refuses pivot_root there, if any.
#pragma once

#include <optional>

#include "explain/explain.h"
#include "explain/hypothesis.h"

namespace pivotcheck::explain {

// Calls pivot_root in the world, which changes it.
Possibility evaluate(Hypothesis& hypothesis);

// The rule by which the kernel refused a lookup before the model was asked; `none` if it did not.
Rule rule_of_lookup(const ResolvedPath& path);

// Where the two arguments lead in that world; nullopt if they lead nowhere. put_old: the place of
// the old root, which is on top of what is mounted there.
std::optional<model::Location> new_root_in(Hypothesis& hypothesis);
std::optional<model::Location> put_old_in(Hypothesis& hypothesis);

// Applies an operation of the calling task; false if the model refuses it.
bool perform(Hypothesis& hypothesis, Op op);

}  // namespace pivotcheck::explain
