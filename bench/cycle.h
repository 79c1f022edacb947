// SPDX-License-Identifier: Apache-2.0
// cycle.h: cycles of one setting, performed by the calling process, which they change for good.
//
// A setting is a strategy and the world that it works in (old_tree.h). One cycle of it:
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

#include "base/failure.h"
#include "old_tree.h"
#include "raw_syscalls.h"
#include "switch/step_executor.h"

namespace pivotcheck::bench {

struct Cost {
  double wall_us = 0;
  double cpu_us = 0;  // of the thread, or of the child
};
// Of one cycle, by part; `prepare` is what template makes once for many switches.
using Sample = std::map<std::string, Cost, std::less<>>;

// Real work that is added to one phase, in percent of what it takes: a comparison must notice it.
struct Planted {
  std::string phase;
  double percent = 0;
};

// The namespaces that the strategy `template` makes once. Descriptors; -1: none.
struct TemplateNamespaces {
  int user = -1;  // with a user namespace only, as is the copy of the old tree in it
  int copy = -1;
  int empty_root = -1;
  int error = 0;
};

// The old tree, and the setting's strategy performed in it again and again.
class Cycles {
 public:
  // The process is in the old tree afterwards.
  static Expected<Cycles> make(const Setting& setting, const Planted& planted);

  // One cycle; `phases`: part by part, else `setup` and `cycle` as a whole. A failure names the
  // step and its errno.
  Expected<Sample> run(bool phases);
  // The steps alone, in this process, which stays where they lead.
  Expected<void> perform_steps();
  // What it cost to make the template.
  [[nodiscard]] const Cost& preparation() const { return preparation_; }

 private:
  struct Trace;

  Cycles(const Setting& setting, const Planted& planted, OldTree tree);
  Expected<void> prepare_template();
  int perform(std::size_t step);  // 0 or an errno
  void perform_all(Trace& trace, std::size_t first, bool phases);
  void in_thread(Trace& trace, bool phases);
  void in_child(Trace& trace, bool phases);
  [[nodiscard]] Sample sample_of(const Trace& trace, bool phases) const;
  [[nodiscard]] Expected<void> result(const Trace& trace) const;

  Setting setting_;
  Planted planted_;
  OldTree tree_;
  strategy::Steps steps_;
  TemplateNamespaces template_;
  Cost preparation_;
  std::optional<rootswitch::StepExecutor> library_;
  std::optional<RawSyscalls> raw_;
};

}  // namespace pivotcheck::bench
