// SPDX-License-Identifier: Apache-2.0
// bare_calls.h: the steps of a strategy as a flat list of system calls with their arguments ready:
// what the same sequence costs at the least. Nothing is looked up, chosen or checked while it runs;
// where a call needs a descriptor that an earlier one returned, it says which.
//
// The flags are written down here once more, on purpose, and not taken from syscalls/op_flags.h:
// `switch_bench --check` compares the mounts that the two translations lead to.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/failure.h"
#include "syscalls/mount_api.h"
#include "switch/strategy/step.h"

namespace pivotcheck::bench {

class BareCalls {
 public:
  // A failure names the step that has no translation.
  static Expected<BareCalls> of(const strategy::Steps& steps);

  void bind_namespace(std::string_view task, int fd);
  // The calls of one step: 0, or the errno of the first that was refused.
  int perform(std::size_t step);

 private:
  struct Argument {
    long value = 0;
    int slot = -1;  // where it is a descriptor that is known only when it runs
  };
  struct Call {
    long number = 0;
    std::array<Argument, 5> arguments{};
    int result = -1;  // the slot for what it returns
  };
  struct Translator;

  std::vector<std::vector<Call>> steps_;
  std::vector<std::string> slot_names_;
  std::vector<int> slots_;
  std::deque<kernel::mount_api::mount_attr> attributes_;  // what arguments point to; never moves
};

}  // namespace pivotcheck::bench
