// SPDX-License-Identifier: Apache-2.0
// named_mounts.cc: walks from the root down the tree of mounts.
#include "check/gen/named_mounts.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace pivotcheck::gen {
namespace {

using model::DentryId;
using model::Location;
using model::MountIndex;
using model::World;

// The way from a directory of a mount down to another: "/a/b"; nullopt if it is not below, or if
// something is mounted on the way.
std::optional<std::string> way_in_mount(const World& world, Location from, DentryId to) {
  std::string path;
  for (DentryId at = to; at != from.dentry; at = world[at].parent) {
    const bool is_covered = at != to && world.mounted_at(from.mount, at).exists();
    if (is_covered || world[at].parent == at) return std::nullopt;
    path.insert(0, world[at].name).insert(0, 1, '/');
  }
  return path;
}

class Search {
 public:
  explicit Search(const World& world) : world_(world) {}

  // The mount whose root this is, and all that paths from there name.
  void add(Location at, const Path& path) {
    const bool is_known = std::ranges::find(found_, at.mount, &NamedMount::mount) != found_.end();
    if (is_known) return;
    if (world_.is_mount_root(at)) {
      const bool is_root = path.handle.empty() && path.text.empty();
      found_.push_back({at.mount, is_root ? Path("/") : path});
    }
    for (const MountIndex child : world_[at.mount].children) {
      const DentryId place = world_[child].mount_point;
      if (world_.mounted_at(at.mount, place) != child || place == at.dentry) continue;
      const auto way = way_in_mount(world_, at, place);
      if (!way) continue;
      Path longer = path;
      longer.text += *way;
      add(world_.topmost({child, world_[child].root}), longer);
    }
  }

  std::vector<NamedMount> take() { return std::move(found_); }

 private:
  const World& world_;
  std::vector<NamedMount> found_;
};

void add_from_root(Search& search, const World& world, model::NamespaceId mount_ns, Location root) {
  if (!root.mount.exists() || world[root.mount].mount_ns != mount_ns) return;
  search.add(root, {});
  const Location top = world.topmost(root);
  if (top != root) search.add(top, {"/.."});
}

}  // namespace

std::vector<NamedMount> named_mounts(const World& world, const model::Task& task) {
  Search search(world);
  add_from_root(search, world, task.mount_ns, task.root);
  for (const model::Handle& handle : task.handles) {
    if (world[handle.at.mount].mount_ns == task.mount_ns) search.add(handle.at, handle.path());
  }
  return search.take();
}

std::vector<NamedMount> named_mounts(const World& world, model::NamespaceId mount_ns,
                                     Location root) {
  Search search(world);
  add_from_root(search, world, mount_ns, root);
  return search.take();
}

}  // namespace pivotcheck::gen
