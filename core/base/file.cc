// SPDX-License-Identifier: Apache-2.0
// file.cc: see file.h.
#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"

namespace pivotcheck {

bool write_file(const std::string& path, std::string_view text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file) return false;
  while (!text.empty()) {
    const ssize_t count = ::write(file.get(), text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      const int error = count < 0 ? errno : EIO;
      struct stat what {};
      // A full disk takes the beginning. What is no file of ours (/dev/full) stays.
      if (::fstat(file.get(), &what) == 0 && S_ISREG(what.st_mode)) ::unlink(path.c_str());
      errno = error;
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace pivotcheck
