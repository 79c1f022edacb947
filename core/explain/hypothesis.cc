// SPDX-License-Identifier: Apache-2.0
// hypothesis.cc: build_world(). One World from a ProcessView and an Assumption, in this order:
//
//     user namespaces     as many as the ownership of the mount namespace needs
//     seen mounts         with the directories that they show and are mounted on
//     the process's root  a seen mount, or a made-up one
//     paths               of a live process, where a child of the caller resolved them; offline,
//                         where only their text is known
//     other mounts        made up when locate() first needs them
#include "explain/hypothesis.h"

#include <algorithm>
#include <cerrno>
#include <ranges>
#include <utility>

#include "model/lookup.h"

namespace pivotcheck::explain {
namespace {

using model::DentryId;
using model::Kind;
using model::Location;
using model::MountIndex;

// The rest of `path` below the directory `above`: "" for itself, "/a/b"; nullopt: not below it.
std::optional<std::string> rest_below(const std::string& path, const std::string& above) {
  if (above == "/") return path == "/" ? "" : path;
  if (!path.starts_with(above)) return std::nullopt;
  std::string rest = path.substr(above.size());
  if (!rest.empty() && rest.front() != '/') return std::nullopt;
  return rest;
}

class WorldBuilder : Hypothesis {
 public:
  WorldBuilder(const ProcessView& process, const Assumption& assumption)
      : Hypothesis{.world = model::World(Privilege::root, process.traits),
                   .mounts = {},
                   .new_root = {},
                   .put_old = {},
                   .resolved_new_root = process.new_root,
                   .resolved_put_old = process.put_old,
                   .rootfs = {}},
        process_(process),
        assumption_(assumption) {}

  Hypothesis build() {
    // The mount with which scenarios begin.
    const MountIndex first = world.lowest_mount({0});
    world.detach_from_parent(first);
    world.free_mount(first);
    world.mount_count = 0;
    task().name = task_name;
    make_user_namespaces();
    for (const SeenMount& seen : process_.mounts) make_mount(seen);
    for (const SeenMount& seen : process_.mounts) attach(seen);
    set_root();
    if (process_.offline) {
      find_offline_paths();
    } else {
      find_live_paths();
    }
    lock_mounts();
    return std::move(*this);
  }

 private:
  model::Task& task() { return task_of(*this); }
  MountIndex below() const { return world.mount_namespaces.front().rootfs; }
  DentryId top_of(MountIndex mount) const { return world[mount].root; }

  void make_user_namespaces() {
    const model::UserNamespaceId machine{0};
    const auto add = [this](model::UserNamespaceId parent, int level) {
      world.user_namespaces.push_back({.parent = parent, .level = level});
      return model::UserNamespaceId{static_cast<std::uint32_t>(world.user_namespaces.size() - 1)};
    };
    const model::UserNamespaceId owner = process_.machine_owns ? machine : add(machine, 1);
    world.mount_namespaces.front().owner = owner;
    task().capabilities = process_.capabilities;
    task().user_ns = process_.owns_namespace ? owner : process_.may_mount ? machine : add(owner, 2);
  }

  // --- directories

  DentryId directory_below(DentryId from, std::string_view path) {
    while (!path.empty()) {
      path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
      const std::string_view name = path.substr(0, path.find('/'));
      if (name.empty()) break;
      const DentryId found = world.child(from, name);
      from = found.exists() ? found : world.new_dentry(from, name, Kind::directory, 0755);
      path.remove_prefix(name.size());
    }
    return from;
  }

  // A removed directory: no name leads to it. Nor is there any more known of the directories above it:
  // they may have been removed with it.
  DentryId removed_below(DentryId from, const std::string& path) {
    const auto [known, is_new] = removed_.try_emplace({from, path});
    if (!is_new) return known->second;
    for (const auto part : path | std::views::split('/')) {
      const std::string_view name(part.begin(), part.end());
      if (name.empty()) continue;
      const bool is_last = part.end() == path.end();
      const DentryId found = is_last ? DentryId{} : world.child(from, name);
      if (!found.exists()) {
        from = world.new_dentry(from, name, Kind::directory, 0755);
        world.unlink_dentry(from);
      } else {
        from = found;
      }
    }
    return known->second = from;
  }

  DentryId directory_at(DentryId from, const std::string& rest, const ResolvedPath& path) {
    const bool by_name = !path.removed || rest.empty();
    const DentryId found = by_name ? directory_below(from, rest) : removed_below(from, rest);
    if (!path.directory) world[found].kind = Kind::file;
    return found;
  }

