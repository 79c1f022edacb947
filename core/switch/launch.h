// SPDX-License-Identifier: Apache-2.0
// launch.h: the caller's side of child.h: clones, answers what the child asks, and returns when the
// command was started or refused.
#pragma once

#include <sys/types.h>

#include "base/unique_fd.h"
#include "switch/child.h"
#include "switch/root_switch.h"

namespace pivotcheck::rootswitch {

// What `template` keeps as long as its RootSwitch lives.
struct TemplateNamespaces {
  UniqueFd user;  // without privileges: the user namespace, and in it a copy of the caller's tree
  UniqueFd copy;
  UniqueFd template_;
};

struct LaunchRequest {
  const SwitchOptions& options;
  PreparedSwitch& prepared;
  const TemplateNamespaces* entered = nullptr;  // for the steps to enter
  TemplateNamespaces* kept = nullptr;           // where a preparation leaves them
};

struct Launched {
  pid_t pid = -1;
  UniqueFd pidfd;
  UniqueFd ended;  // with a PID namespace: its init writes a ChildMessage here at the end
};

// `args` has what is about the command; launch() fills in the rest. If the steps have no command,
// the child has ended when this returns.
Switched<Launched> launch(const LaunchRequest& request, ChildArgs& args);

void kill_and_reap(pid_t pid, int pidfd);

}  // namespace pivotcheck::rootswitch
