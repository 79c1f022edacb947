// SPDX-License-Identifier: Apache-2.0
// flags.h: a set of named flags. The names stand in one table per kind, from which they are parsed
// and printed: `ro,nosuid` is FlagSet<MountFlag>.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace pivotcheck {

// Specialised beside each enum: its names in the order of its values.
template <class Enum>
struct FlagNames;  // static constexpr std::array<std::string_view, N> names

template <class Enum>
class FlagSet {
 public:
  constexpr FlagSet() = default;
  constexpr FlagSet(std::initializer_list<Enum> flags) {
    for (const Enum flag : flags) set(flag);
  }
  [[nodiscard]] constexpr bool has(Enum flag) const { return (bits_ & bit(flag)) != 0; }
  constexpr void set(Enum flag, bool on = true) {
    bits_ = static_cast<std::uint8_t>(on ? bits_ | bit(flag) : bits_ & ~bit(flag));
  }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
  [[nodiscard]] constexpr int count() const { return std::popcount(bits_); }
  [[nodiscard]] constexpr FlagSet with(FlagSet other) const { return from_bits(bits_ | other.bits_); }
  [[nodiscard]] constexpr FlagSet without(FlagSet other) const {
    return from_bits(bits_ & ~other.bits_);
  }
  [[nodiscard]] constexpr FlagSet intersect(FlagSet other) const {
    return from_bits(bits_ & other.bits_);
  }
  // Every flag of `other` is in this set.
  [[nodiscard]] constexpr bool contains(FlagSet other) const {
    return (bits_ & other.bits_) == other.bits_;
  }
  [[nodiscard]] constexpr std::uint8_t bits() const { return bits_; }
  static constexpr FlagSet from_bits(int bits) {
    FlagSet result;
    result.bits_ = static_cast<std::uint8_t>(bits);
    return result;
  }
  constexpr bool operator==(const FlagSet&) const = default;

 private:
  static constexpr std::uint8_t bit(Enum flag) {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(flag));
  }
  std::uint8_t bits_ = 0;
};

// "ro,nosuid", in the order of the table; "" for none.
template <class Enum>
std::string to_string(FlagSet<Enum> flags) {
  std::string result;
  for (std::size_t i = 0; i < FlagNames<Enum>::names.size(); ++i) {
    if (!flags.has(static_cast<Enum>(i))) continue;
    if (!result.empty()) result += ',';
    result += FlagNames<Enum>::names[i];
  }
  return result;
}

// The flag of that name, or -1.
template <class Enum>
int flag_index(std::string_view name) {
  for (std::size_t i = 0; i < FlagNames<Enum>::names.size(); ++i) {
    if (FlagNames<Enum>::names[i] == name) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace pivotcheck
