// SPDX-License-Identifier: Apache-2.0
// live_task.h: a task of a world that stands still, as the driver leaves it and the observers read
// it. The driver and observe/ share nothing else.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

namespace pivotcheck {

struct LiveTask {
  std::string name;
  pid_t pid = -1;  // in the PID namespace of the process that called the driver (and of its /proc)
  std::vector<std::pair<std::string, int>> handles;  // name, descriptor number in that process
};

}  // namespace pivotcheck
