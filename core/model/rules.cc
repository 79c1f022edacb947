// SPDX-License-Identifier: Apache-2.0
// rules.cc: the table of rules.h as data.
#include "model/rules.h"

#include <array>
#include <cerrno>

#include "base/check.h"

namespace pivotcheck {
namespace {

constexpr std::array table{
#define PIVOTCHECK_RULE_ROW(id, name, call, error, reason, source, since) \
  RuleInfo{Rule::id, name, call, error, reason, source, since},
    PIVOTCHECK_RULES(PIVOTCHECK_RULE_ROW)
#undef PIVOTCHECK_RULE_ROW
};

}  // namespace

std::span<const RuleInfo> rule_table() { return table; }

const RuleInfo& info(Rule rule) {
  PIVOTCHECK_CHECK(rule != Rule::none);
  return table[static_cast<std::size_t>(rule) - 1];
}

bool shown_by(const RuleInfo& rule, const Release& release) {
  constexpr std::string_view until = " until ";
  if (rule.since == "always") return true;
  if (leading_release(rule.since) > release) return false;
  const std::size_t end = rule.since.find(until);
  return end == std::string_view::npos ||
         release < leading_release(rule.since.substr(end + until.size()));
}

Rule find_rule(std::string_view name) {
  for (const RuleInfo& row : table) {
    if (row.name == name) return row.rule;
  }
  return Rule::none;
}

}  // namespace pivotcheck
