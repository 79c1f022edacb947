// SPDX-License-Identifier: Apache-2.0
// refusal.h: from a step that the kernel refused to a SwitchFailure: the errno, the rule, a line
// for people.
//
// The refused process stays stopped at its step while `explain` inspects it and names the rule
// (explain/explain.h). If that is not possible (there is no /proc, or files decide about the
// step), the table of rules names it, if only one rule of that call has that errno (model/rules.h).
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string>

#include "switch/init_process.h"
#include "switch/root_switch.h"
#include "switch/strategy/step.h"

namespace pivotcheck::rootswitch {

// The refused process, by its number in the PID namespace of the caller, 0 for the caller itself;
// and its descriptors at which the step's paths begin.
struct Refused {
  pid_t process = 0;
  std::array<int, 2> starts{-1, -1};
};

SwitchFailure refusal(const Refused& refused, const strategy::SwitchStep& step, int error,
                      const SwitchOptions& options);
// Of the init of a PID namespace, after it had made that.
SwitchFailure init_refusal(const InitRefusal& refused);
// A call of which confinement is made does nothing (confine.h).
SwitchFailure deceived(const char* call);
// The process ended while it loaded this seccomp filter, from 1 on.
SwitchFailure filter_refusal(std::uint32_t number);
// Before any step; what the errno means is added to the message, if there is one.
SwitchFailure refused_before(std::string message, int error);

// "No such file or directory (ENOENT)"
std::string error_text(int error);

}  // namespace pivotcheck::rootswitch
