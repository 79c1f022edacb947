// SPDX-License-Identifier: Apache-2.0
// places.cc: walks down the model's directories at random, and spells paths.
#include "check/gen/places.h"

#include <array>
#include <span>

#include "model/lookup.h"

namespace pivotcheck::gen {
namespace {

using model::DentryId;
using model::Kind;
using model::Location;
using model::Mount;
using model::MountIndex;

constexpr int depth_max = 3;

std::uint32_t count(std::size_t n) { return static_cast<std::uint32_t>(n); }

}  // namespace

// A child to go on with: the first that fits, from a random one onwards. A path to a directory
// never goes through a symbolic link: where that leads takes a lookup.
DentryId Places::some_child(DentryId directory, Want want) const {
  const auto& children = world_[directory].children;
  if (children.empty()) return {};
  const std::size_t first = choices_.below(count(children.size()));
  for (std::size_t i = 0; i < children.size(); ++i) {
    const DentryId child = children[(first + i) % children.size()];
    const Kind kind = world_[child].kind;
    if (kind == Kind::directory || want == Want::anything) return child;
    if (want == Want::file && kind == Kind::file) return child;
  }
  return {};
}

Site Places::walk(Site from, int deepest, Want want) const {
  for (int depth = 0; depth < deepest; ++depth) {
    if (world_[from.at.dentry].kind != Kind::directory) break;
    if (world_[from.at.dentry].children.empty()) break;
    if (!choices_.chance(want == Want::directory ? 70 : 80)) break;
    const DentryId child = some_child(from.at.dentry, want);
    if (!child.exists()) break;
    from.text += '/';
    from.text += world_[child].name;
    from.at = world_.topmost({from.at.mount, child});
  }
  return from;
}

Site Places::directory() const { return below({{}, task_.root}, depth_max); }

Site Places::below(Site from, int deepest) const {
  // A mount on top of the root is reached by ".." from the root, and by no other path.
  const Location top = world_.topmost(from.at);
  if (from.text.empty() && from.at == task_.root && top != from.at && choices_.chance(50)) {
    from = {"/..", top};
  }
  return walk(std::move(from), deepest, Want::directory);
}

Site Places::anything() const { return walk({{}, task_.root}, depth_max, Want::anything); }
Site Places::file() const { return walk({{}, task_.root}, depth_max, Want::file); }

Site Places::mount_root() const {
  const std::size_t size = world_.mounts.size();
  const std::size_t first = choices_.below(count(size));
  for (std::size_t i = 0; i < size; ++i) {
    const MountIndex mount{count((first + i) % size)};
    const Mount& m = world_[mount];
    if (!m.exists || m.mount_ns != task_.mount_ns || !m.parent.exists()) continue;
    const Location at{mount, m.root};
    if (auto text = way_down(task_.root, at)) return {std::move(*text), at};
  }
  return {{}, task_.root};
}

std::optional<std::string> Places::way_down(Location from, Location to) const {
  std::array<DentryId, 12> names{};  // deeper than generated trees; nullopt beyond
  std::size_t used = 0;
  bool from_is_covered = false;
  while (to != from) {
    const Mount& mount = world_[to.mount];
    if (to.dentry == mount.root) {
      if (!mount.parent.exists()) return std::nullopt;
      to = {mount.parent, mount.mount_point};
      from_is_covered = to == from;
      continue;
    }
    const DentryId parent = world_[to.dentry].parent;
    if (parent == to.dentry || used == names.size()) return std::nullopt;
    names[used++] = to.dentry;
    to.dentry = parent;
  }
  if (from_is_covered && from != task_.root) return std::nullopt;
  std::string text = from_is_covered ? "/.." : "";
  while (used > 0) {
    text += '/';
    text += world_[names[--used]].name;
  }
  return text;
}

std::string Places::free_name(const Site& directory, Kind kind) const {
  // A small universe: collisions are what makes a scenario interesting.
  static constexpr std::array<std::string_view, 8> all{"a", "b", "c", "d", "f", "g", "l", "m"};
  const auto names = kind == Kind::directory ? std::span(all).first(4)
                     : kind == Kind::file    ? std::span(all).subspan(4, 2)
                                             : std::span(all).last(2);
  const std::uint32_t first = choices_.below(count(names.size()));
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string_view name = names[(first + i) % names.size()];
    if (!world_.child(directory.at.dentry, name).exists()) return std::string(name);
  }
  return std::string(names[first]);
}

