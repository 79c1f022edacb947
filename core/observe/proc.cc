// SPDX-License-Identifier: Apache-2.0
// proc.cc: see proc.h.
#include "observe/proc.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>

#include "op/outcome.h"

namespace pivotcheck {

std::unexpected<Failure> fail_with_errno(std::string_view call, std::string_view what,
                                         Failure::Kind kind) {
  const int error = errno;
  std::string text(call);
  text.append(" ").append(what).append(": ").append(errno_name(error));
  return fail(std::move(text), kind);
}

Expected<UniqueFd> open_task_directory(int proc, pid_t pid) {
  std::array<char, 16> name{};
  std::to_chars(name.data(), name.data() + name.size() - 1, pid);
  UniqueFd directory(openat(proc, name.data(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return fail_with_errno("open of /proc/PID, PID", name.data());
  return directory;
}

Expected<std::string> read_link(int task_directory, const char* name) {
  std::array<char, PATH_MAX> target;  // a page is what the kernel prints at most
  const ssize_t length = readlinkat(task_directory, name, target.data(), target.size());
  if (length < 0) return fail_with_errno("readlink of /proc/PID, link", name);
  return std::string(target.data(), static_cast<std::size_t>(length));
}

Expected<void> read_file(int task_directory, const char* name, std::string& text) {
  static constexpr std::size_t room_min = 4096;  // the kernel hands out about a page at a time
  const UniqueFd file(openat(task_directory, name, O_RDONLY | O_CLOEXEC));
  if (!file) return fail_with_errno("open of /proc/PID, file", name);
  std::size_t used = 0;
  while (true) {
    if (text.size() - used < room_min) text.resize(std::max(text.size() * 2, 4 * room_min));
    const ssize_t length = read(file.get(), text.data() + used, text.size() - used);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return fail_with_errno("read of /proc/PID, file", name);
    if (length == 0) break;
    used += static_cast<std::size_t>(length);
  }
  text.resize(used);
  return {};
}

}  // namespace pivotcheck
