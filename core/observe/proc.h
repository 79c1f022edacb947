// SPDX-License-Identifier: Apache-2.0
// proc.h: reading the files and links of one process below /proc. Every call names its file from a
// descriptor of /proc ("17/root"): a descriptor of /proc/17 would cost an open, and save less than
// that in the five or so calls of one observation. The process must stand still meanwhile, and not
// end, or its number may come to mean another one.
#pragma once

#include <sys/types.h>

#include <array>
#include <string>
#include <string_view>

#include "base/failure.h"
#include "base/unique_fd.h"

namespace pivotcheck {

// "CALL WHAT: ERRNO" from errno.
[[nodiscard]] std::unexpected<Failure> fail_with_errno(std::string_view call, std::string_view what,
                                                       Failure::Kind kind = Failure::Kind::broke);

// The number of the calling process in that /proc, which may be of another PID namespace than its
// own; 0: it is not in there.
pid_t own_number(int proc);

class TaskFiles {
 public:
  // `proc` is a descriptor of /proc, which must stay open.
  TaskFiles(int proc, pid_t pid);

  [[nodiscard]] int proc() const { return proc_; }
  // "17/root" for "root", to be used with proc(), until the next call. At most 23 bytes of name.
  [[nodiscard]] const char* path(std::string_view name);

  Expected<UniqueFd> open(std::string_view name);
  // Where a magic link such as "root" or "fd/7" points: "mnt:[4026531841]", or what d_path prints.
  // At most 4095 bytes: a longer path is ENAMETOOLONG from the kernel, and a failure here.
  Expected<std::string> read_link(std::string_view name);
  // The whole file, into `text`, which keeps its capacity from one use to the next.
  Expected<void> read_file(std::string_view name, std::string& text);

 private:
  int proc_;
  std::size_t prefix_ = 0;  // length of "17/"
  std::array<char, 36> path_{};
};

}  // namespace pivotcheck
