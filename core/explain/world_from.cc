// SPDX-License-Identifier: Apache-2.0
// world_from.cc: see world_from.h. The WorldBuilder goes through what was seen in this order:
//
//     user namespaces     as many as it takes to say who owns the mount namespace
//     seen mounts         with the directories that they show and are mounted on
//     the task's root     seen, or made up
//     the other places    likewise; then the words by which the model finds them again
#include "explain/world_from.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "model/lookup.h"

namespace pivotcheck::explain {
namespace {

using model::DentryId;
using model::Kind;
using model::Location;
using model::MountIndex;
using model::World;

constexpr MountId first_rootfs = 1;  // the machine's own rootfs; no other mount ever has its number

// What is left of `path` below the directory `above`: "" for itself, "/a/b"; nullopt if it is not
// below.
std::optional<std::string> rest_below(const std::string& path, const std::string& above) {
  if (above == "/") return path == "/" ? "" : path;
  if (!path.starts_with(above)) return std::nullopt;
  std::string rest = path.substr(above.size());
  if (!rest.empty() && rest.front() != '/') return std::nullopt;
  return rest;
}

// The mount at "/" that the task's root is, among what it sees: the one whose parent it does not
// see.
const SeenMount* own_root_line(const ProcessView& process) {
  const SeenMount* found = nullptr;
  for (const SeenMount& seen : process.mounts) {
    const MountView& mount = seen.line.mount;
    if (process.root.mount != 0 && mount.id == process.root.mount) return &seen;
    const bool parent_is_seen = mount.parent != mount.id &&
                                std::ranges::any_of(process.mounts, [&](const SeenMount& other) {
                                  return other.line.mount.id == mount.parent;
                                });
    if (found == nullptr && mount.mount_point == "/" && !parent_is_seen) found = &seen;
  }
  return process.root.mount == 0 ? found : nullptr;
}

bool is_rootfs_itself(const SeenMount& seen) {
  return seen.line.mount.parent == seen.line.mount.id;
}

class WorldBuilder {
 public:
  WorldBuilder(const ProcessView& process, const Assumption& assumption)
      : process_(process), assumption_(assumption), world_(Privilege::root, process.traits) {}

  Hypothesis build_world() {
    clear();
    make_users();
    for (const SeenMount& seen : process_.mounts) make_mount(seen);
    for (const SeenMount& seen : process_.mounts) attach(seen);
    set_root();
    Location standing = task().root;
    if (!process_.offline) {
      standing = locate(process_.current_directory, assumption_.new_root_foreign,
                        assumption_.put_old_detached);
      task().current_directory = standing;
    }
    Hypothesis hypothesis{.world = World(Privilege::root, process_.traits),
                          .mounts = {},
                          .new_root = {},
                          .put_old = {},
                          .new_root_place = process_.new_root,
                          .put_old_place = process_.put_old,
                          .rootfs = rootfs_};
    const bool on_one = process_.new_root.mount == process_.put_old.mount;
    if (process_.offline) {
      hypothesis.new_root = offline_path(process_.new_root);
      hypothesis.put_old = offline_path(process_.put_old);
    } else {
      hypothesis.new_root = live_path(process_.new_root, "n", assumption_.new_root_foreign,
                                      on_one && assumption_.put_old_detached);
      hypothesis.put_old = live_path(process_.put_old, "o", assumption_.put_old_foreign,
                                     assumption_.put_old_detached);
    }
    lock_mounts();
    hypothesis.world = std::move(world_);
    hypothesis.mounts = std::move(mounts_);
    return hypothesis;
  }

 private:
  model::Task& task() { return world_.tasks.front(); }
  [[nodiscard]] MountIndex below() const { return world_.mount_namespaces.front().rootfs; }

  // The model's own beginning, without the mount that scenarios begin with.
  void clear() {
    const MountIndex top = world_.lowest_mount({0});
    world_.detach_from_parent(top);
    world_.free_mount(top);
    world_.mount_count = 0;
    task().name = task_name;
  }

