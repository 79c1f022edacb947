// SPDX-License-Identifier: Apache-2.0
// proc.cc: see proc.h.
#include "observe/proc.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>

#include "base/check.h"
#include "op/outcome.h"

namespace pivotcheck {

std::unexpected<Failure> fail_with_errno(std::string_view call, std::string_view what,
                                         Failure::Kind kind) {
  const int error = errno;
  std::string text(call);
  text.append(" ").append(what).append(": ").append(errno_name(error));
  return fail(std::move(text), kind);
}

pid_t own_number(int proc) {
  std::array<char, 16> link{};
  const ssize_t length = ::readlinkat(proc, "self", link.data(), link.size());
  pid_t number = 0;
  if (length > 0) std::from_chars(link.data(), link.data() + length, number);
  return number;
}

TaskFiles::TaskFiles(int proc, pid_t pid) : proc_(proc) {
  char* end = std::to_chars(path_.data(), path_.data() + 11, pid).ptr;
  *end++ = '/';
  prefix_ = static_cast<std::size_t>(end - path_.data());
}

const char* TaskFiles::path(std::string_view name) {
  PIVOTCHECK_CHECK(prefix_ + name.size() < path_.size());
  *std::ranges::copy(name, path_.begin() + static_cast<std::ptrdiff_t>(prefix_)).out = '\0';
  return path_.data();
}

Expected<UniqueFd> TaskFiles::open(std::string_view name) {
  UniqueFd file(openat(proc_, path(name), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_with_errno("open in /proc:", path(name));
  return file;
}

Expected<std::string> TaskFiles::read_link(std::string_view name) {
  std::array<char, PATH_MAX> target;  // a page is what the kernel prints at most
  const ssize_t length = readlinkat(proc_, path(name), target.data(), target.size());
  if (length < 0) return fail_with_errno("readlink in /proc:", path(name));
  return std::string(target.data(), static_cast<std::size_t>(length));
}

Expected<void> TaskFiles::read_file(std::string_view name, std::string& text) {
  static constexpr std::size_t room_min = 4096;  // the kernel hands out about a page at a time
  const Expected<UniqueFd> file = open(name);
  if (!file) return std::unexpected(file.error());
  std::size_t used = 0;
  text.resize(text.capacity());
  while (true) {
    if (text.size() - used < room_min) text.resize(std::max(text.size() * 2, 4 * room_min));
    const ssize_t length = read(file->get(), text.data() + used, text.size() - used);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return fail_with_errno("read in /proc:", path(name));
    if (length == 0) break;
    used += static_cast<std::size_t>(length);
  }
  text.resize(used);
  return {};
}

}  // namespace pivotcheck
