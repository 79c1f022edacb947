// SPDX-License-Identifier: Apache-2.0
// refusal.h: from a step that the kernel refused to a SwitchFailure: the errno, the rule, a line
// for people.
//
// The rule. The process stands still at its step until it has been looked at; `explain` looks, and
// names the rule by what it sees (explain/refused_step.h). Where it can't (there is no /proc, or
// the step hangs on files), a list of all rules is known (model/rules.h), and often the call and
// its errno leave only one; then it is that.
#pragma once

#include <sys/types.h>

#include <array>
#include <string>

#include "switch/root_switch.h"
#include "switch/strategy/step.h"

namespace pivotcheck::rootswitch {

// Who was refused: a process in the PID namespace of the caller, 0 for the caller himself; and the
// descriptors at which the step's paths begin.
struct Refused {
  pid_t process = 0;
  std::array<int, 2> starts{-1, -1};
};

SwitchFailure refusal(const Refused& refused, const strategy::SwitchStep& step, int error,
                      const SwitchOptions& options);
SwitchFailure bad_options(std::string message);
SwitchFailure refused_before(std::string message, int error);  // before any step
std::string rule_of_name(int error);  // of a path that somebody named: the rule, or ""

// "No such file or directory (ENOENT)"
std::string error_text(int error);

}  // namespace pivotcheck::rootswitch
