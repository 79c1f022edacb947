// SPDX-License-Identifier: Apache-2.0
// flags.h: a set of named flags, `ro,nosuid` for FlagSet<MountFlag>. The text has the names that the
// enumerators have here: none can lack its name.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace pivotcheck {

// The name of an enumerator as the compiler prints it in the name of this function, "... [with auto
// value = pivotcheck::MountFlag::ro; ...]", without the '_' that tells `private_` from a keyword; ""
// for a value that has no name, which is printed as "(pivotcheck::MountFlag)5".
template <auto value>
constexpr std::string_view enumerator_name() {
  constexpr std::string_view before = "value = ";
  std::string_view text = __PRETTY_FUNCTION__;
  text.remove_prefix(text.find(before) + before.size());
  text = text.substr(0, text.find_first_of(";]"));
  if (text.starts_with('(')) return {};
  text.remove_prefix(text.rfind(':') + 1);
  if (text.ends_with('_')) text.remove_suffix(1);
  return text;
}

// The names of all enumerators, which are 0, 1, 2, ...
template <class Enum, std::size_t... value>
constexpr auto enumerator_names(std::index_sequence<value...>) {
  constexpr std::size_t count = sizeof...(value);
  if constexpr (enumerator_name<static_cast<Enum>(count)>().empty()) {
    return std::array<std::string_view, count>{enumerator_name<static_cast<Enum>(value)>()...};
  } else {
    return enumerator_names<Enum>(std::make_index_sequence<count + 1>());
  }
}
template <class Enum>
struct FlagNames {
  static constexpr auto names = enumerator_names<Enum>(std::index_sequence<>());
};

template <class Enum>
class FlagSet {
 public:
  constexpr FlagSet() = default;
  constexpr FlagSet(std::initializer_list<Enum> flags) {
    for (const Enum flag : flags) set(flag);
  }
  [[nodiscard]] constexpr bool has(Enum flag) const { return (bits_ & bit(flag)) != 0; }
  constexpr void set(Enum flag, bool on = true) {
    bits_ = static_cast<std::uint16_t>(on ? bits_ | bit(flag) : bits_ & ~bit(flag));
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
  [[nodiscard]] constexpr std::uint16_t bits() const { return bits_; }
  static constexpr FlagSet from_bits(int bits) {
    FlagSet result;
    result.bits_ = static_cast<std::uint16_t>(bits);
    return result;
  }
  constexpr bool operator==(const FlagSet&) const = default;

 private:
  static constexpr std::uint16_t bit(Enum flag) {
    return static_cast<std::uint16_t>(1U << static_cast<unsigned>(flag));
  }
  std::uint16_t bits_ = 0;
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

template <class Enum>
std::optional<Enum> flag_named(std::string_view name) {
  for (std::size_t i = 0; i < FlagNames<Enum>::names.size(); ++i) {
    if (FlagNames<Enum>::names[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace pivotcheck
