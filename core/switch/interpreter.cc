// SPDX-License-Identifier: Apache-2.0
// interpreter.cc: see interpreter.h. The files are those of a root that nobody vouches for: only
// regular ones are opened, nothing is followed out of the root, and every length is bounded.
#include "switch/interpreter.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/unique_fd.h"
#include "op/quote.h"
#include "syscalls/syscalls.h"

namespace pivotcheck::rootswitch {
namespace {

UniqueFd find_in(int root, const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(kernel::sys_openat2(root, path.c_str(), how));
}

std::string read_at(int file, std::uint64_t offset, std::size_t size) {
  std::string text(std::min<std::size_t>(size, PATH_MAX), '\0');
  const ssize_t count = ::pread(file, text.data(), text.size(), static_cast<off_t>(offset));
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  return text;
}

template <class T>
bool read_struct(int file, std::uint64_t offset, T& value) {
  const std::string bytes = read_at(file, offset, sizeof(T));
  if (bytes.size() != sizeof(T)) return false;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return true;
}

template <class Header, class Segment>
std::string elf_interpreter(int file) {
  constexpr int segments_max = 64;  // many times what linkers write
  Header header{};
  Segment segment{};
  if (!read_struct(file, 0, header)) return "";
  for (int i = 0; i < std::min<int>(header.e_phnum, segments_max); ++i) {
    if (!read_struct(file, header.e_phoff + sizeof(Segment) * static_cast<unsigned>(i), segment)) {
      return "";
    }
    if (segment.p_type != PT_INTERP) continue;
    const std::string path = read_at(file, segment.p_offset, segment.p_filesz);
    return path.substr(0, path.find('\0'));
  }
  return "";
}

// The interpreter that a file names; "" if it names none.
std::string interpreter_of(int found) {
  struct stat status {};
  if (::fstat(found, &status) != 0 || !S_ISREG(status.st_mode)) return "";
  const std::string self = "/proc/self/fd/" + std::to_string(found);
  const UniqueFd file(::open(self.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return "";
  constexpr std::size_t line_max = 256;  // BINPRM_BUF_SIZE
  const std::string begin = read_at(file.get(), 0, line_max);
  if (begin.starts_with("#!")) {
    const std::size_t first = std::min(begin.find_first_not_of(" \t", 2), begin.size());
    const std::size_t last = begin.find_first_of(std::string_view(" \t\n\0", 4), first);
    return begin.substr(first, last - first);
  }
  if (!begin.starts_with(ELFMAG) || begin.size() <= EI_CLASS) return "";
  return begin[EI_CLASS] == ELFCLASS64 ? elf_interpreter<Elf64_Ehdr, Elf64_Phdr>(file.get())
                                       : elf_interpreter<Elf32_Ehdr, Elf32_Phdr>(file.get());
}

}  // namespace

std::string missing_interpreter(pid_t process, std::span<char* const> paths,
                                const std::string& directory) {
  const std::string folder = "/proc/" + std::to_string(process) + "/root";
  const UniqueFd root(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return "";
  const auto absolute = [&](std::string path) {
    return path.starts_with('/') ? path : directory + "/" + path;
  };
  UniqueFd found;
  for (char* const path : paths) {
    if (!found) found = find_in(root.get(), absolute(path));
  }
  constexpr int depth_max = 5;  // of interpreters that are scripts; the kernel gives up there
  for (int depth = 0; found && depth < depth_max; ++depth) {
    const std::string next = interpreter_of(found.get());
    if (next.empty()) return "";
    found = find_in(root.get(), absolute(next));
    if (!found) return errno == ENOENT || errno == ENOTDIR ? quoted_if_needed(next) : "";
  }
  return "";
}

}  // namespace pivotcheck::rootswitch
