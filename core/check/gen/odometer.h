// SPDX-License-Identifier: Apache-2.0
// odometer.h: every sequence of choices that a small generator can ask for, one after the other.
//
//     Odometer choices;
//     do {
//       check(generate_something_small(choices));
//     } while (choices.advance());
//
// Each choice is a digit whose base is the n that was asked for; advance() counts up at the
// last digit and carries. Behind a digit that changed the generator may ask for other things
// than before, so the digits behind it are forgotten. The generator must depend on nothing but
// its choices.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "check/gen/choices.h"

namespace pivotcheck {

class Odometer final : public Choices {
 public:
  std::uint32_t below(std::uint32_t n) override {
    if (position_ == digits_.size()) digits_.push_back({.value = 0, .base = n});
    PIVOTCHECK_CHECK(digits_[position_].base == n);
    return digits_[position_++].value;
  }

  // Turns to the next sequence; false when all have been seen.
  bool advance() {
    digits_.resize(position_);
    position_ = 0;
    while (!digits_.empty()) {
      if (++digits_.back().value < digits_.back().base) return true;
      digits_.pop_back();
    }
    return false;
  }

 private:
  struct Digit {
    std::uint32_t value;
    std::uint32_t base;
  };
  std::vector<Digit> digits_;
  std::size_t position_ = 0;
};

}  // namespace pivotcheck
