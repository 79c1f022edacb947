// SPDX-License-Identifier: Apache-2.0
// confine.h: what SwitchOptions::confine stands for. It asks for every part, or refuses; a part that
// the kernel refuses later ends the switch like any other step.
#pragma once

#include "switch/root_switch.h"

namespace pivotcheck::rootswitch {

// The options with everything set that `confine` implies, and unchanged without it; or what they ask
// for that would open what it closes.
Switched<SwitchOptions> with_confinement(SwitchOptions options);

// The caller may run under a seccomp filter that answers a call with success although the kernel
// does nothing (seccomp(2), SECCOMP_RET_ERRNO with 0); tools that imitate root for an ordinary
// user do so. This asks of each call that confinement is made of something that the kernel must
// refuse. The index of the first that succeeds; -1: none. Allocates nothing: the child calls it.
int pretended_call();
const char* name_of_call(int index);

}  // namespace pivotcheck::rootswitch
