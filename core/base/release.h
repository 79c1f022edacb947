// SPDX-License-Identifier: Apache-2.0
// release.h: a kernel release as people compare it: the leading numbers only, a missing part is 0
// ("6.12.117-cloud" is 6.12.117, "6.18-rc2" is 6.18.0). Distributions put a number of their own
// there; some name the stable release in utsname.version: Debian's 6.1.0-56 is 6.1.192.
#pragma once

#include <array>
#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace pivotcheck {

struct Release {
  std::array<int, 3> parts{};  // major, minor, patch

  auto operator<=>(const Release&) const = default;
};

// "6.12", "6.12.3": nothing else. nullopt for anything that is not N.N or N.N.N.
std::optional<Release> parse_release(std::string_view text);
// The leading numbers of uname's release; parts that are missing are 0.
Release leading_release(std::string_view text);
// The same, but the stable release of that series where a word of uname's version is one: 6.1.192
// of "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-1 (2026-10-18)".
Release stable_release(std::string_view release, std::string_view version);
Release running_release();  // of the running kernel
std::string to_string(const Release& release);

}  // namespace pivotcheck
