// SPDX-License-Identifier: Apache-2.0
// mount_names.h: names for the mounts of a canonical snapshot. Their numbers depend on their order,
// so one mount more changes all later ones; two snapshots are therefore compared by name:
//
//     /new        the lowest mount at /new          ("/new" is the mount point)
//     /new [2]    the one that is mounted over it, /new [3] the one over that
//
// Groups and filesystems have the name of their first mount. Internal to view/ and compare/.
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

// One name for each mount, in the order of the mounts. No two mounts of a namespace have the same.
std::vector<std::string> mount_names(std::span<const MountView> mounts);

// The names of all numbers in a canonical snapshot. A mount, group or filesystem is the same in two
// snapshots exactly if its name is.
struct Names {
  std::map<MountId, std::string> mounts;             // "namespace 1: /new [2]"
  std::map<std::uint64_t, std::string> groups;       // the name of the first member, or "memberless
                                                     // group 1", in the order of use
  std::map<std::uint64_t, std::string> filesystems;  // the name of the first mount that shows it
};
Names names(const Snapshot& snapshot);

// `second` with the numbers of `first` for all that has the same name in both, and with new numbers
// for the rest. The result is not canonical, but equal numbers mean the same thing.
Snapshot numbered_like(const Snapshot& first, Snapshot second);

// "shared 1, slave of 2, receives from 3", "unbindable"; "" for private.
std::string propagation_words(const MountView& mount);

}  // namespace pivotcheck
