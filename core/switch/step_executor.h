// SPDX-License-Identifier: Apache-2.0
// step_executor.h: the steps of a strategy as system calls, in the calling thread.
//
// It is not the laboratory's driver (check/driver/perform.cc), which has workers, tasks with names and
// helpers, and is there to test a kernel. This is what a program runs between fork and exec: it
// takes no memory, throws nothing, reads no /proc, and knows the operations that strategies use.
// Handles are descriptors, and every call that can takes them; so targets stay what they were when
// they were looked up.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "switch/strategy/step.h"

namespace pivotcheck::rootswitch {

class StepExecutor {
 public:
  // Takes the memory that the steps will need.
  explicit StepExecutor(const strategy::Steps& steps);

  // 0 or an errno. The steps that are about processes and not about this one's mounts are the
  // launcher's: see needs_launcher().
  int perform(const strategy::SwitchStep& step);
  // A namespace that `setns` finds under this task's name; it stays the owner's.
  void bind_namespace(std::string_view task, int fd);

  [[nodiscard]] int find(std::string_view name) const;  // -1: none
  [[nodiscard]] int find_namespace(std::string_view task) const;
  int keep(std::string_view name, int fd);  // 0; or errno, for fd < 0 that of the call
  int close(std::string_view name);
  // The descriptors at which the step's paths begin, in their order; -1 for those without a handle.
  [[nodiscard]] std::array<int, 2> starts(const strategy::SwitchStep& step) const;
  // Lets go of handles that are another process's, which had the same memory.
  void forget();

 private:
  // Few are open at a time; a name is the step's own string.
  struct Handle {
    std::string_view name;
    UniqueFd fd;
  };
  struct BoundNamespace {
    std::string_view task;
    int fd = -1;
  };
  std::vector<Handle> handles_;
  std::array<BoundNamespace, 2> namespaces_;
};

bool needs_launcher(const strategy::SwitchStep& step);

}  // namespace pivotcheck::rootswitch