  // Where a mount is mounted of which nobody shows the mount point.
  DentryId unknown_place(MountIndex on, MountId id) {
    return directory_below(top_of(on), "(elsewhere " + std::to_string(id) + ")");
  }

  // --- seen mounts

  model::GroupId group(std::uint64_t number) {
    const auto [known, is_new] = groups_.try_emplace(number);
    if (is_new) known->second = world.new_group({});
    return known->second;
  }

  void set_propagation(MountIndex mount, const MountView& view) {
    if (view.peer_group != 0) {
      world.join_group(mount, group(view.peer_group));
      if (view.master_group != 0) world[group(view.peer_group)].master = group(view.master_group);
    } else if (view.master_group != 0) {
      world[mount].own_master = group(view.master_group);
    }
    world[mount].unbindable = view.unbindable;
  }

  void make_mount(const SeenMount& seen) {
    const MountView& view = seen.mount;
    const auto [filesystem, is_new] = filesystems_.try_emplace(view.filesystem);
    if (is_new) {
      const auto id = world.new_filesystem(FilesystemType::ramfs, view.filesystem_read_only, {0});
      filesystem->second = world[id].root;
    }
    const DentryId top = filesystem->second;
    const MountIndex mount = world.new_mount(view.root_removed ? removed_below(top, view.root)
                                                               : directory_below(top, view.root));
    mounts[view.id] = mount;
    world[mount].mount_ns = {0};
    world[mount].flags = view.flags;
    set_propagation(mount, view);
    ++world.mount_count;
  }

  void attach(const SeenMount& seen) {
    const MountView& view = seen.mount;
    const MountIndex mount = mounts.at(view.id);
    if (&seen == process_.own_root()) return attach_root(seen, mount);
    const SeenMount* above = find_mount(process_.mounts, view.parent);
    // The process's root is a plain directory of the parent. (No kernel prints a second rootfs, but
    // a pasted text may.)
    if (above == nullptr || above == &seen) {
      const Location root = hidden_root(above == nullptr ? view.parent : 0);
      return world.attach(mount, root.mount, directory_below(root.dentry, view.mount_point));
    }
    const MountIndex parent = mounts.at(view.parent);
    const auto rest = rest_below(view.mount_point, above->mount.mount_point);
    // A mount point that was renamed out of what the parent shows has no path.
    world.attach(mount, parent,
                 rest ? directory_below(top_of(parent), *rest)
                      : removed_below(top_of(parent), view.mount_point));
  }

  // The process never sees what its root is mounted on.
  void attach_root(const SeenMount& seen, MountIndex mount) {
    const MountView& view = seen.mount;
    const bool is_rootfs = seen.is_rootfs();
    const SeenMount* on = is_rootfs ? nullptr : find_mount(process_.elsewhere, view.parent);
    if (on != nullptr) return attach_for_others(mount, view.id, *on);
    MountIndex parent = below();
    if (is_rootfs || assumption_.root_parent_shared) {
      // The model has no mount without a parent, which rootfs is; it takes this one for its own.
      parent = is_rootfs ? made_up(0, view.peer_group != 0) : made_up(view.parent, true);
      world.attach(parent, below(), top_of(below()));
      if (!is_rootfs) mounts[view.parent] = parent;
    }
    world.attach(mount, parent, top_of(parent));
    if (is_rootfs) rootfs = mount;
  }

  void set_root() {
    if (const SeenMount* line = process_.own_root()) {
      const MountIndex mount = mounts.at(line->mount.id);
      task().root = {mount, top_of(mount)};
    } else {
      task().root = hidden_root(process_.root.mount);
      if (process_.root.removed) {
        task().root.dentry = removed_below(task().root.dentry, "/(removed)");
      }
    }
    if (hidden_root_.mount.exists()) hidden_root_.dentry = task().root.dentry;
    task().current_directory = task().root;
    task().mount_ns = {0};
  }

  // mount_namespaces(7): mounts that came from a more privileged namespace are locked. The lowest
  // mount always came from there, and pivot_root hands its lock on.
  void lock_mounts() {
    const bool locked = process_.new_root.locked.value_or(assumption_.locked);
    if (process_.machine_owns && !locked) return;
    for (const auto& [id, mount] : mounts) {
      if (world.is_detached_tree(world[mount].mount_ns)) continue;
      const SeenMount* seen = process_.find(id);
      const bool is_lowest =
          process_.all_is_seen && seen != nullptr && !process_.find(seen->mount.parent);
      world[mount].locked = world[mount].mount_ns.exists() && (locked || is_lowest);
    }
  }

  // --- mounts that the process does not see

