// SPDX-License-Identifier: Apache-2.0
// launch.h: the caller's side of child.h: clones, answers what the child asks, and returns when the
// command was started or refused.
#pragma once

#include <sys/types.h>

#include "base/unique_fd.h"
#include "switch/child.h"

namespace pivotcheck::rootswitch {

struct Launched {
  pid_t pid = -1;
  UniqueFd pidfd;
  UniqueFd ended;  // with a PID namespace: its init writes a ChildMessage here at the end
};

// launch() fills in the second half of `args`. Without `kept` it returns when the command was
// started. With it the steps are a preparation, which has no command: they leave the namespaces
// there, and the child has ended when this returns.
Switched<Launched> launch(ChildArgs& args, TemplateNamespaces* kept = nullptr);

void kill_and_reap(pid_t pid, int pidfd);

}  // namespace pivotcheck::rootswitch
