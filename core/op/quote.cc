// SPDX-License-Identifier: Apache-2.0
// quote.cc: see quote.h.
#include "op/quote.h"

namespace pivotcheck {
namespace {

bool is_printable(char c) { return c >= 0x20 && c < 0x7F; }

void append_escaped(std::string& out, char c) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  if (is_printable(c)) {
    out += c;
  } else {
    out += "\\x";
    out += digits[byte / 16];
    out += digits[byte % 16];
  }
}

}  // namespace

bool needs_quotes(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ' ' || !is_printable(c) || c == '"' || c == '\\') return true;
    if (c == '=' && i + 1 < text.size() && text[i + 1] == '>') return true;
  }
  return text.empty() || text.front() == '#';
}

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) append_escaped(out, c);
}

std::string quoted_if_needed(std::string_view text) {
  std::string out;
  if (!needs_quotes(text)) return out.append(text);
  out += '"';
  append_escaped(out, text);
  out += '"';
  return out;
}

}  // namespace pivotcheck