  // With a filesystem of its own. If others see a mount of that number, its propagation is known.
  MountIndex made_up(MountId id, bool shared_otherwise) {
    const auto filesystem = world.new_filesystem(FilesystemType::ramfs, false, {0});
    const MountIndex mount = world.new_mount(world[filesystem].root);
    world[mount].mount_ns = {0};
    if (const SeenMount* seen = process_.find(id)) {
      set_propagation(mount, seen->mount);
    } else if (shared_otherwise) {
      world.join_group(mount, world.new_group({}));
    }
    return mount;
  }

  // At the mount point that others see.
  void attach_for_others(MountIndex mount, MountId id, const SeenMount& on) {
    const MountIndex parent = mount_of_others(on);
    const SeenMount* seen = find_mount(process_.elsewhere, id);
    std::string place = "(hidden)";
    if (seen != nullptr) {
      const std::string& point = seen->mount.mount_point;
      place = rest_below(point, on.mount.mount_point).value_or(point);
    }
    world.attach(mount, parent, directory_below(top_of(parent), place));
  }

  // A mount that only others see, where they see it, with all that it is mounted on.
  MountIndex mount_of_others(const SeenMount& seen) {
    const MountView& view = seen.mount;
    if (const auto known = mounts.find(view.id); known != mounts.end()) return known->second;
    const MountIndex mount = made_up(view.id, false);
    mounts[view.id] = mount;
    const SeenMount* on = find_mount(process_.elsewhere, view.parent);
    if (on != nullptr && on != &seen) {
      attach_for_others(mount, view.id, *on);
      return mount;
    }
    const MountIndex parent =
        on == &seen ? below() : parent_of_hidden(view.id, assumption_.hidden_shared);
    world.attach(mount, parent,
                 parent == below() ? top_of(parent) : unknown_place(parent, view.id));
    return mount;
  }

  // What a mount that the process does not see is mounted on.
  MountIndex parent_of_hidden(MountId id, bool shared_otherwise) {
    const SeenMount* seen = process_.find(id);
    const MountId parent = seen == nullptr ? 0 : seen->mount.parent;
    if (seen != nullptr && !process_.find(parent) &&
        (process_.all_is_seen || parent == first_rootfs)) {
      return below();
    }
    if (const auto known = mounts.find(parent); known != mounts.end()) return known->second;
    if (const SeenMount* on = find_mount(process_.elsewhere, parent)) return mount_of_others(*on);
    const MountIndex mount = made_up(parent, shared_otherwise);
    world.attach(mount, below(), unknown_place(below(), parent));
    if (parent != 0) mounts[parent] = mount;
    return mount;
  }

  MountIndex hidden_mount(MountId id, bool parent_shared, bool foreign, bool detached) {
    const SeenMount* seen = find_mount(process_.elsewhere, id);
    if (seen != nullptr && !foreign && !detached) return mount_of_others(*seen);
    const MountIndex mount = made_up(id, assumption_.hidden_shared);
    if (id != 0) mounts[id] = mount;
    const bool all_others_are_seen =
        !process_.offline && process_.all_is_seen && process_.find(id) == nullptr;
    if (detached) {
      world[mount].mount_ns = {};
      world[mount].unmounted = true;
    } else if (foreign || all_others_are_seen) {
      if (world.mount_namespaces.size() == 1) world.mount_namespaces.emplace_back().owner = {0};
      world[mount].mount_ns = {1};
    } else {
      const MountIndex parent = parent_of_hidden(id, parent_shared);
      world.attach(mount, parent, unknown_place(parent, id));
    }
    return mount;
  }

  // The root of a process in a chroot: a plain directory of a mount that it does not see.
  Location hidden_root(MountId id) {
    if (!hidden_root_.mount.exists()) {
      const MountIndex mount = hidden_mount(id, assumption_.root_parent_shared,
                                            assumption_.root_foreign, assumption_.root_detached);
      hidden_root_ = {mount, directory_below(top_of(mount), "(hidden)")};
    }
    return hidden_root_;
  }

  // Nobody can list its contents; what is mounted in it is left out.
  MountIndex detached_tree(MountId id) {
    const MountIndex mount = made_up(0, false);
    mounts[id] = mount;
    world.new_detached_tree(mount, task().user_ns, {0});
    return mount;
  }

