// SPDX-License-Identifier: Apache-2.0
// refusal.h: from a step that the kernel refused to a SwitchFailure: the errno, the rule, a line
// for people.
//
// The rule. A list of rules is known (model/rules.h), and often the call and its errno leave only
// one; then it is that. Where several are left, the state of the process decides, which stands
// still at its step until it has been looked at: whoever can look (`explain`) sets a finder.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "rootswitch/root_switch.h"
#include "strategy/step.h"

namespace pivotcheck::rootswitch {

// Given the process that was refused, in the PID namespace of the caller: the name of a rule, or
// "".
using RuleFinder = std::string (*)(pid_t process, const strategy::Step& step, int error);
void set_rule_finder(RuleFinder finder);

// What the table alone says: the name of the only rule that fits, or "".
std::string only_rule(const strategy::Step& step, int error);

SwitchFailure refusal(pid_t process, const strategy::Step& step, int error,
                      const SwitchOptions& options);
SwitchFailure bad_options(std::string message);
SwitchFailure refused_before(std::string message, int error);  // before any step

// "No such file or directory (ENOENT)"
std::string error_text(int error);

}  // namespace pivotcheck::rootswitch
