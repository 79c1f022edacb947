// SPDX-License-Identifier: Apache-2.0
// model_spec.cc: the base, then the changes.
#include "model_spec.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "base/release.h"

namespace pivotcheck::cli {
namespace {

constexpr std::pair<std::string_view, bool KernelTraits::*> traits_by_name[] = {
    {"tucks_beneath_whole_stack", &KernelTraits::tucks_beneath_whole_stack},
    {"detached_target_is_gone", &KernelTraits::detached_target_is_gone},
    {"move_checks_kinds_first", &KernelTraits::move_checks_kinds_first},
    {"namespace_copy_loses_unbindable", &KernelTraits::namespace_copy_loses_unbindable},
    {"open_checks_name_first", &KernelTraits::open_checks_name_first},
    {"knows_move_mount_beneath", &KernelTraits::knows_move_mount_beneath},
    {"move_mount_target_first", &KernelTraits::move_mount_target_first},
    {"detached_trees_can_grow", &KernelTraits::detached_trees_can_grow},
    {"beneath_checks_detached_root", &KernelTraits::beneath_checks_detached_root},
    {"umount_takes_busy_copies", &KernelTraits::umount_takes_busy_copies},
    {"set_group_leaves_unbindable", &KernelTraits::set_group_leaves_unbindable},
    {"lock_rises_with_cover", &KernelTraits::lock_rises_with_cover},
    {"arrival_unlocks_cover", &KernelTraits::arrival_unlocks_cover},
};
static_assert(sizeof(KernelTraits) == std::size(traits_by_name), "each trait has its name here");

Expected<KernelTraits> parse_base(std::string_view text) {
  if (text == "contract") return KernelTraits::contract();
  if (text == "running") return KernelTraits::for_release(running_release());
  if (const auto release = parse_release(text)) return KernelTraits::for_release(*release);
  return fail(fmt::format("no kernel: {} (N.N.N, contract or running)", text));
}

Expected<void> change(KernelTraits& traits, std::string_view text) {
  const std::size_t equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  const std::string_view value = equals == std::string_view::npos ? "" : text.substr(equals + 1);
  const auto* const found =
      std::ranges::find(traits_by_name, name, [](const auto& trait) { return trait.first; });
  if (found == std::end(traits_by_name)) return fail(fmt::format("no trait: {}", name));
  if (value != "on" && value != "off") {
    return fail(fmt::format("{}: on or off is wanted, not \"{}\"", name, value));
  }
  traits.*(found->second) = value == "on";
  return {};
}

}  // namespace

Expected<KernelTraits> parse_model(std::string_view spec) {
  std::size_t comma = spec.find(',');
  Expected<KernelTraits> traits = parse_base(spec.substr(0, comma));
  while (traits && comma != std::string_view::npos) {
    spec.remove_prefix(comma + 1);
    comma = spec.find(',');
    const auto changed = change(*traits, spec.substr(0, comma));
    if (!changed) return std::unexpected(changed.error());
  }
  return traits;
}

Json json_of(const KernelTraits& traits) {
  Json object = Json::object();
  for (const auto& [name, member] : traits_by_name) object[std::string(name)] = traits.*member;
  return object;
}

}  // namespace pivotcheck::cli