  // The place of a path. A mount for it that is not seen is in another namespace if `foreign`, and
  // unmounted if `detached`.
  Location locate(const ResolvedPath& path, bool foreign, bool detached) {
    const auto known = mounts.find(path.mount);
    const SeenMount* line = find_mount(process_.mounts, path.mount);
    if (line != nullptr) {
      const auto rest = rest_below(path.path, line->mount.mount_point);
      return {known->second,
              directory_at(top_of(known->second), rest.value_or("/(nowhere)"), path)};
    }
    if (path.mount == process_.root.mount) {  // the mount of which the root is a plain directory
      const Location root = hidden_root(path.mount);
      if (path.below_root) return {root.mount, directory_at(root.dentry, path.path, path)};
      const std::string rest = path.mount_root ? "" : "/(outside)" + path.path;
      return {root.mount, directory_at(top_of(root.mount), rest, path)};
    }
    const MountIndex mount =
        known != mounts.end() ? known->second
        : path.is_detached_tree
            ? detached_tree(path.mount)
            : hidden_mount(path.mount, assumption_.hidden_shared, foreign, detached);
    // From the root of the mount, as others see it; or else from the top of the tree it is in.
    std::string rest = path.mount_root ? "" : path.path;
    const SeenMount* seen = find_mount(process_.elsewhere, path.mount);
    if (seen != nullptr && !path.mount_root) {
      rest = rest_below(path.path, seen->mount.mount_point).value_or(path.path);
    }
    return {mount, directory_at(top_of(mount), rest, path)};
  }

  // The model looks a path up again after each remedy, so it gets the path wherever that leads to
  // the right place; else a handle.
  Path live_path(const ResolvedPath& path, const char* handle, bool foreign, bool detached) {
    if (path.error != 0 && path.error != ENOENT) return path.asked;  // evaluate() needs only that
    if (path.mount == 0) return path.asked;
    const Location at = locate(path, foreign, detached);
    if (path.names_current_directory && path.missing.empty()) return std::string(".");
    const std::string rest = path.missing.empty() ? "" : "/" + path.missing;
    if (path.below_root && !path.removed) {
      const auto found = look_up(world, task(), Path(path.path));
      if (!found.refused && found.at == at) {
        return path.path == "/" && !rest.empty() ? rest : path.path + rest;
      }
    }
    const int slot = static_cast<int>(task().handles.size());
    model::Handle& held = task().handles.emplace_back();
    held.name = handle;
    held.slot = slot;
    held.at = at;
    if (path.is_detached_tree) held.keeps = world[at.mount].mount_ns;
    return held.path(rest);
  }

  void find_live_paths() {
    task().current_directory = locate(process_.current_directory, assumption_.new_root_foreign,
                                      assumption_.put_old_detached);
    const bool on_one = process_.new_root.mount == process_.put_old.mount;
    new_root = live_path(process_.new_root, "n", assumption_.new_root_foreign,
                         on_one && assumption_.put_old_detached);
    put_old =
        live_path(process_.put_old, "o", assumption_.put_old_foreign, assumption_.put_old_detached);
  }

  // Makes every name on the way that does not exist a directory. Where the path leads then; nullopt
  // where a `..` leads nowhere.
  std::optional<Location> make_offline_path(const std::string& path) {
    for (std::size_t begin = 0; begin < path.size();) {
      const std::size_t end = std::min(path.find('/', begin), path.size());
      const std::string name = path.substr(begin, end - begin);
      const auto at = look_up(world, task(), Path(begin == 0 ? "." : path.substr(0, begin)));
      if (!name.empty() && name != "." && name != ".." && !at.refused &&
          !world.child(at.at.dentry, name).exists()) {
        world.new_dentry(at.at.dentry, name, model::Kind::directory, 0755);
      }
      begin = end + 1;
    }
    const auto found = look_up(world, task(), Path(path.empty() ? "." : path));
    return found.refused ? std::nullopt : std::optional(found.at);
  }

  // The root and the current directory are paths from the top of the text; the arguments, paths of
  // the process.
  void find_offline_paths() {
    const Location top = task().root;
    const Location root = make_offline_path(process_.root.asked).value_or(top);
    const std::string& directory = process_.current_directory.asked;
    task().current_directory =
        directory.empty() ? root : make_offline_path(directory).value_or(top);
    task().root = root;
    make_offline_path(process_.new_root.asked);
    make_offline_path(process_.put_old.asked);
    new_root = process_.new_root.asked;
    put_old = process_.put_old.asked;
  }

  const ProcessView& process_;
  const Assumption& assumption_;
  std::map<std::uint64_t, DentryId> filesystems_;
  std::map<std::uint64_t, model::GroupId> groups_;
  std::map<std::pair<DentryId, std::string>, DentryId> removed_;
  Location hidden_root_;
};

}  // namespace

Hypothesis build_world(const ProcessView& process, const Assumption& assumption) {
  return WorldBuilder(process, assumption).build();
}

}  // namespace pivotcheck::explain
