// SPDX-License-Identifier: Apache-2.0
// wait_status.h: how a child ended, for people, from the status of waitpid(2).
#pragma once

#include <sys/wait.h>

#include <cstring>
#include <string>

namespace pivotcheck {

// "ended with status 3", "was killed by SIGKILL".
inline std::string describe_wait_status(int status) {
  if (!WIFSIGNALED(status)) return "ended with status " + std::to_string(WEXITSTATUS(status));
  const char* name = ::sigabbrev_np(WTERMSIG(status));
  if (name != nullptr) return std::string("was killed by SIG") + name;
  return "was killed by signal " + std::to_string(WTERMSIG(status));
}

}  // namespace pivotcheck
