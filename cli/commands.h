// SPDX-License-Identifier: Apache-2.0
// commands.h: the subcommands, each described in the file of its name.
#pragma once

#include <string_view>

#include "options/options.h"

namespace pivotcheck::cli {

CommandSpec run_command();
CommandSpec draw_command();
CommandSpec rules_command();
CommandSpec laws_command();
CommandSpec situations_command();
CommandSpec doctor_command();
CommandSpec explore_command();
CommandSpec exhaust_command();
CommandSpec format_command();
CommandSpec claims_command();
CommandSpec explain_command();
CommandSpec minimize_command();
CommandSpec generate_command();
CommandSpec answer_command();
CommandSpec predict_command();
CommandSpec shortage_command();
CommandSpec strategies_command();
// `pivotcheck switch`, with the word "switch" as argv[0]; it has exit statuses of its own.
int run_switch(int argc, char** argv);
std::string_view switch_usage();  // what its --help prints; the manual is made of it

}  // namespace pivotcheck::cli
