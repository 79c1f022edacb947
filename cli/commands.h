// SPDX-License-Identifier: Apache-2.0
// commands.h: the subcommands, each described in the file of its name, and the text of --version.
#pragma once

#include <string>

#include "options/options.h"

namespace pivotcheck::cli {

CommandSpec run_command();
CommandSpec draw_command();
CommandSpec rules_command();
CommandSpec doctor_command();
CommandSpec explore_command();
CommandSpec claims_command();
CommandSpec explain_command();
CommandSpec minimize_command();
CommandSpec strategies_command();
CommandSpec switch_command();
// `pivotcheck switch`, with the word "switch" as argv[0]; it has exit statuses of its own.
int run_switch(int argc, char** argv);

// "pivotcheck 0.1.0 (commit 1234567890ab)"
std::string version_text();

}  // namespace pivotcheck::cli
