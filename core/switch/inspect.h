// SPDX-License-Identifier: Apache-2.0
// inspect.h: looks at what was asked for before anything is done: options that contradict each
// other, a new root that can't be one, sources that are missing. It gives a better message than the
// kernel would; the kernel may still refuse what it lets pass.
#pragma once

#include "switch/root_switch.h"
#include "switch/strategy/step.h"

namespace pivotcheck::rootswitch {

// Reads the caller's files, changes nothing. The plan's `put_old` is chosen later, by the switch.
Switched<strategy::Plan> inspect(const SwitchOptions& options);

}  // namespace pivotcheck::rootswitch
