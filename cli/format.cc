// SPDX-License-Identifier: Apache-2.0
// format.cc: `pivotcheck format`: the verbs of a scenario, each with its arguments and what it
// does: the table in core/scenario/FORMAT.md, compiled in, as text for a terminal.
//
//     | `mkdir P` · `rmdir P` | the system call |        mkdir P
//                                                        rmdir P
//                                                            the system call
#include <algorithm>
#include <string>
#include <string_view>

#include "commands.h"
#include "output.h"
#include "verbs_text.h"

namespace pivotcheck::cli {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

// A cell of the table without its marks.
std::string plain(std::string_view cell) {
  std::string text(cell);
  replace_all(text, "\\|", "|");
  std::erase(text, '`');
  return text;
}

std::string row(std::string_view line) {
  const std::size_t middle = line.find(" | ", 2);
  std::string verbs = plain(line.substr(2, middle - 2));
  replace_all(verbs, " · ", "\n");
  const std::string_view what = line.substr(middle + 3, line.size() - middle - 5);
  return verbs + "\n    " + folded(plain(what), 4) + "\n";
}

ExitStatus format() {
  std::string paragraph;  // what follows the table
  for (std::string_view rest = verbs_text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.starts_with("| `")) print(row(line));
    if (!line.empty() && !line.starts_with('|')) paragraph.append(plain(line)).append(" ");
  }
  print("\n" + folded(paragraph, 0) + "\n");
  return ExitStatus::agreed;
}

}  // namespace

CommandSpec format_command() {
  return {.name = "format",
          .summary = "List the verbs of a scenario: their arguments, and what each does",
          .footer = "A step is VERB ARGUMENTS, done by task A, or X: VERB ARGUMENTS, by task X.\n"
                    "=> ok, => ERRNO or => ERRNO RULE after it states the outcome (see rules).\n"
                    "Exit status: 0, or 2 for bad usage.",
          .run = format};
}

}  // namespace pivotcheck::cli
