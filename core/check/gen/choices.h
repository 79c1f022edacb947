// SPDX-License-Identifier: Apache-2.0
// choices.h: where generators get their random choices from: a seed (seeded.h), or RapidCheck
// (props/runner.cc). One set of generators serves them all.
#pragma once

#include <cstdint>

namespace pivotcheck {

class Choices {
 public:
  Choices() = default;
  Choices(const Choices&) = delete;
  Choices& operator=(const Choices&) = delete;
  virtual ~Choices() = default;

  // A number in [0, n). n is at least 1. A source that has ended answers 0.
  virtual std::uint32_t below(std::uint32_t n) = 0;
  // True in about `percent` of a hundred calls. A source that has ended answers false.
  bool chance(std::uint32_t percent) { return below(100) >= 100 - percent; }
};

}  // namespace pivotcheck
