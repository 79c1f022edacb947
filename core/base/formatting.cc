// SPDX-License-Identifier: Apache-2.0
// formatting.cc: fmt as one object file, for a command that is linked statically: the distribution
// has it as headers and as a shared library only. Everything else is compiled as for the shared one,
// which takes half the time, and finds its symbols here.
//
// Headers alone define a function where it is called. So each that the others may need is called
// here, in ways that are never reached, and nothing is inlined in this file (core/CMakeLists.txt).
#define FMT_HEADER_ONLY 1
#include <fmt/format.h>

#include <cstdio>
#include <string>

namespace pivotcheck {

// Calls, for their symbols, whatever a format string may come to.
void call_all_of_formatting(const std::string& format) {
  const int number = static_cast<int>(format.size());
  const auto real = static_cast<double>(number);
  fmt::print(fmt::runtime(format), number, 1UL, -1L, 'c', true, format.c_str(), format, real,
             static_cast<float>(number), static_cast<long double>(number),
             static_cast<const void*>(&number));
  fmt::print(stderr, fmt::runtime(format), number);
  fmt::print("{}", fmt::vformat(format, fmt::make_format_args(format)));
}

}  // namespace pivotcheck
