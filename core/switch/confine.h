// SPDX-License-Identifier: Apache-2.0
// confine.h: what SwitchOptions::confine stands for. It asks for every part, or refuses; a part that
// the kernel refuses later ends the switch like any other step.
#pragma once

#include "switch/root_switch.h"

namespace pivotcheck::rootswitch {

// The options with everything set that `confine` implies, and unchanged without it; or what they ask
// for that would open what it closes.
Switched<SwitchOptions> with_confinement(SwitchOptions options);

}  // namespace pivotcheck::rootswitch
