// SPDX-License-Identifier: Apache-2.0
// proc.cc: see proc.h.
#include "observe/proc.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "op/outcome.h"

namespace pivotcheck {

std::unexpected<Failure> fail_with_errno(std::string_view call, std::string_view what,
                                         Failure::Kind kind) {
  const int error = errno;
  std::string text(call);
  text.append(" ").append(what).append(": ").append(errno_name(error));
  return fail(std::move(text), kind, error);
}

Expected<UniqueFd> open_proc() {
  UniqueFd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!proc) return fail_with_errno("open", "/proc", Failure::Kind::cannot_run);
  return proc;
}

pid_t own_number(int proc) {
  std::array<char, 16> link{};
  const ssize_t length = ::readlinkat(proc, "self", link.data(), link.size());
  pid_t number = 0;
  if (length > 0) std::from_chars(link.data(), link.data() + length, number);
  return number;
}

std::vector<std::uint64_t> status_numbers(const std::string& status, std::string_view key,
                                          int base) {
  std::vector<std::uint64_t> numbers;
  const std::size_t at = status.find("\n" + std::string(key) + ":");
  if (at == std::string::npos) return numbers;
  const char* text = status.c_str() + at + key.size() + 2;
  while (true) {
    text += std::strspn(text, "\t ");
    if (*text == '\n') return numbers;
    char* end = nullptr;
    const std::uint64_t number = std::strtoull(text, &end, base);
    if (end == text) return numbers;
    numbers.push_back(number);
    text = end;
  }
}

ino_t inode_of(int descriptor) {
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 ? status.st_ino : 0;
}

FileStatus file_status(int directory, const char* path) {
  struct statx status {};
  if (::statx(directory, path, AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &status) != 0) {
    return {};
  }
  if ((status.stx_mask & STATX_MNT_ID) == 0) {  // the C library's substitute, made of stat(2)
    errno = ENOSYS;
    return {};
  }
  return {.identity = {.mount = status.stx_mnt_id,
                       .inode = status.stx_ino,
                       .device = (status.stx_dev_major << 20) ^ status.stx_dev_minor},
          .links = status.stx_nlink,
          .directory = S_ISDIR(status.stx_mode),
          .mount_root = (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0};
}

Expected<void> read_all(int file, std::string_view name, std::string& text) {
  static constexpr std::size_t room_min = 4096;  // the kernel hands out about a page at a time
  std::size_t used = 0;
  text.resize(text.capacity());
  while (true) {
    if (text.size() - used < room_min) text.resize(std::max(text.size() * 2, 4 * room_min));
    const ssize_t length = read(file, text.data() + used, text.size() - used);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return fail_with_errno("read in /proc:", name);
    if (length == 0) break;
    used += static_cast<std::size_t>(length);
  }
  text.resize(used);
  return {};
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
  const Expected<UniqueFd> file = open(name);
  if (!file) return std::unexpected(file.error());
  return read_all(file->get(), path(name), text);
}

}  // namespace pivotcheck
