// SPDX-License-Identifier: Apache-2.0
// old_tree.h: the world that a switch of root starts in: a mount namespace with as many mounts as
// the setting says, of the propagation that it says, and a directory to be the new root.
//
//     /          a tmpfs that no other namespace has
//     |-- new    the new root, a directory: bin/, proc/
//     |-- proc   a bind of the machine's, where three mounts or more are asked for
//     '-- m/N    binds of one directory, until there are enough
//
// The calling process is in it afterwards; the tree goes when the process ends.
#pragma once

#include <vector>

#include "base/failure.h"
#include "base/unique_fd.h"
#include "settings.h"
#include "switch/strategy/step.h"

namespace pivotcheck::bench {

struct OldTree {
  UniqueFd here;                // its mount namespace
  std::vector<UniqueFd> peers;  // the namespaces with peers of its mounts
  UniqueFd proc;                // the machine's /proc, which is not in the tree
};

Expected<OldTree> build_old_tree(const Setting& setting);

// What a strategy is asked for in it.
strategy::Plan plan_for(const Setting& setting);

}  // namespace pivotcheck::bench
