// SPDX-License-Identifier: Apache-2.0
// inspect.h: the look at what was asked for, before anything is done: options that contradict each
// other, a root that is none, sources that are missing. What it lets pass may still be refused by
// the kernel; what it stops gets a better line than the kernel's.
#pragma once

#include "switch/root_switch.h"
#include "switch/strategy/step.h"

namespace pivotcheck::rootswitch {

// Reads the caller's files, changes nothing. The plan's `put_old` is the launcher's to choose.
Switched<strategy::Plan> inspect(const SwitchOptions& options);

}  // namespace pivotcheck::rootswitch
