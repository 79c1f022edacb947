// SPDX-License-Identifier: Apache-2.0
// failing.cc: one allocation of a step fails: the number of the fault point goes to the task's
// fail-nth, which the kernel counts down. What it reads afterwards is 0 if that point was met.
//
// Source: Documentation/fault-injection/fault-injection.rst, "/proc/<pid>/fail-nth".
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>
#include <utility>

#include "check/driver/fresh_world.h"
#include "check/driver/task_context.h"

namespace pivotcheck::kernel {

SetupError begin_failing(TaskContext& context, unsigned number) {
  const std::string text = std::to_string(number);
  const int file = ::openat(reserved_fds::proc, "self/fail-nth", O_RDWR | O_CLOEXEC);
  if (file < 0) return setup_error("opening /proc/self/fail-nth");
  context.fail_nth = file;
  const auto size = static_cast<ssize_t>(text.size());
  return ::pwrite(file, text.data(), text.size(), 0) == size
             ? no_setup_error
             : setup_error("writing /proc/self/fail-nth");
}

SetupError end_failing(TaskContext& context) {
  if (context.fail_nth < 0) return no_setup_error;
  const int file = std::exchange(context.fail_nth, -1);
  std::array<char, 16> text{};
  const bool is_read = ::pread(file, text.data(), text.size() - 1, 0) > 0;
  const bool is_off = is_read && ::pwrite(file, "0", 1, 0) == 1;
  ::close(file);
  if (!is_off) return setup_error("reading and clearing /proc/self/fail-nth");
  if (std::atoi(text.data()) == 0) context.schedule->note_failed_allocation();
  return no_setup_error;
}

}  // namespace pivotcheck::kernel
