// SPDX-License-Identifier: Apache-2.0
// log.cc: the only file that compiles spdlog: from its headers, without its shared library, so that
// the command stays static and no other file pays for them.
#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace pivotcheck {

void log_debug(std::string_view text) {
  if (!log_is_verbose) return;
  // Made at the first line, because nothing in core is constructed before main.
  static const auto logger = [] {
    auto made = std::make_shared<spdlog::logger>(
        "pivotcheck", std::make_shared<spdlog::sinks::stderr_sink_st>());
    made->set_pattern("%n: %l: %v");
    made->set_level(spdlog::level::debug);
    return made;
  }();
  logger->debug(spdlog::string_view_t(text.data(), text.size()));
}

}  // namespace pivotcheck
