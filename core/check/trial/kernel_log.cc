// SPDX-License-Identifier: Apache-2.0
// kernel_log.cc: reads /dev/kmsg, one record for each read(2):
//
//     4,1043,812104216,-;WARNING: CPU: 0 PID: 4711 at fs/namespace.c:1234 ...
//     |  |    |           the message             and after it " KEY=value" lines, ignored
//     |  |    microseconds since boot
//     |  sequence number
//     level and facility * 8: facility 0 is the kernel's own
#include "check/trial/kernel_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "op/outcome.h"

namespace pivotcheck {
namespace {

constexpr std::size_t record_bytes_max = 8192;  // as the kernel's own limit of a record

constexpr std::array<std::string_view, 15> warning_marks{
    "WARNING:",
    "BUG:",
    "kernel BUG at",
    "Oops",
    "general protection fault,",  // not "traps: NAME general protection fault ip:...": a program's
    "KASAN",
    "KCSAN",
    "UBSAN",
    "possible recursive locking",
    "possible circular locking",
    "suspicious RCU usage",
    "detected stall",         // rcu: INFO: rcu_sched self-detected stall on CPU
    "blocked for more than",  // INFO: task ...: the hung task detector
    "refcount_t:",
    "new suspected memory leak",  // kmemleak: 1 new suspected memory leaks (see /sys/...)
};

}  // namespace

std::string warning_in(std::string_view record) {
  const std::size_t semicolon = record.find(';');
  if (semicolon == std::string_view::npos) return {};
  const std::string head(record.substr(0, semicolon));
  unsigned priority = 0;
  unsigned long long time_us = 0;
  if (std::sscanf(head.c_str(), "%u,%*u,%llu", &priority, &time_us) != 2) return {};
  if (priority >= 8) return {};  // a program's line
  record.remove_prefix(semicolon + 1);
  const std::string_view message = record.substr(0, record.find('\n'));
  const auto contained = [&](std::string_view word) {
    return message.find(word) != std::string_view::npos;
  };
  if (std::ranges::none_of(warning_marks, contained)) return {};
  constexpr unsigned us_per_second = 1'000'000;
  return fmt::format("[{:5}.{:06}] {}", time_us / us_per_second, time_us % us_per_second, message);
}

KernelLog KernelLog::open() {
  KernelLog log;
  UniqueFd kmsg(::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!kmsg) {
    log.unreadable_because_ = "open /dev/kmsg: " + errno_name(errno);
  } else if (::lseek(kmsg.get(), 0, SEEK_END) < 0) {
    log.unreadable_because_ = "lseek /dev/kmsg: " + errno_name(errno);
  } else {
    // In some containers it is another file: at the end of a log, read answers EAGAIN.
    std::array<char, record_bytes_max> buffer;
    const ssize_t count = ::read(kmsg.get(), buffer.data(), buffer.size());
    if (count > 0 || (count < 0 && errno == EAGAIN)) {
      log.kmsg_ = std::move(kmsg);
    } else {
      log.unreadable_because_ =
          count == 0 ? "/dev/kmsg is not the kernel's log" : "read /dev/kmsg: " + errno_name(errno);
    }
  }
  return log;
}

std::vector<std::string> KernelLog::kernel_warnings() {
  std::vector<std::string> found;
  if (!readable()) return found;
  std::array<char, record_bytes_max> buffer;
  for (;;) {
    const ssize_t count = ::read(kmsg_.get(), buffer.data(), buffer.size());
    if (count > 0) {
      std::string warning = warning_in({buffer.data(), static_cast<std::size_t>(count)});
      if (!warning.empty()) found.push_back(std::move(warning));
      continue;
    }
    // EPIPE: records were overwritten before they were read; the next read continues after the gap.
    if (count < 0 && (errno == EPIPE || errno == EINTR)) continue;
    return found;
  }
}

}  // namespace pivotcheck
