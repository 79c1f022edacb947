// SPDX-License-Identifier: Apache-2.0
// kernel_coverage.h: which code of the kernel the steps of a world run, for an engine that is led by
// it. It takes a kernel with CONFIG_KCOV (ci/kernels build --variant kcov), and its debugfs mounted.
//
//     owner                              executor, which has the memory of `counters` in common
//       follow_kernel_coverage()           opens kcov once; its tasks take turns on it
//       KernelDriver::start                before a step: on; after it: off, and each address that
//       perform                            was passed adds one to the counter of its hash
//       take_kernel_coverage(mine)         copies the counters, and clears them
//
// A hash instead of a sorted list of addresses: sorting halves the rate.
//
// Source: Documentation/dev-tools/kcov.rst.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "syscalls/setup_error.h"

namespace pivotcheck {

using CoverageCounters = std::array<std::uint8_t, 32768>;

// "" where this kernel can; otherwise why not, in one line.
std::string why_no_kernel_coverage();
// The same, and every KernelDriver that starts afterwards follows it.
std::string follow_kernel_coverage();
// What the steps ran since the last call. Nothing where it is not followed.
void take_kernel_coverage(CoverageCounters& into);

namespace kernel {

// For the executor, before it leaves the machine's mounts: opens kcov if coverage is followed. Its
// number among reserved_fds is taken in any case.
SetupError open_kernel_coverage();

// While it lives, the calls of the calling task are followed.
class FollowedCall {
 public:
  FollowedCall();
  FollowedCall(const FollowedCall&) = delete;
  FollowedCall& operator=(const FollowedCall&) = delete;
  ~FollowedCall();
};

}  // namespace kernel
}  // namespace pivotcheck
