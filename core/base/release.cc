// SPDX-License-Identifier: Apache-2.0
// release.cc: reading and printing kernel releases (release.h says what counts of them).
#include "base/release.h"

#include <sys/utsname.h>

#include <charconv>
#include <cstddef>
#include <limits>
#include <system_error>

#include "base/check.h"

namespace pivotcheck {
namespace {

struct Number {
  int value = 0;
  bool too_large = false;  // then value is the largest int
};

// Takes the digits at the front of `text`; nullopt where there are none.
std::optional<Number> take_number(std::string_view& text) {
  // std::from_chars would take a sign too.
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  Number number;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number.value);
  if (error == std::errc::result_out_of_range) {
    number = {.value = std::numeric_limits<int>::max(), .too_large = true};
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

}  // namespace

std::optional<Release> parse_release(std::string_view text) {
  Release release;
  for (std::size_t i = 0; i < release.parts.size(); ++i) {
    const std::optional<Number> number = take_number(text);
    if (!number || number->too_large) return std::nullopt;
    release.parts[i] = number->value;
    if (text.empty()) return i >= 1 ? std::optional(release) : std::nullopt;
    if (text.front() != '.') return std::nullopt;
    text.remove_prefix(1);
  }
  return std::nullopt;  // a fourth number, or a dot at the end
}

Release leading_release(std::string_view text) {
  Release release;
  for (int& part : release.parts) {
    const std::optional<Number> number = take_number(text);
    if (!number) break;
    part = number->value;
    if (!text.starts_with('.')) break;
    text.remove_prefix(1);
  }
  return release;
}

Release running_release() {
  utsname name{};
  PIVOTCHECK_CHECK(::uname(&name) == 0);
  return leading_release(name.release);
}

std::string to_string(const Release& release) {
  return std::to_string(release.parts[0]) + '.' + std::to_string(release.parts[1]) + '.' +
         std::to_string(release.parts[2]);
}

}  // namespace pivotcheck