// From the current directory: down from it, or up to the root and down again.
std::optional<std::string> Places::relative(const Site& site) const {
  if (const auto down = way_down(task_.current_directory, site.at)) {
    return down->empty() ? "." : down->substr(1);
  }
  const auto here = way_down(task_.root, task_.current_directory);
  if (!here || here->empty()) return std::nullopt;
  std::string up = "..";
  for (const char c : here->substr(1)) {
    if (c == '/') up += "/..";
  }
  return up + site.text;
}

std::optional<Path> Places::through_handle(const Site& site) const {
  if (task_.handles.empty()) return std::nullopt;
  const auto& handle = task_.handles[choices_.below(count(task_.handles.size()))];
  if (auto down = way_down(handle.at, site.at)) return handle.path(std::move(*down));
  // Elsewhere, detached, or in another namespace: a bare handle reaches what no path does.
  return handle.path();
}

std::string Places::noisy_spelling(const Site& site) const {
  switch (choices_.below(5)) {
    case 0: return site.text + "/";
    case 1: return site.text + "/.";
    case 2: return "/" + site.absolute();
    case 3: return "/." + site.absolute();
    default: break;
  }
  const DentryId child = world_[site.at.dentry].kind == Kind::directory
                             ? some_child(site.at.dentry, Want::directory)
                             : DentryId{};
  if (!child.exists()) return "/.." + site.absolute();
  return site.text + "/" + world_[child].name + "/..";
}

Path Places::broken(const Site& site) const {
  switch (choices_.below(8)) {
    case 0: return {""};
    case 1: return {site.text + "/f/a"};
    case 2: return {site.text + "/" + std::string(choices_.chance(50) ? 255 : 256, 'n')};
    case 3: return {std::string(choices_.chance(50) ? 4095 : 4096, '/')};
    case 4: return Path(some_handle_name(choices_), "");
    case 5: return Path(some_handle_name(choices_), "/a");
    case 6: return {site.text + "/l"};
    default: return {site.text + "/d/.."};
  }
}

std::optional<Path> Places::detached_tree() const {
  std::vector<const model::Handle*> handles;
  for (const model::Handle& handle : task_.handles) {
    if (world_.is_detached_tree(world_[handle.at.mount].mount_ns)) handles.push_back(&handle);
  }
  if (handles.empty()) return std::nullopt;
  return handles[choices_.below(count(handles.size()))]->path();
}

std::optional<Path> Places::in_detached_tree() const {
  std::optional<Path> path = detached_tree();
  if (!path) return path;
  model::Location at = model::find_handle(task_, path->slot)->at;
  while (choices_.chance(40) && world_[at.dentry].kind == Kind::directory) {
    const DentryId child = some_child(at.dentry, Want::directory);
    if (!child.exists()) break;
    path->text += "/" + world_[child].name;
    at = world_.topmost({at.mount, child});
  }
  return path;
}

Path Places::spell_path(const Site& site) const {
  if (choices_.chance(3)) return broken(site);
  const std::uint32_t manner = choices_.below(100);
  if (manner < 60) return {site.absolute()};
  if (manner < 78) {
    if (auto text = relative(site)) return {std::move(*text)};
  } else if (manner < 90) {
    if (auto path = through_handle(site)) return std::move(*path);
  } else {
    return {noisy_spelling(site)};
  }
  return {site.absolute()};
}

Path Places::spell_path(const Site& directory, const std::string& name) const {
  Path path = spell_path(directory);
  if (!path.handle.empty() || (!path.text.empty() && path.text.back() != '/')) path.text += '/';
  path.text += name;
  if (choices_.chance(1)) path.text += '/';
  return path;
}

}  // namespace pivotcheck::gen
