// SPDX-License-Identifier: Apache-2.0
// raw_syscalls.h: the steps of a strategy as system calls whose arguments are ready: what the same
// sequence costs at the least. Nothing is looked up, chosen or checked while it runs.
//
// `switch_bench --check` compares the worlds that these calls and the library lead to.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"
#include "switch/strategy/step.h"

namespace pivotcheck::bench {

// The namespace that clone makes in place of this step, as the library has it (launch.cc): a
// CLONE_NEW flag, or 0.
unsigned long made_by_clone(const strategy::SwitchStep& step);

class RawSyscalls {
 public:
  // Refers to `steps`, which must stay where they are. A failure names a step without translation.
  static Expected<RawSyscalls> of(const strategy::Steps& steps);

  // A namespace that `setns` finds under this task's name.
  void bind_namespace(std::string_view task, int fd);
  // 0, or the errno of the first call that was refused. Steps that are about processes make no
  // call: the caller does those.
  int perform(std::size_t step) const;

 private:
  using Call = std::function<long()>;  // as syscall(2): -1 and errno for a refusal
  struct Translator;

  std::vector<Call> calls_;  // one for each step
  std::map<std::string, int, std::less<>> fds_;  // calls keep pointers to the values
};

}  // namespace pivotcheck::bench