  void make_users() {
    const model::UserNamespaceId machine{0};
    model::UserNamespaceId owner = machine;
    if (!process_.machine_owns) {
      owner = {static_cast<std::uint32_t>(world_.user_namespaces.size())};
      world_.user_namespaces.push_back({.parent = machine, .level = 1});
    }
    world_.mount_namespaces.front().owner = owner;
    task().capabilities = process_.capabilities;
    if (process_.owns_namespace) {
      task().user_ns = owner;
    } else if (process_.may_mount) {
      task().user_ns = machine;
    } else {
      task().user_ns = {static_cast<std::uint32_t>(world_.user_namespaces.size())};
      world_.user_namespaces.push_back({.parent = owner, .level = 2});
    }
  }

  // --- directories

  DentryId directory_below(DentryId from, std::string_view path) {
    while (!path.empty()) {
      path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
      const std::string_view name = path.substr(0, path.find('/'));
      if (name.empty()) break;
      const DentryId found = world_.child(from, name);
      from = found.exists() ? found : world_.new_dentry(from, name, Kind::directory, 0755);
      path.remove_prefix(name.size());
    }
    return from;
  }

  // A directory that has been removed: nobody finds it by name.
  DentryId removed_below(DentryId from, const std::string& path) {
    const auto [known, is_new] = removed_.try_emplace({from, path});
    if (!is_new) return known->second;
    const std::size_t slash = path.find_last_of('/');
    const DentryId parent =
        slash == std::string::npos ? from : directory_below(from, path.substr(0, slash));
    known->second = world_.new_dentry(parent, path.substr(slash + 1), Kind::directory, 0755);
    world_.unlink_dentry(known->second);
    return known->second;
  }

  DentryId filesystem_root(const MountView& mount) {
    const auto [known, is_new] = filesystems_.try_emplace(mount.filesystem);
    if (is_new) {
      const auto id = world_.new_filesystem(FilesystemType::ramfs, mount.filesystem_read_only, {0});
      known->second = world_[id].root;
    }
    return known->second;
  }

  DentryId fresh_filesystem() {
    return world_[world_.new_filesystem(FilesystemType::ramfs, false, {0})].root;
  }

  // --- mounts

  model::GroupId group(std::uint64_t number) {
    const auto [known, is_new] = groups_.try_emplace(number);
    if (is_new) known->second = world_.new_group({});
    return known->second;
  }

  void make_mount(const SeenMount& seen) {
    const MountView& view = seen.line.mount;
    const DentryId root = filesystem_root(view);
    const MountIndex mount = world_.new_mount(view.root_removed ? removed_below(root, view.root)
                                                                : directory_below(root, view.root));
    mounts_[view.id] = mount;
    world_[mount].mount_ns = {0};
    world_[mount].flags = view.flags;
    set_propagation(mount, view);
    ++world_.mount_count;
  }

  void set_propagation(MountIndex mount, const MountView& view) {
    if (view.peer_group != 0) {
      world_.join_group(mount, group(view.peer_group));
      if (view.master_group != 0) {
        world_[group(view.peer_group)].master = group(view.master_group);
      }
    } else if (view.master_group != 0) {
      world_[mount].own_master = group(view.master_group);
    }
    world_[mount].unbindable = view.unbindable;
  }

  // A mount that nobody sees, with a filesystem of its own.
  MountIndex made_up(bool shared) {
    const MountIndex mount = world_.new_mount(fresh_filesystem());
    world_[mount].mount_ns = {0};
    if (shared) world_.join_group(mount, world_.new_group({}));
    return mount;
  }

  // One that others see: its propagation is known, not where it is.
  MountIndex made_up_like(MountId id, bool shared_otherwise) {
    const SeenMount* seen = process_.find(id);
    const MountIndex mount = made_up(seen == nullptr && shared_otherwise);
    if (seen != nullptr) set_propagation(mount, seen->line.mount);
    return mount;
  }

