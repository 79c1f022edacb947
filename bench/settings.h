// SPDX-License-Identifier: Apache-2.0
// settings.h: what is measured, and what one cycle of it gives.
//
// A setting is a strategy and the world that it works in. One cycle of it:
//
//     the old tree -- fork -- namespaces -- propagation -- bind -- pivot -- detach -- teardown
//     (not timed)     |<-------------------- setup ----------------------->|        |
//                     |<----------------------------- cycle ----------------------->|
//
// Cycles are timed in turn phase by phase and as a whole, so that reading the clocks in between adds
// nothing to `setup` and `cycle`.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "switch/strategy/catalogue.h"

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

struct Cost {
  double wall_us = 0;
  double cpu_us = 0;  // of the thread, or of the child
};
// Of one cycle, by part: as in the drawing, or `prepare`, what template makes once for many switches.
using Sample = std::map<std::string, Cost, std::less<>>;

}  // namespace pivotcheck::bench
