// SPDX-License-Identifier: Apache-2.0
// kernel_log.h: the kernel's warnings while scenarios run. A WARNING, a BUG, a lockdep, RCU,
// KASAN or kmemleak report, or an Oops in the kernel's log is a failure even if all outcomes and states
// agree.
//
//     auto log = KernelLog::open();   all from now on; nothing older
//     ... run ...
//     log.kernel_warnings()           {"[  812.104216] WARNING: CPU: 0 PID: 7 at fs/namespace.c:1"}
//
// The log is that of the whole machine, so a warning may have another cause; people decide that.
// Lines that programs wrote to it are ignored. Where it can't be read (kernel.dmesg_restrict
// without CAP_SYSLOG, no /dev/kmsg in a container) unreadable_because() says why.
//
// Source: Documentation/ABI/testing/dev-kmsg.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace pivotcheck {

class KernelLog {
 public:
  static KernelLog open();

  [[nodiscard]] bool readable() const { return static_cast<bool>(kmsg_); }
  // "open /dev/kmsg: EPERM"; "" where it is readable.
  [[nodiscard]] const std::string& unreadable_because() const { return unreadable_because_; }

  // The warnings since the last call, each with its time stamp.
  std::vector<std::string> kernel_warnings();

 private:
  UniqueFd kmsg_;
  std::string unreadable_because_;
};

// The warning in one record of /dev/kmsg, as kernel_warnings() has it; "" if there is none.
std::string warning_in(std::string_view record);

}  // namespace pivotcheck
