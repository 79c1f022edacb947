// SPDX-License-Identifier: Apache-2.0
// release.cc: reading and printing kernel releases (release.h says what counts of them).
#include "base/release.h"

#include <sys/utsname.h>

#include <algorithm>
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

Release stable_release(std::string_view release, std::string_view version) {
  const Release named = leading_release(release);
  while (!version.empty()) {
    const std::string_view word = version.substr(0, version.find(' '));
    version.remove_prefix(std::min(word.size() + 1, version.size()));
    const auto found = parse_release(word.substr(0, word.find_first_not_of("0123456789.")));
    const bool is_whole = std::ranges::count(word.substr(0, word.find('-')), '.') == 2;
    if (found && is_whole && found->parts[0] == named.parts[0] &&
        found->parts[1] == named.parts[1]) {
      return *found;
    }
  }
  return named;
}

Release running_release() {
  utsname name{};
  PIVOTCHECK_CHECK(::uname(&name) == 0);
  return stable_release(name.release, name.version);
}

std::string to_string(const Release& release) {
  return std::to_string(release.parts[0]) + '.' + std::to_string(release.parts[1]) + '.' +
         std::to_string(release.parts[2]);
}

}  // namespace pivotcheck
