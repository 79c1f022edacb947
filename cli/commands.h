// SPDX-License-Identifier: Apache-2.0
// commands.h: the subcommands, and what they share: exit statuses and the text of --version. Each
// subcommand is one file, and adds itself to the command line; when it is chosen it runs and leaves
// its exit status.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace pivotcheck::cli {

// As the scenario format fixes them (core/scenario/FORMAT.md).
enum class ExitStatus : int {
  agreed = 0,
  disagreed = 1,    // or a stated outcome that did not hold
  bad_usage = 2,    // or a file that can't be read or parsed
  harness = 3,      // the harness could not do its work
  nothing_ran = 4,  // everything was skipped, or this machine can't run any
};

void add_run(CLI::App& app, ExitStatus& status);
void add_draw(CLI::App& app, ExitStatus& status);
void add_rules(CLI::App& app, ExitStatus& status);
void add_doctor(CLI::App& app, ExitStatus& status);
void add_explore(CLI::App& app, ExitStatus& status);
void add_claims(CLI::App& app, ExitStatus& status);
void add_explain(CLI::App& app, ExitStatus& status);
void add_minimize(CLI::App& app, ExitStatus& status);
void add_strategies(CLI::App& app, ExitStatus& status);
void add_switch(CLI::App& app, ExitStatus& status);
// `pivotcheck switch`, with the word "switch" as argv[0]; it has exit statuses of its own.
int run_switch(int argc, char** argv);
#ifdef PIVOTCHECK_PLANTED_FAULTS
void add_faults(CLI::App& app, ExitStatus& status);
#endif

// "pivotcheck 0.1.0 (commit 1234567890ab)"
std::string version_text();

}  // namespace pivotcheck::cli
