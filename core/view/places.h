// SPDX-License-Identifier: Apache-2.0
// places.h: what people call the mounts of a canonical snapshot. A canonical number says where a
// mount stands in the order of one snapshot, so one mount more shifts all that follow; two
// snapshots are therefore told apart by place:
//
//     /new        the lowest mount at /new          ("/new" is the mount point)
//     /new [2]    the one that is mounted over it, /new [3] the one over that
//
// Groups and filesystems are called after the first mount that belongs to them. Internal to view/
// and compare/.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "op/quote.h"
#include "view/snapshot.h"

namespace pivotcheck {

// One place per mount, in the order of the mounts. Two mounts of a namespace never share one.
std::vector<std::string> places(std::span<const MountView> mounts);

// What the numbers of a canonical snapshot are called. Two snapshots mean the same mount, group or
// filesystem exactly when these names are equal.
struct Names {
  std::map<MountId, std::string> mounts;             // "namespace 1: /new [2]"
  std::map<std::uint64_t, std::string> groups;       // the name of the first member, or "memberless
                                                     // group 1", in the order of use
  std::map<std::uint64_t, std::string> filesystems;  // the name of the first mount that shows it
};
Names names(const Snapshot& snapshot);

// `second` with the numbers of `first` wherever both have the same name for a thing, and with
// numbers that `first` has not for the rest. No longer canonical, but equal numbers mean equal
// things then.
Snapshot numbered_like(const Snapshot& first, Snapshot second);

// "shared 1, slave of 2, receives from 3", "unbindable"; "" for private.
std::string propagation_words(const MountView& mount);

}  // namespace pivotcheck
