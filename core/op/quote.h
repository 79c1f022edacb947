// SPDX-License-Identifier: Apache-2.0
// quote.h: a path as scenarios write it and drawings show it: printable ASCII as it is; anything
// else escaped, valid UTF-8 too, because a terminal can be confused by more than control bytes and
// two names that look alike must not be taken for one. A word of a shell is another format
// (explain/remedy.h, shell_word).
//
// Source: scenario/FORMAT.md, section "As pivotcheck prints it".
#pragma once

#include <string>
#include <string_view>

namespace pivotcheck {

// It is empty, or has a byte that a plain word of a scenario can't have.
bool needs_quotes(std::string_view text);
// What stands between the quotes; the text itself where none are needed.
void append_escaped(std::string& out, std::string_view text);
// The text, or "the text" with escapes where it needs quotes.
std::string quoted_if_needed(std::string_view text);

}  // namespace pivotcheck
