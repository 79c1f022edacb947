// SPDX-License-Identifier: Apache-2.0
// setting.h: what is measured, and what one cycle of it gives.
//
// A setting is a strategy and the world it has to work in. One cycle of it:
//
//     the old tree -- carrier -- namespaces -- propagation -- bind -- pivot -- detach -- teardown
//     (not timed)     |<-------------------- setup -------------------------->|        |
//                     |<------------------------------ cycle ------------------------->|
//
// Odd cycles are timed phase by phase; even ones only as a whole, so that reading the clocks in
// between adds nothing to `setup` and `cycle`.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "switch/strategy/catalogue.h"

namespace pivotcheck::bench {

// Who goes through the steps. A thread goes back to where it was (setns), which destroys the
// namespace that it leaves; for a child, its end does.
enum class Carrier : unsigned char { thread, exits, execs };
enum class Tree : unsigned char { private_, slave, shared };
enum class UserNamespace : unsigned char { none, unmapped, mapped };
// What goes through the steps: the library's performer, or its bare system calls, prepared before.
enum class Source : unsigned char { library, bare };

struct Setting {
  Strategy strategy = Strategy::dot_dot;
  bool own_mounts = false;  // of chroot, which can do without a namespace
  Source source = Source::library;
  Carrier carrier = Carrier::thread;
  unsigned mounts = 30;  // in the old tree
  Tree tree = Tree::private_;
  unsigned peers = 0;  // other namespaces with a peer of each of its mounts
  unsigned crowd = 0;  // idle threads on the machine, besides those that are there anyway
  UserNamespace user = UserNamespace::none;
  unsigned parallel = 0;   // 0: one alone, phase by phase; else how many at once
  bool processes = false;  // those are processes, not threads
  bool operator==(const Setting&) const = default;
};

// "switch/dot-dot/carrier:thread/mounts:30/tree:private/crowd:0/user:none"
std::string name(const Setting& setting);

enum class Part : unsigned char {
  prepare,  // template only: made once for many switches
  carrier,  // fork until the child runs
  namespaces,
  propagation,
  bind,
  pivot,
  detach,
  teardown,
  setup,
  cycle,
};
inline constexpr std::size_t parts = 10;
std::string_view name(Part part);
// Why this part of this setting has no figure; "" where it should have one.
std::string_view why_not(const Setting& setting, Part part);

struct Cost {
  double wall_us = 0;
  double cpu_us = 0;      // of the thread, or of the child
  double voluntary = 0;   // context switches
  double involuntary = 0;
  bool measured = false;
  Cost& operator+=(const Cost& other);
};
using Sample = std::array<Cost, parts>;  // of one cycle

inline Cost& at(Sample& sample, Part part) { return sample[static_cast<std::size_t>(part)]; }

}  // namespace pivotcheck::bench
