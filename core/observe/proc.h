// SPDX-License-Identifier: Apache-2.0
// proc.h: reads the files and links of one process in /proc. Every call names its file from a
// descriptor of /proc ("17/root"): a descriptor of /proc/17 would cost an open, more than it saves
// in the five or so calls of one observation. Meanwhile the process must stand still and not end,
// or its number may come to mean another process.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"
#include "base/unique_fd.h"

namespace pivotcheck {

// "CALL WHAT: ERRNO" from errno.
[[nodiscard]] std::unexpected<Failure> fail_with_errno(std::string_view call, std::string_view what,
                                                       Failure::Kind kind = Failure::Kind::broke);

Expected<UniqueFd> open_proc();  // O_PATH; Failure::Kind::cannot_run

// The calling process's number in that /proc, which may be that of a PID namespace above its own;
// 0: that /proc does not have it.
pid_t own_number(int proc);

// The numbers after "KEY:" in the text of a status file; none if the key is missing.
std::vector<std::uint64_t> status_numbers(const std::string& status, std::string_view key,
                                          int base = 10);

// 0 if there is no such descriptor.
ino_t inode_of(int descriptor);

// Which file or directory, seen through which mount.
struct FileIdentity {
  std::uint64_t mount = 0;
  std::uint64_t inode = 0;
  std::uint32_t device = 0;
  auto operator<=>(const FileIdentity&) const = default;
};
struct FileStatus {
  FileIdentity identity;  // all 0 if there is no such file
  std::uint32_t links = 0;
  bool directory = false;
  bool mount_root = false;
};
FileStatus file_status(int directory, const char* path = "");

// All of an open file, into `text`, which keeps its capacity from one use to the next.
Expected<void> read_all(int file, std::string_view name, std::string& text);

class TaskFiles {
 public:
  // `proc` is a descriptor of /proc, which must stay open.
  TaskFiles(int proc, pid_t pid);

  [[nodiscard]] int proc() const { return proc_; }
  // "17/root" for "root", for use with proc(), until the next call. At most 23 bytes of name.
  [[nodiscard]] const char* path(std::string_view name);

  Expected<UniqueFd> open(std::string_view name);
  // Where a magic link such as "root" or "fd/7" points: "mnt:[4026531841]", or what d_path prints.
  // At most 4095 bytes: for a longer path the kernel answers ENAMETOOLONG, a failure here.
  Expected<std::string> read_link(std::string_view name);
  // The whole file (read_all).
  Expected<void> read_file(std::string_view name, std::string& text);

 private:
  int proc_;
  std::size_t prefix_ = 0;  // length of "17/"
  std::array<char, 36> path_{};
};

}  // namespace pivotcheck
