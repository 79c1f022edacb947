// SPDX-License-Identifier: Apache-2.0
// law_functions.h: the functions of all laws, and what several of them need. Only for
// core/check/laws.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "check/laws/laws.h"

namespace pivotcheck::laws {

#define LAW(name, ...) void name(const Event& event, Inquiry& inquiry);
#include "check/laws/law_rows.h"
#undef LAW

template <class Wanted>
const Wanted* op_of(const Event& event) {
  return std::get_if<Wanted>(&event.step.op);
}

// The flags of a new mount for which these are asked (mount(2), Additional mount flags).
MountFlags flags_of_new(MountFlags asked);

// "the mount on /a/b", by its place in the filesystem of its parent.
std::string described(const MountState& mount);

// The mount whose root the path leads to; nullptr if that is not known.
const MountState* mount_named(const Event& event, const Path& path);

// The mount and all below it, parents before children.
std::vector<const MountState*> subtree(const State& state, const MountState& mount);

// A slave of a group of which the state shows no member: that may be below a group it does show.
bool hides_groups(const State& state);

// It may be locked: a mount that came to a less privileged namespace covered such a place.
bool may_be_locked(const Event& event, const MountState& mount);

}  // namespace pivotcheck::laws
