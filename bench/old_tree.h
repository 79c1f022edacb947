// SPDX-License-Identifier: Apache-2.0
// old_tree.h: the world that a switch of root starts in: a mount namespace with just so many
// mounts, of the propagation that is asked for, and a directory to be the new root.
//
//     /          a tmpfs that nobody else sees
//     |-- new    a directory: bin/true, proc/
//     |-- proc   a bind of the machine's, where there is room for it (from three mounts on)
//     '-- m/N    binds of a directory, until there are enough
//
// The process that builds it is in it then; the tree goes when the process does.
#pragma once

#include <string>
#include <vector>

#include "base/failure.h"
#include "base/unique_fd.h"
#include "setting.h"
#include "switch/strategy/step.h"

namespace pivotcheck::bench {

inline constexpr const char* new_root = "/new";
inline constexpr const char* program = "/bin/true";  // in the new root, where a carrier execs

struct OldTree {
  UniqueFd here;                // its mount namespace
  std::vector<UniqueFd> peers;  // the namespaces with peers of its mounts
  UniqueFd proc;                // the machine's /proc, which is not in the tree
};

// `static_true`: a file with a static program that ends at once; "" where nobody wants it.
Expected<OldTree> build_old_tree(const Setting& setting, const std::string& static_true);

// What a strategy is asked for in it.
strategy::Plan plan_for(const Setting& setting, unsigned worker);

}  // namespace pivotcheck::bench
