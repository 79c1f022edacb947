// SPDX-License-Identifier: Apache-2.0
// laws.cc: `pivotcheck laws` prints the laws that states and steps are held against.
#include "check/laws/laws.h"

#include <fmt/format.h>

#include <memory>
#include <string>

#include "commands.h"
#include "json.h"
#include "output.h"

namespace pivotcheck::cli {
namespace {

ExitStatus print_laws(bool json) {
  for (const laws::Law& law : laws::all_laws()) {
    if (json) {
      print(line({{"name", law.name}, {"law", law.sentence}, {"source", law.source}}));
      continue;
    }
    print(fmt::format("{}\n    {}\n    {}\n", law.name, folded(law.sentence, 4),
                      folded(fmt::format("[{}]", law.source), 4)));
  }
  return ExitStatus::agreed;
}

}  // namespace

CommandSpec laws_command() {
  auto json = std::make_shared<bool>(false);
  return {.name = "laws",
          .summary = "List what must never happen, on either side, and the source of each law",
          .options = {{"--json", json.get(), "print one JSON object a line"}},
          .footer = "Exit status: 0.",
          .run = [json] { return print_laws(*json); }};
}

}  // namespace pivotcheck::cli
