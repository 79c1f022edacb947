// SPDX-License-Identifier: Apache-2.0
// symmetry.h: names that can be exchanged, so that what differs in them alone counts once.
//
//     two-peers      / /a /b /a/x /b/x       a and b exchanged: the same places
//     operation      bind /a /b/x            becomes bind /b /a/x
//     two tasks      B: umount /a            becomes A: umount /a, also with b for a
//
// Neither kernel nor model care what a name is, only which names are equal; and no operation of a
// space makes one. So a state, and the same state renamed, go on alike, operation by renamed
// operation: one of the two is enough (canonical_state.h). Where a state renamed is the state
// itself, of an operation and the renamed one, one is enough (expander.h).
//
// The state from which a space starts need not be the same after a renaming.
//
// Left out, which costs time and loses nothing: names of different lengths (lengths have limits),
// and all names where the set-up makes a symbolic link, because its target has names, too.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "scenario/scenario.h"

namespace pivotcheck::exhaust {

using Names = std::map<std::string, std::string>;  // what each name becomes

struct Renaming {
  Names names;                       // others stay
  std::vector<std::uint32_t> tasks;  // at the number that a task gets: the one that it has
};

// All that make places of all places, each of one; the one that changes nothing as well.
std::vector<Names> exchangeable_names(const Scenario& set_up, const std::vector<Path>& places);

// A name is what stands between slashes.
std::string renamed(const std::string& path, const Names& names);

}  // namespace pivotcheck::exhaust
