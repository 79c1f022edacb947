// SPDX-License-Identifier: Apache-2.0
// rules.cc: `pivotcheck rules` prints the table of rules, one line for each.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "commands.h"
#include "json.h"
#include "model/rules.h"
#include "op/outcome.h"
#include "output.h"

namespace pivotcheck::cli {
namespace {

ExitStatus rules(bool json) {
  std::size_t name_width = 0;
  std::size_t call_width = 0;
  for (const RuleInfo& rule : rule_table()) {
    name_width = std::max(name_width, rule.name.size());
    call_width = std::max(call_width, to_string(rule.calls).size());
  }
  for (const RuleInfo& rule : rule_table()) {
    const std::string error = errno_name(rule.error);
    if (json) {
      print(line({{"name", rule.name},
                  {"syscall", to_string(rule.calls)},
                  {"errno", error},
                  {"reason", rule.reason},
                  {"source", to_string(rule.source)},
                  {"since", since_text(rule)}}));
    } else {
      print(fmt::format("{:{}}  {:{}}  {:12}  {} [{}; since: {}]\n", rule.name, name_width,
                        to_string(rule.calls), call_width, error, rule.reason,
                        to_string(rule.source), since_text(rule)));
    }
  }
  return ExitStatus::agreed;
}

}  // namespace

CommandSpec rules_command() {
  auto json = std::make_shared<bool>(false);
  return {.name = "rules",
          .summary = "List every reason for which the model refuses an operation, one line each",
          .options = {{"--json", json.get(), "print one JSON object a line"}},
          .run = [json] { return rules(*json); }};
}

}  // namespace pivotcheck::cli
