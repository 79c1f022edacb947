// SPDX-License-Identifier: Apache-2.0
// rules.cc: `pivotcheck rules` prints the table of rules, or those that are about some words.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "commands.h"
#include "json.h"
#include "model/rules.h"
#include "op/outcome.h"
#include "output.h"

namespace pivotcheck::cli {
namespace {

struct Options {
  std::vector<std::string> words;
  bool json = false;
};

bool calls(const RuleInfo& rule, const std::string& name) {
  for (std::size_t i = 0; i < calls_count; ++i) {
    const auto call = static_cast<Call>(i);
    if (rule.calls.has(call) && to_string(Calls{call}) == name) return true;
  }
  return false;
}

// By its name, its errno, or a call that it is about; the rules of paths are about many.
bool is_about(const RuleInfo& rule, const std::string& word) {
  return rule.name == word || errno_name(rule.error) == word || calls(rule, word);
}

void show(const RuleInfo& rule, bool json) {
  const std::string error = errno_name(rule.error);
  if (json) {
    return print(line({{"name", rule.name},
                       {"syscall", to_string(rule.calls)},
                       {"errno", error},
                       {"reason", rule.reason},
                       {"source", to_string(rule.source)},
                       {"since", since_text(rule)}}));
  }
  const std::string source =
      fmt::format("[{}; since: {}]", to_string(rule.source), since_text(rule));
  print(fmt::format("{}  {}  {}\n    {}\n    {}\n", rule.name, to_string(rule.calls), error,
                    folded(rule.reason, 4), folded(source, 4)));
}

ExitStatus rules(const Options& options) {
  for (const std::string& word : options.words) {
    const auto about = [&](const RuleInfo& rule) { return is_about(rule, word); };
    if (std::ranges::any_of(rule_table(), about)) continue;
    return complain(
        word + ": no rule, call or errno of a rule has this name (see pivotcheck rules)",
        ExitStatus::bad_usage);
  }
  for (const RuleInfo& rule : rule_table()) {
    const auto about = [&](const std::string& word) { return is_about(rule, word); };
    if (std::ranges::all_of(options.words, about)) show(rule, options.json);
  }
  return ExitStatus::agreed;
}

}  // namespace

CommandSpec rules_command() {
  auto options = std::make_shared<Options>();
  return {
      .name = "rules",
      .summary = "List every reason for which the model refuses an operation, and its source",
      .options = {{"--json", &options->json, "print one JSON object a line"},
                  {"WORD", &options->words,
                   "only rules that have all of them: a call (pivot_root), an errno (EINVAL), or "
                   "the rule's own name"}},
      .footer = "Exit status: 0, or 2 for a word that no rule has.",
      .run = [options] { return rules(*options); }};
}

}  // namespace pivotcheck::cli
