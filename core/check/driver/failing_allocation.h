// SPDX-License-Identifier: Apache-2.0
// failing_allocation.h: one allocation that a step makes fails, by the kernel's fault injection. It
// takes a kernel with CONFIG_FAULT_INJECTION and CONFIG_FAILSLAB, and N in failslab/ignore-gfp-wait
// of its debugfs. A step of which a helper makes the call (paths.h), or that forks, can't be asked
// for it.
//
// Source: Documentation/fault-injection/fault-injection.rst, "/proc/<pid>/fail-nth".
#pragma once

#include <cstddef>

namespace pivotcheck {

struct FailingAllocation {
  std::size_t step = 0;  // of the program, from 0
  unsigned number = 0;   // of those that the step makes, from 1; 0: none fails
};

}  // namespace pivotcheck
