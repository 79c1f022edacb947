// SPDX-License-Identifier: Apache-2.0
// performer.h: the steps of a strategy as system calls, in the calling thread.
//
// It is not the laboratory's driver (kernel/perform.cc), which has workers, tasks with names and
// helpers, and is there to test a kernel. This is what a program runs between fork and exec: it takes
// no memory, throws nothing, reads no /proc, and knows the operations that strategies use. Handles
// are descriptors, and every call that can takes them; so targets stay what they were when they were
// looked up.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "base/unique_fd.h"
#include "strategy/step.h"

namespace pivotcheck::rootswitch {

class Performer {
 public:
  // 0 or an errno. The steps that need a second process (new PID namespace, id maps, confine, execute,
  // a new user namespace) are the launcher's: see needs_launcher().
  int perform(const strategy::Step& step);
  // A descriptor that the steps find under this name, from then on owned here.
  void adopt(std::string_view name, int fd);

  [[nodiscard]] int find(std::string_view name) const;  // -1: none
  int keep(std::string_view name, int fd);              // 0; or errno, for fd < 0 that of the call
  int close(std::string_view name);

 private:
  // Strategies have few handles open at a time; a name is that of a step's own string.
  struct Slot {
    std::string_view name;
    UniqueFd fd;
  };
  static constexpr std::size_t handles_max = 8;
  std::array<Slot, handles_max> slots_;
};

bool needs_launcher(const strategy::Step& step);

}  // namespace pivotcheck::rootswitch
