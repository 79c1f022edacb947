// SPDX-License-Identifier: Apache-2.0
// switch_entry.cc: `pivotcheck switch` in the list of subcommands, and behind options of the
// command itself (pivotcheck --verbose switch ...). The rest is switch.cc.
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "commands.h"

namespace pivotcheck::cli {

void add_switch(CLI::App& app, ExitStatus& status) {
  CLI::App* command = app.add_subcommand(
      "switch", "Run a command in a new root, by any of the strategies (see switch --help)");
  command->prefix_command();
  command->set_help_flag();
  command->callback([command, &status] {
    std::vector<std::string> words = command->remaining();
    words.insert(words.begin(), "switch");
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    status = static_cast<ExitStatus>(run_switch(static_cast<int>(words.size()), pointers.data()));
  });
}

}  // namespace pivotcheck::cli
