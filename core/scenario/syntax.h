// SPDX-License-Identifier: Apache-2.0
// syntax.h: what the parser and the printer must agree on: the names in header values, and the
// patterns of names. Only words.h, parse.cc and scenario.cc need it. Characters are ASCII whatever
// the locale, which is why <cctype> is not used.
//
// Source: FORMAT.md, section "Lines".
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace pivotcheck::syntax {

inline constexpr std::string_view outcome_mark = "=>";
inline constexpr std::string_view default_task = "A";

inline constexpr std::string_view keep_atime = "keep-atime";  // AttributeChange::keep_atime

// In the order of KernelCondition::Relation and of Privilege.
inline constexpr std::array<std::string_view, 5> relation_names{"<", "<=", "=", ">=", ">"};
inline constexpr std::array<std::string_view, 2> privilege_names{"userns", "root"};

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

// [A-Z][A-Z0-9]*
constexpr bool is_task_name(std::string_view text) {
  return !text.empty() && is_upper(text.front()) &&
         std::ranges::all_of(text, [](char c) { return is_upper(c) || is_digit(c); });
}
// [a-z][a-z0-9]*
constexpr bool is_handle_name(std::string_view text) {
  return !text.empty() && is_lower(text.front()) &&
         std::ranges::all_of(text, [](char c) { return is_lower(c) || is_digit(c); });
}
// [a-z][a-z0-9-]*
constexpr bool is_rule_name(std::string_view text) {
  return !text.empty() && is_lower(text.front()) &&
         std::ranges::all_of(text, [](char c) { return is_lower(c) || is_digit(c) || c == '-'; });
}

// [a-z][a-z0-9_]*
constexpr bool is_trait_name(std::string_view text) {
  return !text.empty() && is_lower(text.front()) &&
         std::ranges::all_of(text, [](char c) { return is_lower(c) || is_digit(c) || c == '_'; });
}

}  // namespace pivotcheck::syntax
