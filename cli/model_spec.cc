// SPDX-License-Identifier: Apache-2.0
// model_spec.cc: the base, then the changes.
#include "model_spec.h"

#include <fmt/format.h>

#include "base/release.h"
#include "check/trial/probed_traits.h"

namespace pivotcheck::cli {
namespace {

Expected<KernelTraits> parse_base(std::string_view text) {
  if (text == "contract") return KernelTraits::contract();
  if (text == "running") return probed_traits().traits;
  if (const auto release = parse_release(text)) return KernelTraits::for_release(*release);
  return fail(fmt::format("no kernel: {} (N.N.N, contract or running)", text));
}

Expected<void> change(KernelTraits& traits, std::string_view text) {
  const std::size_t equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  const std::string_view value = equals == std::string_view::npos ? "" : text.substr(equals + 1);
  const TraitInfo* found = find_trait(name);
  if (found == nullptr) return fail(fmt::format("no trait: {}", name));
  if (value != "on" && value != "off") {
    return fail(fmt::format("{}: on or off is wanted, not \"{}\"", name, value));
  }
  traits.*found->value = value == "on";
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
  for (const TraitInfo& trait : trait_table()) {
    object[std::string(trait.name)] = traits.*trait.value;
  }
  return object;
}

}  // namespace pivotcheck::cli
