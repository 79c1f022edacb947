// SPDX-License-Identifier: Apache-2.0
// wait_status.cc: see wait_status.h.
#include "base/wait_status.h"

#include <sys/wait.h>

#include <cstring>

namespace pivotcheck {

std::string describe_wait_status(int status) {
  if (!WIFSIGNALED(status)) return "ended with status " + std::to_string(WEXITSTATUS(status));
  const char* name = ::sigabbrev_np(WTERMSIG(status));
  if (name != nullptr) return std::string("was killed by SIG") + name;
  return "was killed by signal " + std::to_string(WTERMSIG(status));
}

}  // namespace pivotcheck
