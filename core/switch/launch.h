// SPDX-License-Identifier: Apache-2.0
// launch.h: the caller's side of child.h: looks at what was asked for; then clones, answers what
// the child asks, and returns when the command was started or refused.
#pragma once

#include <sys/types.h>

#include "base/unique_fd.h"
#include "switch/child.h"
#include "switch/init_process.h"

namespace pivotcheck::rootswitch {

// Looks at what was asked for before anything is done: options that contradict each other, a new
// root that can't be one, sources that are missing. It gives a better message than the kernel
// would; the kernel may still refuse what it lets pass. Reads the caller's files, changes nothing.
// The plan's `put_old` is chosen later, by the switch. `root` is the directory that was looked at:
// no link and no other directory that gets its name later is entered instead.
struct Inspected {
  strategy::Plan plan;
  UniqueFd root;
};
Switched<Inspected> inspect(const SwitchOptions& options);

struct Launched {
  pid_t pid = -1;  // of the command
  UniqueFd pidfd;
  InitProcess init;  // of its PID namespace, if that is new
  int not_locked = 0;  // the errno for which its mounts are not locked, though they should be
};

// launch() fills in the second half of `args`. Without `kept` it returns when the command was
// started. With it the steps are a preparation, which has no command: they leave the namespaces
// there, and the child has ended when this returns.
Switched<Launched> launch(ChildArgs& args, TemplateNamespaces* kept = nullptr);

void kill_and_reap(const Launched& launched);
// Init follows the command, and with it everything else in the PID namespace.
void wait_for_init(const InitProcess& init);

}  // namespace pivotcheck::rootswitch