  void attach(const SeenMount& seen) {
    const MountView& view = seen.line.mount;
    const MountIndex mount = mounts_.at(view.id);
    if (&seen == own_root_line(process_)) return attach_root(seen, mount);
    const SeenMount* above = seen_here(view.parent);
    // The root is a plain directory of the parent. (A second rootfs is no kernel's, but a text may
    // say anything.)
    if (above == nullptr || above == &seen) {
      const Location root = hidden_root(above == nullptr ? view.parent : 0);
      return world_.attach(mount, root.mount, directory_below(root.dentry, view.mount_point));
    }
    const MountIndex parent = mounts_.at(view.parent);
    const auto rest = rest_below(view.mount_point, above->line.mount.mount_point);
    const DentryId shown = world_[parent].root;
    // A mount point that was renamed out of what is shown has no path: one that nobody finds.
    world_.attach(mount, parent,
                  rest ? directory_below(shown, *rest) : removed_below(shown, view.mount_point));
  }

  // What the task's root is mounted on is never seen by the task itself.
  void attach_root(const SeenMount& seen, MountIndex mount) {
    const MountView& view = seen.line.mount;
    const bool is_rootfs = is_rootfs_itself(seen);
    const bool is_seen = !is_rootfs && seen_elsewhere(view.parent) != nullptr;
    if (!is_rootfs && !is_seen && !assumption_.root_parent_shared) {
      world_.attach(mount, below(), world_[below()].root);
      return;
    }
    if (is_seen) {
      const SeenMount& on = *seen_elsewhere(view.parent);
      const MountIndex parent = mount_of_others(on);
      return world_.attach(mount, parent, place_for_others(view.id, on));
    }
    // rootfs has no parent, which the model does not know; and the kernel takes it for its own.
    const MountIndex parent = is_rootfs ? made_up(view.peer_group != 0)
                                        : made_up_like(view.parent, assumption_.root_parent_shared);
    world_.attach(parent, below(), world_[below()].root);
    if (!is_rootfs) mounts_[view.parent] = parent;
    world_.attach(mount, parent, world_[parent].root);
    if (is_rootfs) rootfs_ = mount;
  }

  // A mount that only others see, where they see it; with all that it is mounted on.
  MountIndex mount_of_others(const SeenMount& seen) {
    const MountView& view = seen.line.mount;
    if (const auto known = mounts_.find(view.id); known != mounts_.end()) return known->second;
    const MountIndex mount = made_up_like(view.id, false);
    mounts_[view.id] = mount;
    const SeenMount* on = seen_elsewhere(view.parent);
    if (on != nullptr && on != &seen) {
      const MountIndex parent = mount_of_others(*on);
      world_.attach(mount, parent, place_for_others(view.id, *on));
      return mount;
    }
    const bool is_rootfs = on == &seen;
    const MountIndex parent = is_rootfs ? below() : above(view.id, assumption_.hidden_shared);
    world_.attach(mount, parent,
                  parent == below() ? world_[parent].root : elsewhere(parent, view.id));
    return mount;
  }

  // The place on that mount, which only others see, where another one is mounted.
  DentryId place_for_others(MountId id, const SeenMount& on) {
    const SeenMount* seen = seen_elsewhere(id);
    const DentryId top = world_[mounts_.at(on.line.mount.id)].root;
    if (seen == nullptr) return directory_below(top, "(hidden)");
    const std::string& point = seen->line.mount.mount_point;
    return directory_below(top, rest_below(point, on.line.mount.mount_point).value_or(point));
  }

  // What a mount is mounted on that the process does not see.
  MountIndex above(MountId id, bool shared_otherwise) {
    const SeenMount* seen = process_.find(id);
    const MountId parent = seen == nullptr ? 0 : seen->line.mount.parent;
    if (seen != nullptr && process_.find(parent) == nullptr &&
        (process_.all_is_seen || parent == first_rootfs)) {
      return below();
    }
    if (const auto known = mounts_.find(parent); known != mounts_.end()) return known->second;
    if (const SeenMount* up = seen_elsewhere(parent)) return mount_of_others(*up);
    const MountIndex mount = made_up_like(parent, shared_otherwise);
    world_.attach(mount, below(), elsewhere(below(), parent));
    if (parent != 0) mounts_[parent] = mount;
    return mount;
  }

