// SPDX-License-Identifier: Apache-2.0
// log.h: messages about the work itself, for --verbose.
#pragma once

#include <string_view>

namespace pivotcheck {

// False in every program that does not set it, and in those that link the library.
inline bool log_is_verbose = false;

// "pivotcheck: debug: TEXT" and a line break, to standard error, if log_is_verbose.
void log_debug(std::string_view text);

}  // namespace pivotcheck
