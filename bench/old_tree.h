// SPDX-License-Identifier: Apache-2.0
// old_tree.h: what is measured: a strategy in a world. The world that it starts in is a mount
// namespace with so many mounts, of one propagation, and a directory to be the new root.
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
#include "switch/strategy/step.h"

namespace pivotcheck::bench {

// What performs the steps: a thread, which goes back with setns and so destroys the namespace that
// it leaves; or a forked child, which exits afterwards.
enum class ExecMode : unsigned char { thread, exits };
enum class Tree : unsigned char { private_, slave, shared };
enum class UserNamespace : unsigned char { none, unmapped, mapped };
// How a step is performed: by the library, or by raw system calls prepared before (raw_syscalls.h).
enum class Impl : unsigned char { library, raw_syscalls };

struct Setting {
  Strategy strategy = Strategy::dot_dot;
  bool own_mounts = false;  // chroot in a mount namespace of its own, which it can do without
  Impl impl = Impl::library;
  ExecMode mode = ExecMode::thread;
  unsigned mounts = 30;  // in the old tree
  Tree tree = Tree::private_;
  unsigned peers = 0;  // other namespaces with a peer of each mount; Tree::shared only
  UserNamespace user = UserNamespace::none;
};

struct OldTree {
  UniqueFd here;                // its mount namespace
  std::vector<UniqueFd> peers;  // the namespaces with peers of its mounts
  UniqueFd proc;                // the machine's /proc, which is not in the tree
};

Expected<OldTree> build_old_tree(const Setting& setting);

// What a strategy is asked for in it.
strategy::Plan plan_for(const Setting& setting);

}  // namespace pivotcheck::bench