  // A place on a mount of which nobody knows where it is.
  DentryId elsewhere(MountIndex on, MountId id) {
    return directory_below(world_[on].root, "(elsewhere " + std::to_string(id) + ")");
  }

  // The root of a task in a chroot: a plain directory of a mount that it does not see.
  Location hidden_root(MountId id) {
    if (!hidden_root_.mount.exists()) {
      const SeenMount* seen = seen_elsewhere(id);
      const MountIndex mount =
          seen != nullptr ? mount_of_others(*seen) : made_up_like(id, assumption_.hidden_shared);
      const DentryId directory = directory_below(world_[mount].root, "(hidden)");
      hidden_root_ = {mount, directory};
      if (seen != nullptr) return hidden_root_;
      if (assumption_.root_detached) {
        separate(mount);
      } else if (assumption_.root_foreign || is_foreign(id)) {
        send_away(mount);
      } else {
        const MountIndex parent = above(id, assumption_.root_parent_shared);
        world_.attach(mount, parent, elsewhere(parent, id));
      }
      if (id != 0) mounts_[id] = mount;
    }
    return hidden_root_;
  }

  // Everything in the namespace is seen, and this is not among it.
  [[nodiscard]] bool is_foreign(MountId id) const {
    return !process_.offline && process_.all_is_seen && process_.find(id) == nullptr;
  }

  void separate(MountIndex mount) {
    world_[mount].mount_ns = {};
    world_[mount].unmounted = true;
  }

  // In another namespace, not detached.
  void send_away(MountIndex mount) {
    if (world_.mount_namespaces.size() == 1) world_.mount_namespaces.emplace_back().owner = {0};
    world_[mount].mount_ns = {1};
  }

  void set_root() {
    const SeenMount* line = own_root_line(process_);
    Location root;
    if (line != nullptr) {
      const MountIndex mount = mounts_.at(line->line.mount.id);
      root = {mount, world_[mount].root};
    } else {
      root = hidden_root(process_.root.mount);
      if (process_.root.removed) root.dentry = removed_below(root.dentry, "/(removed)");
    }
    if (hidden_root_.mount.exists()) hidden_root_.dentry = root.dentry;
    task().root = task().current_directory = root;
    task().mount_ns = {0};
    if (!process_.offline) return;
    // Both as the text has them, from its own top.
    const Location new_root = walk_offline(process_.root.asked);
    const Location standing = process_.current_directory.asked.empty()
                                  ? new_root
                                  : walk_offline(process_.current_directory.asked);
    task().root = new_root;
    task().current_directory = standing;
  }

  // mount_namespaces(7): what came from a more privileged namespace is locked. The lowest mount
  // always did, and pivot_root hands its lock on.
  void lock_mounts() {
    if (process_.machine_owns && !assumption_.locked) return;
    for (const auto& [id, mount] : mounts_) {
      if (world_.is_detached_tree(world_[mount].mount_ns)) continue;
      const SeenMount* seen = process_.find(id);
      const bool is_lowest = process_.all_is_seen && seen != nullptr &&
                             process_.find(seen->line.mount.parent) == nullptr;
      world_[mount].locked = world_[mount].mount_ns.exists() && (assumption_.locked || is_lowest);
    }
  }

  // --- places

  Location locate(const Place& place, bool foreign, bool detached) {
    const auto known = mounts_.find(place.mount);
    const SeenMount* line = known == mounts_.end() ? nullptr : seen_here(place.mount);
    if (line != nullptr) {
      const DentryId shown = world_[known->second].root;
      const auto rest = rest_below(place.path, line->line.mount.mount_point);
      return {known->second, directory_at(shown, rest ? *rest : "/(nowhere)", place)};
    }
    if (place.mount == process_.root.mount) {  // the mount of which the root is a plain directory
      const Location root = hidden_root(place.mount);
      const DentryId top = world_[root.mount].root;
      return {root.mount, place.below_root ? directory_at(root.dentry, place.path, place)
                                           : directory_at(top, path_outside(place), place)};
    }
    const MountIndex mount = known != mounts_.end() ? known->second
                             : place.is_tree        ? detached_tree(place.mount)
                                                    : hidden_mount(place.mount, foreign, detached);
    return {mount, directory_at(world_[mount].root, path_on_hidden(place), place)};
  }

