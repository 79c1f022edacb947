// SPDX-License-Identifier: Apache-2.0
// choices.h: where generators get their random choices from: a seed, or RapidCheck
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

// Choices from a seed. The same seed and case number give the same choices on every machine and
// with every compiler (the distributions of the standard library do not).
//
// The generator is SplitMix64 (Steele, Lea, Flood 2014). It has eight bytes of state, so every case
// has a stream of its own, and any case of a run can be repeated alone.
class SeededChoices final : public Choices {
 public:
  // The stream of case `number` in the run with that seed.
  explicit SeededChoices(std::uint64_t seed, std::uint64_t number = 0)
      : state_(mix(seed) ^ mix(~number)) {}

  std::uint32_t below(std::uint32_t n) override {
    // The upper half of a 32x32-bit product: no division, and a bias below n/2^32.
    state_ += golden;
    const std::uint64_t drawn = mix(state_) >> 32;
    return static_cast<std::uint32_t>((drawn * n) >> 32);
  }

 private:
  static constexpr std::uint64_t golden = 0x9E3779B97F4A7C15;
  static constexpr std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }
  std::uint64_t state_;
};

}  // namespace pivotcheck
