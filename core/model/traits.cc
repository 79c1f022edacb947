// SPDX-License-Identifier: Apache-2.0
// traits.cc: the table of traits as data.
#include "model/traits.h"

#include <algorithm>

namespace pivotcheck {
namespace {

constexpr TraitInfo row(std::string_view name, bool KernelTraits::*value, TraitInfo info) {
  info.name = name;
  info.value = value;
  return info;
}

constexpr std::array table{
#define TRAIT(identifier, ...) \
  row(#identifier, &KernelTraits::identifier, TraitInfo{__VA_ARGS__}),
#include "model/trait_rows.h"
#undef TRAIT
};
static_assert(table.size() == traits_count);

}  // namespace

std::span<const TraitInfo> trait_table() { return table; }

const TraitInfo& info(Trait trait) { return table[static_cast<std::size_t>(trait)]; }

const TraitInfo* find_trait(std::string_view name) {
  const auto row = std::ranges::find(table, name, &TraitInfo::name);
  return row == table.end() ? nullptr : &*row;
}

KernelTraits KernelTraits::contract() {
  KernelTraits traits;
  for (const TraitInfo& trait : table) {
    if (trait.is_quirk) traits.*trait.value = false;
  }
  return traits;
}

KernelTraits KernelTraits::for_release(const Release& release) {
  KernelTraits traits;
  for (const TraitInfo& trait : table) traits.*trait.value = trait.in.contain(release);
  return traits;
}

}  // namespace pivotcheck
