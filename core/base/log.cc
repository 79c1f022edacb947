// SPDX-License-Identifier: Apache-2.0
// log.cc: one line to standard error.
#include "base/log.h"

#include <cstdio>

namespace pivotcheck {

void log_debug(std::string_view text) {
  if (!log_is_verbose) return;
  std::fprintf(stderr, "pivotcheck: debug: %.*s\n", static_cast<int>(text.size()), text.data());
}

}  // namespace pivotcheck
