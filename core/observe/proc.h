// SPDX-License-Identifier: Apache-2.0
// proc.h: reading the files and links of one process below /proc. Everything goes through a descriptor
// of /proc/PID, so that one observation never mixes two processes that had the same number.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"
#include "base/unique_fd.h"

namespace pivotcheck {

// The directory /proc/PID as an O_PATH descriptor. `proc` is a descriptor of /proc.
Expected<UniqueFd> open_task_directory(int proc, pid_t pid);

// "CALL WHAT: ERRNO" from errno.
[[nodiscard]] std::unexpected<Failure> fail_with_errno(std::string_view call, std::string_view what,
                                                       Failure::Kind kind = Failure::Kind::broke);

// Where a magic link such as "root" or "fd/7" points, as d_path prints it. At most 4095 bytes: a longer
// one is ENAMETOOLONG from the kernel, and a failure here.
Expected<std::string> read_link(int task_directory, const char* name);

// The whole file, into `text`, which keeps its capacity from one use to the next.
Expected<void> read_file(int task_directory, const char* name, std::string& text);

}  // namespace pivotcheck