  // From the root of a mount that the process does not see: by the paths that others see, or else
  // from the top of all.
  [[nodiscard]] std::string path_on_hidden(const Place& place) const {
    if (place.mount_root) return "";
    const SeenMount* seen = seen_elsewhere(place.mount);
    if (seen == nullptr) return place.path;
    return rest_below(place.path, seen->line.mount.mount_point).value_or(place.path);
  }

  // Likewise, on the mount of which the root is a plain directory.
  static std::string path_outside(const Place& place) {
    return place.mount_root ? "" : "/(outside)" + place.path;
  }

  [[nodiscard]] const SeenMount* seen_elsewhere(MountId id) const {
    const auto found = std::ranges::find(process_.elsewhere, id,
                                         [](const SeenMount& m) { return m.line.mount.id; });
    return found == process_.elsewhere.end() ? nullptr : &*found;
  }

  [[nodiscard]] const SeenMount* seen_here(MountId id) const {
    const auto found =
        std::ranges::find(process_.mounts, id, [](const SeenMount& m) { return m.line.mount.id; });
    return found == process_.mounts.end() ? nullptr : &*found;
  }

  MountIndex hidden_mount(MountId id, bool foreign, bool detached) {
    const SeenMount* seen = seen_elsewhere(id);
    if (seen != nullptr && !detached && !foreign) return mount_of_others(*seen);
    const MountIndex mount = made_up_like(id, assumption_.hidden_shared);
    mounts_[id] = mount;
    if (detached) {
      separate(mount);
    } else if (foreign || is_foreign(id)) {
      send_away(mount);
    } else {
      const MountIndex parent = above(id, assumption_.hidden_shared);
      world_.attach(mount, parent, elsewhere(parent, id));
    }
    return mount;
  }

  // What it contains, nobody can list; what is mounted in it is left out.
  MountIndex detached_tree(MountId id) {
    const MountIndex mount = made_up(false);
    mounts_[id] = mount;
    world_.new_detached_tree(mount, task().user_ns, {0});
    return mount;
  }

  DentryId directory_at(DentryId from, const std::string& rest, const Place& place) {
    const bool by_name = !place.removed || rest.empty();
    const DentryId found = by_name ? directory_below(from, rest) : removed_below(from, rest);
    if (!place.directory) world_[found].kind = Kind::file;
    return found;
  }

  // The words by which the model finds a place again. A path is looked up once more behind each
  // mending step, so it is given as a path wherever that leads to the same place; what can't be
  // said so is held as a handle.
  Path live_path(const Place& place, const char* handle, bool foreign, bool detached) {
    if (place.error != 0 && place.error != ENOENT) return place.asked;  // judged by its errno
    if (place.mount == 0) return place.asked;
    const Location at = locate(place, foreign, detached);
    if (place.is_standing && place.missing.empty()) return std::string(".");
    const std::string rest = place.missing.empty() ? "" : "/" + place.missing;
    if (place.below_root && !place.removed) {
      const auto found = look_up(world_, task(), Path(place.path));
      if (found.refused == Rule::none && found.at == at) {
        return place.path == "/" && !rest.empty() ? rest : place.path + rest;
      }
    }
    model::Handle& held = task().handles.emplace_back();
    held.name = handle;
    held.at = at;
    if (place.is_tree) held.keeps = world_[at.mount].mount_ns;
    return {handle, rest};
  }

  // Offline every name is taken to be there.
  Path offline_path(const Place& place) {
    walk_offline(place.asked, task().current_directory);
    return place.asked;
  }

