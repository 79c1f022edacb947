// SPDX-License-Identifier: Apache-2.0
// step_executor.h: performs the steps of a strategy as system calls, in the calling thread.
//
// A program runs this between clone and exec: it allocates nothing, throws nothing and reads no
// /proc. Every call that can takes the descriptor of a handle, so that a target stays what it was
// when it was looked up. The test driver is another one (check/driver): it has tasks and helpers.
// What the two pass to the kernel comes from one place, syscalls/op_flags.h.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "switch/strategy/step.h"

namespace pivotcheck::rootswitch {

class StepExecutor {
 public:
  // Allocates what the steps will need.
  explicit StepExecutor(const strategy::Steps& steps);

  // 0 or an errno. ENOTSUP for the steps that need the launcher: see needs_launcher().
  int perform(const strategy::SwitchStep& step);
  // The namespace that `setns` enters under this task's name; with "", the new root that EnterRoot
  // enters. The caller keeps the descriptor.
  void bind(std::string_view task, int fd);

  [[nodiscard]] int find(std::string_view handle) const;  // -1: none
  [[nodiscard]] int find_bound(std::string_view task) const;
  int store_handle(std::string_view name, int fd);  // 0; for fd < 0 the errno of the call
  int close_handle(std::string_view name);          // 0 or EBADF
  // The descriptors at which the step's paths begin, in their order; -1 for those without a handle.
  [[nodiscard]] std::array<int, 2> starts(const strategy::SwitchStep& step) const;
  // Drops handles without closing them: a child that shared this memory opened them, and they were
  // its own.
  void forget();

 private:
  // Few are open at a time; a name is the step's own string.
  struct Handle {
    std::string_view name;
    UniqueFd fd;
  };
  struct Bound {
    std::string_view task;
    int fd = -1;
  };
  [[nodiscard]] std::vector<Handle>::const_iterator search(std::string_view name) const;

  std::vector<Handle> handles_;
  std::vector<Bound> bound_;
};

// The launcher performs the steps that are about processes, not about this one's mounts (child.cc),
// and those that enter a user namespace.
template <class T>
concept AboutProcesses = OneOf<T, strategy::NewPidNamespace, strategy::MapIds,
                               strategy::KeepNamespace, strategy::LockMounts,
                               strategy::ForbidUserNamespaces,
                               strategy::DropPrivileges,
                               strategy::Execute>;
bool enters_user_namespace(const strategy::SwitchStep& step);
bool needs_launcher(const strategy::SwitchStep& step);

}  // namespace pivotcheck::rootswitch
