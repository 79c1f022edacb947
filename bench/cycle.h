// SPDX-License-Identifier: Apache-2.0
// cycle.h: cycles of one setting, performed by the calling process, which they change for good.
//
// A setting is a strategy and the old tree that it works in: a mount namespace with so many mounts,
// of one propagation, and a directory to be the new root.
//
//     /          a tmpfs that no other namespace has
//     |-- new    the new root, a directory: bin/, proc/
//     |-- proc   a bind of the machine's, where three mounts or more are asked for
//     '-- m/N    binds of one directory, until there are enough
//
// One cycle of it:
//
//     the old tree -- fork -- namespaces -- propagation -- bind -- pivot -- detach -- teardown
//     (not timed)     |<-------------------- setup ----------------------->|        |
//                     |<----------------------------- cycle ----------------------->|
//
// Cycles are timed in turn phase by phase and as a whole, so that reading the clocks in between
// adds nothing to `setup` and `cycle`.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/failure.h"
#include "base/unique_fd.h"
#include "raw_syscalls.h"
#include "switch/step_executor.h"

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
  // Real work that is added to one phase, in percent of what it takes: a comparison must notice it.
  std::string slow_phase;
  double slow_percent = 0;
};

// What a clock shows, or what passed between two looks at it.
struct Cost {
  double wall_us = 0;
  double cpu_us = 0;  // of the thread, or of the child
};
// Of one cycle, by part.
using Sample = std::map<std::string, Cost, std::less<>>;

// The old tree, and the setting's strategy performed in it again and again.
class Cycles {
 public:
  // The process is in the old tree afterwards.
  static Expected<Cycles> make(const Setting& setting);

  // One cycle; `phases`: part by part, else `setup` and `cycle` as a whole. A failure names the
  // step and its errno.
  Expected<Sample> run(bool phases);
  // The steps alone, in this process, which stays where they lead.
  Expected<void> perform_steps();
  // What it cost to make the namespaces that template makes once for many switches.
  [[nodiscard]] const Cost& preparation() const { return preparation_; }

 private:
  struct Trace;
  // Descriptors; -1: none.
  struct TemplateNamespaces {
    int user = -1;  // with a user namespace only, as is the copy of the old tree in it
    int copy = -1;
    int empty_root = -1;
    int error = 0;
  };

  explicit Cycles(const Setting& setting) : setting_(setting) {}
  Expected<void> build_old_tree();
  Expected<void> prepare_template();
  [[noreturn]] void prepare_in_child(const strategy::Steps& steps, TemplateNamespaces& made);
  [[nodiscard]] strategy::Steps measured(strategy::Steps steps) const;
  [[nodiscard]] UniqueFd open_own(const char* name_space) const;
  [[nodiscard]] int map_own_ids() const;  // 0 or an errno, as the next
  int perform(std::size_t step);
  void perform_all(Trace& trace, std::size_t first, bool phases);
  void in_thread(Trace& trace, bool phases);
  void in_child(Trace& trace, bool phases);
  [[nodiscard]] Expected<Sample> sample_of(const Trace& trace, bool phases) const;

  Setting setting_;
  UniqueFd proc_;                // the machine's /proc, which is not in the old tree
  UniqueFd here_;                // the old tree's mount namespace
  std::vector<UniqueFd> peers_;  // the namespaces with peers of its mounts
  strategy::Steps steps_;
  unsigned long clone_flags_ = 0;  // of the namespaces that clone makes instead of the first steps
  std::size_t clone_steps_ = 0;
  TemplateNamespaces template_;
  Cost preparation_;
  std::optional<rootswitch::StepExecutor> library_;
  std::optional<RawSyscalls> raw_;
};

}  // namespace pivotcheck::bench
