// SPDX-License-Identifier: Apache-2.0
// snapshot.cc: what the model's world looks like, in the terms in which the observers read the
// kernel's; and what must hold in every world.
#include <algorithm>

#include "model/world.h"

namespace pivotcheck::model {
namespace {

std::uint64_t number(auto id) { return id.exists() ? std::uint64_t{id.value} + 1 : 0; }

// From where a namespace is seen.
struct Seen {
  Location top;     // mount none: the namespace has none, or that place is elsewhere
  bool everywhere;  // by a list of the kernel's, which also has what no path leads to
  bool shows_receives_from = true;
};

Seen seen_from(const World& world, NamespaceId mount_ns, const Viewpoint& from,
               std::span<const Task* const> alive) {
  const MountIndex lowest = world.lowest_mount(mount_ns);
  if (!lowest.exists()) return {{}, false};
  Location top = world.namespace_root(mount_ns);
  switch (from.from) {
    case Viewpoint::From::everywhere:
      return {{lowest, world[lowest].root}, true, from.shows_receives_from};
    case Viewpoint::From::root: top = alive[from.task]->root; break;
    case Viewpoint::From::current_directory: top = alive[from.task]->current_directory; break;
    case Viewpoint::From::handle:
      top = std::ranges::find(alive[from.task]->handles, from.handle, &Handle::name)->at;
      break;
    case Viewpoint::From::entered: break;
  }
  return {world[top.mount].mount_ns == mount_ns ? top : Location{}, false};
}

// A list from outside leaves out, before 7.0, what is on a directory that was renamed out of what the
// lowest mount shows, with what is mounted on that; a process sees nothing that has no path for it.
bool is_visible(const World& world, MountIndex mount, const Seen& by) {
  if (!by.top.mount.exists()) return false;
  if (!by.everywhere) return !world.mount_point_path(mount, by.top).empty();
  return world.traits.lists_all_mounts ||
         world.is_reachable({mount, world[mount].root}, by.top);
}

// proc_pid_mountinfo(5), propagate_from: the nearest group above `mount` that has a member in the
// same namespace that can be reached from its top.
GroupId receives_from(const World& world, MountIndex mount, const Location& top) {
  const NamespaceId mount_ns = world[mount].mount_ns;
  for (GroupId g = world.master(mount); g.exists(); g = world[g].master) {
    const bool visible = std::ranges::any_of(world[g].members, [&](MountIndex m) {
      return world[m].mount_ns == mount_ns && world.is_reachable({m, world[m].root}, top);
    });
    if (visible) return g;
  }
  return {};
}

MountView view_of(const World& world, MountIndex id, const Seen& by) {
  const Mount& mount = world[id];
  MountView view;
  view.id = number(id);
  // Of the mount in which a task's root is a directory below, only that part is seen.
  const bool is_lowest = id == by.top.mount ||
                         (mount.parent == by.top.mount && !world.is_mount_root(by.top));
  view.parent = is_lowest ? 0 : number(mount.parent);
  view.mount_point =
      by.everywhere ? world.mount_point_path(id) : world.mount_point_path(id, by.top);
  view.filesystem = number(world[mount.root].filesystem);
  view.root = world.path_in_filesystem(mount.root);
  view.root_removed = world[mount.root].removed;
  view.flags = mount.flags;
  view.filesystem_read_only = world[world[mount.root].filesystem].read_only;
  view.peer_group = number(mount.group);
  view.master_group = number(world.master(id));
  const GroupId from = receives_from(world, id, by.top);
  const bool is_shown = by.shows_receives_from && from != world.master(id);
  view.receives_from = is_shown ? number(from) : 0;
  view.unbindable = mount.unbindable;
  return view;
}

}  // namespace

Snapshot snapshot(const World& world, std::span<const Viewpoint> from) {
  Snapshot result;
  std::vector<const Task*> alive;
  for (const Task& task : world.tasks) {
    if (task.alive) alive.push_back(&task);
  }
  std::vector<NamespaceId> shown;
  std::vector<Seen> seen;  // of each
  const auto shown_index = [&](NamespaceId mount_ns) {
    return static_cast<std::uint32_t>(std::ranges::find(shown, mount_ns) - shown.begin());
  };
  for (const Task* task : alive) {
    if (shown_index(task->mount_ns) < shown.size()) continue;
    const Viewpoint viewpoint = shown.size() < from.size() ? from[shown.size()] : Viewpoint();
    shown.push_back(task->mount_ns);
    const Seen& by = seen.emplace_back(seen_from(world, task->mount_ns, viewpoint, alive));
    NamespaceView view;
    if (by.top.mount.exists()) {
      for (const MountIndex m : world.subtree(by.top.mount)) {
        if (is_visible(world, m, by)) view.mounts.push_back(view_of(world, m, by));
      }
    }
    result.namespaces.push_back(std::move(view));
  }
  const auto locate = [&](const Location& at) {
    const std::size_t index = shown_index(world[at.mount].mount_ns);
    const bool detached = index >= shown.size() || !is_visible(world, at.mount, seen[index]);
    return pivotcheck::LocationView{.mount = number(at.mount),
                                .detached = detached,
                                .path = world.path_of(at),
                                .removed = world.looks_removed(at),
                                .object = number(at.dentry)};
  };
  for (const Task* task : alive) {
    TaskView view{.name = task->name,
                  .mount_namespace = shown_index(task->mount_ns),
                  .root = locate(task->root),
                  .current_directory = locate(task->current_directory),
                  .handles = {}};
    for (const Handle& handle : task->handles) {
      view.handles.push_back({handle.name, locate(handle.at)});
    }
    result.tasks.push_back(std::move(view));
  }
  return result;
}

std::string broken_invariant(const World& world) {
  for (std::uint32_t i = 0; i < world.mounts.size(); ++i) {
    const Mount& mount = world.mounts[i];
    const std::string name = "mount " + std::to_string(i);
    if (!mount.exists) continue;
    if (mount.mount_ns.exists() == mount.unmounted) {
      return name + " is neither mounted nor unmounted";
    }
    const bool is_lowest =
        mount.mount_ns.exists() && (world[mount.mount_ns].rootfs == MountIndex{i} ||
                                    world[mount.mount_ns].detached_root == MountIndex{i});
    if (mount.mount_ns.exists() && !is_lowest && !mount.parent.exists()) {
      return name + " has no parent";
    }
    if (is_lowest && mount.parent.exists()) return name + " is the lowest and has a parent";
    if (mount.parent.exists()) {
      const Mount& parent = world[mount.parent];
      if (parent.mount_ns != mount.mount_ns) {
        return name + " is in another namespace than its parent";
      }
      if (std::ranges::count(parent.children, MountIndex{i}) != 1) {
        return name + " is not a child of its parent";
      }
      if (world.traits.tucks_beneath_whole_stack &&
          world.mounted_at(mount.parent, mount.mount_point) != MountIndex{i}) {
        return name + " shares its mount point with another mount";
      }
    }
    if (mount.group.exists() &&
        std::ranges::count(world[mount.group].members, MountIndex{i}) != 1) {
      return name + " is not a member of its group";
    }
    if (mount.group.exists() && mount.own_master.exists()) return name + " has two masters";
    if (mount.group.exists() && mount.unbindable) return name + " is shared and unbindable";
  }
  for (const Task& task : world.tasks) {
    if (!task.alive) continue;
    if (!world[task.root.mount].exists || !world[task.current_directory.mount].exists) {
      return "the root or current directory of task " + task.name + " is on a mount that is gone";
    }
  }
  return "";
}

}  // namespace pivotcheck::model
