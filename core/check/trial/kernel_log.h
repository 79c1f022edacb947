// SPDX-License-Identifier: Apache-2.0
// kernel_log.h: what the kernel complains about while scenarios run. A WARNING, a BUG, a lockdep or
// an RCU report, an Oops or a KASAN report in the kernel's log is a failure even where every
// outcome and every state agreed.
//
//     auto log = KernelLog::open();   everything from now on; nothing that was there before
//     ... run ...
//     log.alarms()                    {"[  812.104216] WARNING: CPU: 0 PID: 7 at fs/namespace.c:1"}
//
// The log is the machine's, so an alarm may be somebody else's doing; people decide that. Lines
// that programs wrote into it are passed over. Where reading it is not allowed (no CAP_SYSLOG and
// kernel.dmesg_restrict, no /dev/kmsg in a container) unreadable_because() says so.
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

  // The alarming lines since the last call, each with its time stamp.
  std::vector<std::string> kernel_warnings();

 private:
  UniqueFd kmsg_;
  std::string unreadable_because_;
};

// One record of /dev/kmsg as the line that alarms() gives; "" if it is not alarming.
std::string alarm_of_record(std::string_view record);

}  // namespace pivotcheck