  Location walk_offline(const std::string& path, Location from = {}) {
    const Location here = task().current_directory;
    if (from.mount.exists()) task().current_directory = from;
    std::string so_far;
    for (std::size_t begin = 0; begin < path.size();) {
      const std::size_t end = std::min(path.find('/', begin), path.size());
      const std::string name = path.substr(begin, end - begin);
      const std::string directory = so_far.empty() ? (path.front() == '/' ? "/" : ".") : so_far;
      const auto at = look_up(world_, task(), Path(directory));
      if (!name.empty() && name != "." && name != ".." && at.refused == Rule::none &&
          !world_.child(at.at.dentry, name).exists()) {
        world_.new_dentry(at.at.dentry, name, Kind::directory, 0755);
      }
      so_far = path.substr(0, std::min(end + 1, path.size()));
      begin = end + 1;
    }
    const auto found = look_up(world_, task(), Path(path.empty() ? "." : path));
    task().current_directory = here;
    return found.refused == Rule::none ? found.at : here;
  }

  const ProcessView& process_;
  const Assumption& assumption_;
  World world_;
  std::map<MountId, MountIndex> mounts_;
  std::map<std::uint64_t, DentryId> filesystems_;
  std::map<std::uint64_t, model::GroupId> groups_;
  std::map<std::pair<DentryId, std::string>, DentryId> removed_;
  Location hidden_root_;
  MountIndex rootfs_;
};

}  // namespace

std::vector<OpenQuestion> open_questions(const ProcessView& process) {
  std::vector<OpenQuestion> result;
  const auto is_seen = [&](MountId id) { return process.find(id) != nullptr; };
  // What a mount is mounted on is open, unless that is seen, or is known to be the kernel's rootfs.
  const auto parent_is_open = [&](const SeenMount& seen) {
    return !process.all_is_seen && !is_rootfs_itself(seen) &&
           seen.line.mount.parent != first_rootfs && !is_seen(seen.line.mount.parent);
  };
  const auto open = [&](bool Assumption::*flag, std::string words) {
    result.push_back({flag, std::move(words)});
  };
  if (!process.machine_owns) {
    open(&Assumption::locked,
         "whether new_root's mount is locked: the mount namespace belongs to another user "
         "namespace than the machine's own, and no file shows the locks");
  }
  if (process.may_be_copy) {
    open(&Assumption::locked,
         "whether new_root's mount is locked: the mount namespace may be a copy of one that "
         "belongs to another user namespace, and no file shows the locks");
  }
  const SeenMount* line = own_root_line(process);
  const SeenMount* root = line != nullptr ? line : process.find(process.root.mount);
  const bool root_hidden = root == nullptr;
  if ((root_hidden && !process.all_is_seen) ||
      (!root_hidden && !process.offline && parent_is_open(*root))) {
    open(&Assumption::root_parent_shared,
         "whether the mount on which that of the task's root is mounted is shared: it lies outside "
         "of that root");
  }
  const auto hidden = [&](const Place& place) {
    return !process.offline && place.mount != 0 && place.mount != process.root.mount &&
           !place.is_tree && !is_seen(place.mount);
  };
  const auto half_hidden = [&](const Place& place) {
    const SeenMount* seen = process.offline ? nullptr : process.find(place.mount);
    return hidden(place) || (seen != nullptr && seen != root && parent_is_open(*seen));
  };
  if (root_hidden || half_hidden(process.new_root) || half_hidden(process.put_old)) {
    open(&Assumption::hidden_shared,
         "whether a mount that lies outside of the task's root is shared");
  }
  const bool root_may_be_foreign = root_hidden && process.mounts.empty() && !process.offline;
  if (root_may_be_foreign) {
    if (!process.all_is_seen) {
      open(&Assumption::root_foreign,
           "whether the mount of the task's root is in this mount namespace at all");
    }
    open(&Assumption::root_detached, "whether the mount of the task's root has been detached");
  }
  if (hidden(process.new_root) && !process.all_is_seen) {
    open(&Assumption::new_root_foreign,
         "whether new_root's mount is in this mount namespace at all");
  }
  if (hidden(process.put_old)) {
    if (!process.all_is_seen) {
      open(&Assumption::put_old_foreign,
           "whether put_old's mount is in this mount namespace at all");
    }
    open(&Assumption::put_old_detached, "whether put_old's mount has been detached");
  }
  return result;
}

Hypothesis build_world(const ProcessView& process, const Assumption& assumption) {
  return WorldBuilder(process, assumption).build_world();
}

}  // namespace pivotcheck::explain
