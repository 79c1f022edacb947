// SPDX-License-Identifier: Apache-2.0
// bytes.h: choices from the bytes of a fuzzer. Each choice takes as few whole bytes as it
// needs, from the front, so that a byte which the fuzzer changes changes one choice. When they
// have run dry every answer is 0, the simplest one: fewer bytes are a simpler scenario.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "check/gen/choices.h"

namespace pivotcheck {

class ByteChoices final : public Choices {
 public:
  explicit ByteChoices(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  std::uint32_t below(std::uint32_t n) override {
    if (n <= 1) return 0;
    const std::size_t wanted = n <= 0x100 ? 1 : n <= 0x10000 ? 2 : 4;
    if (bytes_.size() < wanted) {
      bytes_ = {};
      return 0;
    }
    std::uint32_t drawn = 0;
    for (std::size_t i = 0; i < wanted; ++i) {
      drawn |= static_cast<std::uint32_t>(bytes_[i]) << (8 * i);
    }
    bytes_ = bytes_.subspan(wanted);
    return drawn % n;
  }

  [[nodiscard]] bool dry() const { return bytes_.empty(); }

 private:
  std::span<const std::uint8_t> bytes_;
};

}  // namespace pivotcheck
