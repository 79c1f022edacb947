// SPDX-License-Identifier: Apache-2.0
// mount_names.cc: names from mount points, and numbers by name.
#include "view/mount_names.h"

namespace pivotcheck {
namespace {

// From the numbers of `second` to those that `first` has for the same names, or to new ones.
using Numbers = std::map<std::uint64_t, std::string>;
std::map<std::uint64_t, std::uint64_t> matched(const Numbers& first, const Numbers& second) {
  std::map<std::string_view, std::uint64_t> known;
  for (const auto& [number, name] : first) known.emplace(name, number);
  std::uint64_t fresh = first.empty() ? 0 : first.rbegin()->first;
  std::map<std::uint64_t, std::uint64_t> result{{0, 0}};
  for (const auto& [number, name] : second) {
    const auto place = known.find(name);
    result.emplace(number, place != known.end() ? place->second : ++fresh);
  }
  return result;
}

}  // namespace

std::vector<std::string> mount_names(std::span<const MountView> mounts) {
  std::vector<std::string> result;
  result.reserve(mounts.size());
  std::map<std::string_view, int> seen;
  for (const MountView& mount : mounts) {
    std::string place = quoted_if_needed(mount.mount_point);
    const int height = ++seen[mount.mount_point];
    if (height > 1) place += " [" + std::to_string(height) + "]";
    result.push_back(std::move(place));
  }
  return result;
}

Names names(const Snapshot& snapshot) {
  Names result;
  for (std::size_t i = 0; i < snapshot.namespaces.size(); ++i) {
    const std::vector<MountView>& mounts = snapshot.namespaces[i].mounts;
    const std::vector<std::string> where = mount_names(mounts);
    for (std::size_t j = 0; j < mounts.size(); ++j) {
      const std::string name = "namespace " + std::to_string(i + 1) + ": " + where[j];
      result.mounts.try_emplace(mounts[j].id, name);
      result.filesystems.try_emplace(mounts[j].filesystem, name);
      if (mounts[j].peer_group != 0) result.groups.try_emplace(mounts[j].peer_group, name);
    }
  }
  std::size_t memberless = 0;
  const auto name_memberless = [&](std::uint64_t group) {
    if (group == 0 || result.groups.contains(group)) return;
    result.groups.emplace(group, "memberless group " + std::to_string(++memberless));
  };
  for (const NamespaceView& view : snapshot.namespaces) {
    for (const MountView& mount : view.mounts) {
      name_memberless(mount.master_group);
      name_memberless(mount.receives_from);
    }
  }
  return result;
}

Snapshot numbered_like(const Snapshot& first, Snapshot second) {
  const Names first_names = names(first);
  const Names second_names = names(second);
  auto mounts = matched(first_names.mounts, second_names.mounts);
  auto groups = matched(first_names.groups, second_names.groups);
  auto filesystems = matched(first_names.filesystems, second_names.filesystems);
  for (NamespaceView& view : second.namespaces) {
    for (MountView& mount : view.mounts) {
      mount.id = mounts[mount.id];
      mount.parent = mounts[mount.parent];
      mount.filesystem = filesystems[mount.filesystem];
      mount.peer_group = groups[mount.peer_group];
      mount.master_group = groups[mount.master_group];
      mount.receives_from = groups[mount.receives_from];
    }
  }
  const auto renumber = [&mounts](LocationView& location) {
    if (!location.detached) location.mount = mounts[location.mount];
  };
  for (TaskView& task : second.tasks) {
    renumber(task.root);
    renumber(task.current_directory);
    for (HandleView& handle : task.handles) renumber(handle.location);
  }
  return second;
}

std::string propagation_words(const MountView& mount) {
  std::string words;
  const auto add = [&words](std::string_view word, std::uint64_t group) {
    if (!words.empty()) words += ", ";
    words += word;
    if (group != 0) words += " " + std::to_string(group);
  };
  if (mount.peer_group != 0) add("shared", mount.peer_group);
  if (mount.master_group != 0) add("slave of", mount.master_group);
  if (mount.receives_from != 0) add("receives from", mount.receives_from);
  if (mount.unbindable) add("unbindable", 0);
  return words;
}

}  // namespace pivotcheck
