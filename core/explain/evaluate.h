// SPDX-License-Identifier: Apache-2.0
// judge.h: asks the model about one possible World: which rule refuses pivot_root there, if any.
#pragma once

#include <vector>

#include "explain/explain.h"

namespace pivotcheck::explain {

// Leaves the world as pivot_root would.
Possibility evaluate(Hypothesis& hypothesis);

// All of them, the friendliest one first.
std::vector<Assumption> assumptions(const ProcessView& process);

// The rule of a lookup that the kernel refused before the model was asked; none if it did not.
Rule rule_of_lookup(const Place& place);

// Where the two arguments lead in that world; nullopt if they lead nowhere. The second: where the
// old root would be mounted, which is on top of what is mounted there.
std::optional<model::Location> new_root_in(Hypothesis& hypothesis);
std::optional<model::Location> put_old_in(Hypothesis& hypothesis);

// The task that calls; for whoever mends its world.
inline model::Task& task_of(Hypothesis& hypothesis) { return hypothesis.world.tasks.front(); }
bool perform(Hypothesis& hypothesis,
             Op op);  // by that task; false if the model says that it is refused

}  // namespace pivotcheck::explain
