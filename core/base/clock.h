// SPDX-License-Identifier: Apache-2.0
// clock.h: the monotonic clock.
#pragma once

#include <chrono>
#include <cstdint>

namespace pivotcheck {

inline std::int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

}  // namespace pivotcheck
