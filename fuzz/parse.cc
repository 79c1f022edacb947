// SPDX-License-Identifier: Apache-2.0
// parse: whatever the bytes, the scenario parser says a scenario or where the mistake is; and a
// scenario, printed and parsed, is the same scenario.
#include "scenario/scenario.h"
#include "scenario_input.h"

using namespace pivotcheck;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto scenario = parse(text);
  if (!scenario) {
    const ParseError& error = scenario.error();
    if (error.line < 1 || error.column < 1 || error.what.empty()) fuzz::found("no place");
    if (error.what.find('\n') != std::string::npos) fuzz::found("lines: " + error.what);
    return 0;
  }
  const std::string printed = print(*scenario);
  const auto again = parse(printed);
  if (!again) fuzz::found(printed + "# does not parse: " + again.error().what);
  if (*again != *scenario) fuzz::found(printed + "# is another scenario than was read");
  if (print(*again) != printed) fuzz::found(printed + "# is printed in another way again");
  return 0;
}
