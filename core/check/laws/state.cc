// SPDX-License-Identifier: Apache-2.0
// state.cc: a Snapshot as a State, and what the laws ask of one.
#include "check/laws/state.h"

#include <algorithm>
#include <ranges>

namespace pivotcheck::laws {
namespace {

std::string joined(std::string_view directory, std::string_view below) {
  if (directory == "/") directory = "";
  std::string path(directory);
  path += below;
  return path.empty() ? "/" : path;
}

// `path`, from the top of a tree, as one of the filesystem of the mount at `mount_point`.
std::string in_filesystem(const MountView& mount, std::string_view path) {
  if (!is_below_or_at(path, mount.mount_point)) return "";
  const std::size_t skipped = mount.mount_point == "/" ? 0 : mount.mount_point.size();
  const std::string_view below = path.substr(skipped);
  return joined(mount.root, below == "/" ? "" : below);
}

const MountView* view_of(const Snapshot& snapshot, MountId id) {
  for (const NamespaceView& view : snapshot.namespaces) {
    const auto found = std::ranges::find(view.mounts, id, &MountView::id);
    if (found != view.mounts.end()) return &*found;
  }
  return nullptr;
}

MountState mount_state(const Snapshot& snapshot, const MountView& view, std::uint32_t tree) {
  const MountView* parent = view.parent == 0 ? nullptr : view_of(snapshot, view.parent);
  const bool has_path = parent != nullptr && !view.mount_point.empty();
  return {.id = view.id,
          .parent = view.parent,
          .tree = tree,
          .filesystem = view.filesystem,
          .place = has_path ? in_filesystem(*parent, view.mount_point) : "",
          .root = view.root,
          .root_removed = view.root_removed,
          .flags = view.flags,
          .filesystem_read_only = view.filesystem_read_only,
          .group = view.peer_group,
          .master = view.master_group,
          .unbindable = view.unbindable};
}

PlaceState place_state(const Snapshot& snapshot, const LocationView& view) {
  const MountView* mount = view.detached ? nullptr : view_of(snapshot, view.mount);
  return {.mount = view.mount,
          .object = view.object,
          .path = mount == nullptr ? "" : in_filesystem(*mount, view.path),
          .removed = view.removed};
}

// Leaves the directory by "..": out of mounts, but not out of the task's root.
PlaceState parent_of(const State& state, const TaskState& task, PlaceState at) {
  while (at.mount != task.root.mount || at.path != task.root.path) {
    const MountState* mount = state.mount(at.mount);
    if (mount == nullptr) break;
    if (at.path != mount->root) {
      const std::size_t slash = at.path.rfind('/');
      at.path = slash == 0 ? "/" : at.path.substr(0, slash);
      return at;
    }
    if (mount->parent == 0) break;
    at.mount = mount->parent;
    at.path = mount->place;
  }
  return at;
}

}  // namespace

const MountState* State::mount(MountId id) const {
  const auto found = std::ranges::lower_bound(mounts, id, {}, &MountState::id);
  return found != mounts.end() && found->id == id ? &*found : nullptr;
}

const TaskState* State::task(std::string_view name) const {
  const auto found = std::ranges::find(tasks, name, &TaskState::name);
  return found == tasks.end() ? nullptr : &*found;
}

const MountState* State::mounted_at(MountId parent, std::string_view place) const {
  const auto found = std::ranges::find_if(mounts, [&](const MountState& mount) {
    return mount.parent == parent && mount.place == place;
  });
  return found == mounts.end() ? nullptr : &*found;
}

std::string State::user_of(MountId mount) const {
  for (const TaskState& task : tasks) {
    if (task.root.mount == mount) return "the root of task " + task.name;
    if (task.current_directory.mount == mount) return "the current directory of task " + task.name;
    for (const HandleState& handle : task.handles) {
      if (handle.at.mount == mount) return "handle " + handle.name + " of task " + task.name;
    }
  }
  return "";
}

State state_of(const Snapshot& snapshot) {
  State state;
  for (std::uint32_t tree = 0; tree < snapshot.namespaces.size(); ++tree) {
    for (const MountView& view : snapshot.namespaces[tree].mounts) {
      state.mounts.push_back(mount_state(snapshot, view, tree));
    }
  }
  std::ranges::sort(state.mounts, {}, &MountState::id);
  for (const TaskView& view : snapshot.tasks) {
    TaskState& task = state.tasks.emplace_back();
    task.name = view.name;
    task.tree = view.mount_namespace;
    task.root = place_state(snapshot, view.root);
    task.current_directory = place_state(snapshot, view.current_directory);
    for (const HandleView& handle : view.handles) {
      task.handles.push_back({handle.name, place_state(snapshot, handle.location)});
    }
    std::ranges::sort(task.handles, {}, &HandleState::name);
  }
  return state;
}

bool is_below_or_at(std::string_view path, std::string_view directory) {
  if (directory == "/") return true;
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

bool shows(const MountState& mount, std::string_view path) {
  return !mount.root_removed && is_below_or_at(path, mount.root);
}

std::vector<const MountState*> receivers(const State& state, const MountState& mount) {
  std::vector<const MountState*> result;
  if (mount.group == 0) return result;
  std::vector<std::uint64_t> groups{mount.group};
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (const MountState& other : state.mounts) {
      const bool is_slave = other.master == groups[i];
      if (is_slave && other.group != 0 && std::ranges::find(groups, other.group) == groups.end()) {
        groups.push_back(other.group);
      }
      const bool receives = other.group == groups[i] || (is_slave && other.group == 0);
      if (receives && other.id != mount.id) result.push_back(&other);
    }
  }
  return result;
}

bool two_on_one_place(const State& state, PlaceState at) {
  for (std::size_t i = 0; i < state.mounts.size(); ++i) {
    const auto is_there = [&](const MountState& mount) {
      return mount.parent == at.mount && mount.place == at.path;
    };
    const auto above = std::ranges::find_if(state.mounts, is_there);
    if (above == state.mounts.end()) return false;
    if (std::ranges::any_of(above + 1, state.mounts.end(), is_there)) return true;
    at.mount = above->id;
    at.path = above->root;
  }
  return false;
}

bool has_path(const State& state, const MountState& mount) {
  const MountState* at = &mount;
  for (std::size_t i = 0; i < state.mounts.size(); ++i) {  // bounded, should there be a loop
    if (at->parent == 0) return true;
    if (at->place.empty()) return false;
    at = state.mount(at->parent);
    if (at == nullptr) return false;
  }
  return false;
}

std::optional<PlaceState> find(const State& state, const TaskState& task, const Path& path,
                               const std::set<std::string>& links) {
  PlaceState at =
      path.text.starts_with('/') && path.handle.empty() ? task.root : task.current_directory;
  if (!path.handle.empty()) {
    const auto handle = std::ranges::find(task.handles, path.handle, &HandleState::name);
    if (handle == task.handles.end()) return std::nullopt;
    at = handle->at;
  }
  if (at.removed || state.mount(at.mount) == nullptr || at.path.empty()) return std::nullopt;
  at.object = 0;
  for (const auto part : std::views::split(path.text, '/')) {
    const std::string name(part.begin(), part.end());
    if (name.empty() || name == ".") continue;
    if (links.contains(name)) return std::nullopt;
    if (name == "..") {
      at = parent_of(state, task, std::move(at));
    } else {
      at.path = joined(at.path, "/" + name);
    }
    if (two_on_one_place(state, at)) return std::nullopt;
    at = topmost(state, std::move(at));
  }
  return at;
}

PlaceState topmost(const State& state, PlaceState at) {
  for (std::size_t i = 0; i < state.mounts.size(); ++i) {  // bounded, should there be a loop
    const MountState* above = state.mounted_at(at.mount, at.path);
    if (above == nullptr) break;
    at.mount = above->id;
    at.path = above->root;
  }
  return at;
}

}  // namespace pivotcheck::laws
