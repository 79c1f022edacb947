// SPDX-License-Identifier: Apache-2.0
// formatting.cc: fmt and spdlog as one object file, for a command that is linked statically: the
// distribution has both as headers and as shared libraries only. Everything else is compiled as for
// the shared ones, which takes half the time, and finds its symbols here.
//
// Headers alone define a function where it is called. So each that the others may need is called
// here, in ways that are never reached, and nothing is inlined in this file (core/CMakeLists.txt).
#define FMT_HEADER_ONLY 1
#define SPDLOG_FMT_EXTERNAL
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <string>

namespace pivotcheck {

// Calls, for their symbols, whatever a format string and the log may come to.
void call_all_of_formatting(const std::string& format) {
  spdlog::set_default_logger(spdlog::stderr_logger_st(format));
  spdlog::set_pattern(format);
  spdlog::set_level(spdlog::level::warn);
  spdlog::debug("{}", format);
  spdlog::default_logger_raw()->log(spdlog::level::debug, format);
  spdlog::info(fmt::vformat(format, fmt::make_format_args(format)));
  const int number = static_cast<int>(format.size());
  const auto real = static_cast<double>(number);
  spdlog::warn(fmt::format(fmt::runtime(format), number, 1UL, -1L, 'c', true, format.c_str(), real,
                           static_cast<float>(number), static_cast<long double>(number),
                           static_cast<const void*>(&number)));
  fmt::print(fmt::runtime(format), number);
  fmt::print(stderr, fmt::runtime(format), number);
}

}  // namespace pivotcheck
