// SPDX-License-Identifier: Apache-2.0
// wait_status.h: how a child ended, for people, from the status of waitpid(2).
#pragma once

#include <string>

namespace pivotcheck {

// "ended with status 3", "was killed by SIGKILL".
std::string describe_wait_status(int status);

}  // namespace pivotcheck
