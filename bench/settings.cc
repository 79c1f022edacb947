// SPDX-License-Identifier: Apache-2.0
// settings.cc: reads the name of a setting.
#include "settings.h"

#include <algorithm>
#include <charconv>
#include <ranges>
#include <vector>

namespace pivotcheck::bench {
namespace {

template <class Enum>
bool pick(std::initializer_list<std::string_view> names, std::string_view word, Enum& value) {
  const auto found = std::ranges::find(names, word);
  value = static_cast<Enum>(found - names.begin());
  return found != names.end();
}

bool read(std::string_view text, unsigned& number) {
  return std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc();
}

bool read_axis(std::string_view key, std::string_view value, Setting& setting) {
  if (key == "mode") return pick({"thread", "exits"}, value, setting.mode);
  if (key == "mounts") return read(value, setting.mounts);
  if (key == "user") return pick({"none", "unmapped", "mapped"}, value, setting.user);
  if (key != "tree") return key == "idle_threads";
  if (!value.starts_with("shared-")) return pick({"private", "slave"}, value, setting.tree);
  setting.tree = Tree::shared;
  return read(value.substr(value.find('-') + 1), setting.peers);
}

}  // namespace

std::optional<Setting> parse_setting(std::string_view name) {
  std::vector<std::string_view> words;
  for (const auto word : std::views::split(name, '/')) words.emplace_back(word.begin(), word.end());
  if (words.size() < 2) return std::nullopt;
  Setting setting;
  setting.impl = words[0] == "bare" ? Impl::raw_syscalls : Impl::library;
  setting.own_mounts = words[1].ends_with("+mnt");
  const auto strategy = find_strategy(words[1].substr(0, words[1].find('+')));
  if (!strategy) return std::nullopt;
  setting.strategy = *strategy;
  for (const std::string_view word : words | std::views::drop(2)) {
    const std::size_t colon = std::min(word.find(':'), word.size() - 1);
    if (!read_axis(word.substr(0, colon), word.substr(colon + 1), setting)) return std::nullopt;
  }
  return setting;
}

}  // namespace pivotcheck::bench
