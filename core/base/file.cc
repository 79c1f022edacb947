// SPDX-License-Identifier: Apache-2.0
// file.cc: files in one piece.
#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/unique_fd.h"

namespace pivotcheck {
namespace {

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) errno = EIO;
    if (count <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

// A file that has no name until it is whole: a process that is killed meanwhile leaves no half of it.
// The descriptor is not open where the filesystem has no such files.
UniqueFd nameless_beside(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  return UniqueFd(::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644));
}

bool give_name(int fd, const std::string& path) {
  const std::string own = "/proc/self/fd/" + std::to_string(fd);
  return ::linkat(AT_FDCWD, own.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0;
}

}  // namespace

std::string read_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 1 << 14> buffer;
  while (file) {
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    if (count <= 0) break;  // a process in /proc that is ending: ESRCH
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return text;
}

bool write_file(const std::string& path, std::string_view text) {
  struct stat there {};
  const bool is_new = ::lstat(path.c_str(), &there) != 0 && errno == ENOENT;
  if (is_new) {
    const UniqueFd file = nameless_beside(path);
    if (file) return write_all(file.get(), text) && give_name(file.get(), path);
  }
  // What is there already may be a device, or a link to one: it is written to, not replaced.
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file) return false;
  if (write_all(file.get(), text)) return true;
  const int error = errno;
  if (is_new) ::unlink(path.c_str());  // a full disk takes the beginning
  errno = error;
  return false;
}

}  // namespace pivotcheck
