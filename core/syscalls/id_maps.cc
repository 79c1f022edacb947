// SPDX-License-Identifier: Apache-2.0
// id_maps.cc: see id_maps.h.
#include "syscalls/id_maps.h"

#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"

namespace pivotcheck::kernel {

std::string ProcEntry::path(std::string_view file) const {
  std::string path = proc == AT_FDCWD ? "/proc/" : "";
  path += pid == 0 ? "self" : std::to_string(pid);
  return path.append("/").append(file);
}

int write_proc_file(const ProcEntry& process, std::string_view file, std::string_view text) {
  const UniqueFd fd(::openat(process.proc, process.path(file).c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return errno;
  const ssize_t size = ::write(fd.get(), text.data(), text.size());
  return size == static_cast<ssize_t>(text.size()) ? 0 : errno;
}

const char* map_root(const ProcEntry& process, uid_t uid, gid_t gid) {
  const auto refused = [&](const char* file, const std::string& text) {
    const int error = write_proc_file(process, file, text);
    if (error != 0) errno = error;
    return error != 0;
  };
  if (refused("setgroups", "deny")) return "writing setgroups";
  if (refused("uid_map", "0 " + std::to_string(uid) + " 1")) return "writing uid_map";
  if (refused("gid_map", "0 " + std::to_string(gid) + " 1")) return "writing gid_map";
  return nullptr;
}

}  // namespace pivotcheck::kernel
