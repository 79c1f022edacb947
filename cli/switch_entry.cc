// SPDX-License-Identifier: Apache-2.0
// switch_entry.cc: `pivotcheck switch` in the list of subcommands, and after options of pivotcheck
// itself (pivotcheck --verbose switch ...). The rest is in switch.cc.
#include <memory>
#include <string>
#include <vector>

#include "commands.h"

namespace pivotcheck::cli {

CommandSpec switch_command() {
  auto rest = std::make_shared<std::vector<std::string>>();
  return {.name = "switch",
          .summary = "Run a command in a new root, by any of the strategies (see switch --help)",
          .run =
              [rest] {
                std::vector<std::string> words = *rest;
                words.insert(words.begin(), "switch");
                std::vector<char*> pointers;
                for (std::string& word : words) pointers.push_back(word.data());
                pointers.push_back(nullptr);
                const int status = run_switch(static_cast<int>(words.size()), pointers.data());
                return static_cast<ExitStatus>(status);
              },
          .rest = rest.get()};
}

}  // namespace pivotcheck::cli
