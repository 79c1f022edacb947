// SPDX-License-Identifier: Apache-2.0
// world.cc: the state's own operations: trees of dentries, trees of mounts, membership of groups.
// No rule is decided here.
#include "model/world.h"

#include "base/check.h"

namespace pivotcheck::model {

World::World(Privilege privilege, const KernelTraits& kernel_traits) : traits(kernel_traits) {
  dentries.reserve(32);
  mounts.reserve(32);
  user_namespaces.push_back({});
  const UserNamespaceId user_ns{0};
  mount_namespaces.push_back({.owner = user_ns, .rootfs = {}, .detached_root = {}, .origin = {}});
  const NamespaceId mount_ns{0};

  const FilesystemId below = new_filesystem(FilesystemType::ramfs, false, user_ns);
  const MountIndex rootfs = new_mount((*this)[below].root);
  (*this)[rootfs].mount_ns = mount_ns;
  mount_namespaces[0].rootfs = rootfs;

  const FilesystemId filesystem = new_filesystem(FilesystemType::tmpfs, false, user_ns);
  const MountIndex top = new_mount((*this)[filesystem].root);
  (*this)[top].mount_ns = mount_ns;
  (*this)[top].locked = privilege == Privilege::userns;
  attach(top, rootfs, (*this)[rootfs].root);
  mount_count = 1;

  Task task;
  task.name = "A";
  task.root = task.current_directory = {top, (*this)[top].root};
  task.mount_ns = mount_ns;
  task.user_ns = user_ns;
  task.capabilities = {Capability::sys_admin, Capability::sys_chroot, Capability::dac};
  tasks.push_back(std::move(task));
}

// --- tasks and capabilities

TaskIndex World::find_task(std::string_view name) const {
  for (std::uint32_t i = 0; i < tasks.size(); ++i) {
    if (tasks[i].alive && tasks[i].name == name) return {i};
  }
  return {};
}

bool World::is_below(UserNamespaceId lower, UserNamespaceId upper) const {
  for (UserNamespaceId id = (*this)[lower].parent; id.exists(); id = (*this)[id].parent) {
    if (id == upper) return true;
  }
  return false;
}

bool World::is_exhausted(NamespaceKind kind, UserNamespaceId in) const {
  for (UserNamespaceId id = in; id.exists(); id = (*this)[id].parent) {
    if ((*this)[id].exhausted.has(kind)) return true;
  }
  return false;
}

bool World::capable(const Task& task, Capability capability, UserNamespaceId in) const {
  if (in == task.user_ns) return task.capabilities.has(capability);
  return is_below(in, task.user_ns);
}

// --- dentries

FilesystemId World::new_filesystem(FilesystemType type, bool read_only,
                                   UserNamespaceId mounted_in) {
  const FilesystemId id{static_cast<std::uint32_t>(filesystems.size())};
  const DentryId root{static_cast<std::uint32_t>(dentries.size())};
  filesystems.push_back({.root = root, .read_only = read_only, .mounted_in = mounted_in});
  Dentry dentry;
  dentry.filesystem = id;
  dentry.parent = root;
  dentry.mode = type == FilesystemType::tmpfs ? 01777 : 0755;
  dentries.push_back(std::move(dentry));
  return id;
}

DentryId World::new_dentry(DentryId parent, std::string_view name, Kind kind, unsigned mode) {
  const DentryId id{static_cast<std::uint32_t>(dentries.size())};
  Dentry dentry;
  dentry.filesystem = (*this)[parent].filesystem;
  dentry.parent = parent;
  dentry.name = name;
  dentry.mode = mode;
  dentry.kind = kind;
  dentries.push_back(std::move(dentry));
  add_child(id);
  return id;
}

void World::add_child(DentryId dentry) {
  constexpr std::size_t many = 64;
  const DentryId directory = (*this)[dentry].parent;
  auto& children = (*this)[directory].children;
  children.push_back(dentry);
  const auto large = large_directories_.find(directory);
  if (large != large_directories_.end()) {
    large->second[(*this)[dentry].name] = dentry;
  } else if (children.size() > many) {
    ByName& by_name = large_directories_[directory];
    for (const DentryId each : children) by_name[(*this)[each].name] = each;
  }
}

void World::remove_child(DentryId dentry) {
  const DentryId directory = (*this)[dentry].parent;
  std::erase((*this)[directory].children, dentry);
  const auto large = large_directories_.find(directory);
  if (large != large_directories_.end()) large->second.erase((*this)[dentry].name);
}

void World::rename_dentry(DentryId dentry, DentryId directory, std::string_view name) {
  remove_child(dentry);
  (*this)[dentry].parent = directory;
  (*this)[dentry].name = name;
  add_child(dentry);
}

DentryId World::child(DentryId directory, std::string_view name) const {
  if (const auto large = large_directories_.find(directory); large != large_directories_.end()) {
    const auto found = large->second.find(std::string(name));
    return found == large->second.end() ? DentryId{} : found->second;
  }
  for (const DentryId id : (*this)[directory].children) {
    if ((*this)[id].name == name) return id;
  }
  return {};
}

bool World::is_below_or_at(DentryId dentry, DentryId ancestor) const {
  while (dentry != ancestor) {
    const DentryId parent = (*this)[dentry].parent;
    if (parent == dentry) return false;
    dentry = parent;
  }
  return true;
}

// --- mounts as a tree

NamespaceId World::new_detached_tree(MountIndex root, UserNamespaceId owner, NamespaceId origin) {
  const NamespaceId mount_ns{static_cast<std::uint32_t>(mount_namespaces.size())};
  mount_namespaces.push_back(
      {.owner = owner, .rootfs = {}, .detached_root = root, .origin = origin});
  for (const MountIndex mount : subtree(root)) {
    (*this)[mount].mount_ns = mount_ns;
    ++mount_count;
  }
  has_detached_trees = true;
  return mount_ns;
}

MountIndex World::mounted_at(MountIndex parent, DentryId mount_point) const {
  const auto& children = (*this)[parent].children;
  for (std::size_t i = children.size(); i-- > 0;) {  // the newest first (traits.h, whole stack)
    if ((*this)[children[i]].mount_point == mount_point) return children[i];
  }
  const bool is_dead = std::ranges::find(dead_places, Location{parent, mount_point}) !=
                       dead_places.end();
  return is_dead ? dead_end : MountIndex{};
}

void World::attach(MountIndex mount, MountIndex parent, DentryId mount_point) {
  PIVOTCHECK_CHECK(!has_parent(mount));
  (*this)[mount].parent = parent;
  (*this)[mount].mount_point = mount_point;
  (*this)[parent].children.push_back(mount);
}

void World::detach_from_parent(MountIndex mount) {
  Mount& m = (*this)[mount];
  if (!m.parent.exists()) return;
  std::erase((*this)[m.parent].children, mount);
  m.parent = {};
}

void World::free_mount(MountIndex mount) {
  Mount& m = (*this)[mount];
  PIVOTCHECK_CHECK(!m.parent.exists() && m.children.empty() && !m.group.exists());
  m.exists = false;
  m.mount_ns = {};
  std::erase_if(dead_places, [mount](const Location& place) { return place.mount == mount; });
}

void World::detach_to_dead_end(MountIndex mount) {
  if (!dead_end.exists()) {
    const DentryId root = (*this)[new_filesystem(FilesystemType::tmpfs, true, {0})].root;
    (*this)[root].mode = 0555;
    (*this)[root].removed = true;
    dead_end = new_mount(root);
    (*this)[dead_end].unmounted = true;
  }
  dead_places.push_back({(*this)[mount].parent, (*this)[mount].mount_point});
  detach_from_parent(mount);
}

std::vector<MountIndex> World::subtree(MountIndex mount) const {
  std::vector<MountIndex> result{mount};
  for (std::size_t i = 0; i < result.size(); ++i) {
    const auto& children = (*this)[result[i]].children;
    result.insert(result.end(), children.begin(), children.end());
  }
  return result;
}

Location World::topmost(Location at) const {
  for (;;) {
    const MountIndex above = mounted_at(at.mount, at.dentry);
    if (!above.exists()) return at;
    at = {above, (*this)[above].root};
  }
}

bool World::is_reachable(Location at, const Location& root) const {
  while (at.mount != root.mount && has_parent(at.mount)) {
    at = {(*this)[at.mount].parent, (*this)[at.mount].mount_point};
  }
  return at.mount == root.mount && is_below_or_at(at.dentry, root.dentry);
}

Location World::namespace_root(NamespaceId mount_ns) const {
  const MountIndex rootfs = (*this)[mount_ns].rootfs;
  const Location top = topmost({rootfs, (*this)[rootfs].root});
  return top.mount == rootfs ? Location{} : top;
}

// --- propagation as a relation

void World::join_group(MountIndex mount, GroupId group, MountIndex after) {
  Mount& m = (*this)[mount];
  PIVOTCHECK_CHECK(!m.group.exists());
  m.group = group;
  m.own_master = {};
  m.kept_with = {};
  m.unbindable = false;
  auto& members = (*this)[group].members;
  const auto place = std::ranges::find(members, after);
  members.insert(place == members.end() ? place : place + 1, mount);
}

MountIndex World::next_peer(MountIndex mount) const {
  const auto& members = (*this)[(*this)[mount].group].members;
  const auto self = static_cast<std::size_t>(std::ranges::find(members, mount) - members.begin());
  for (std::size_t i = 1; i < members.size(); ++i) {
    const MountIndex peer = members[(self + i) % members.size()];
    if ((*this)[peer].root == (*this)[mount].root) return peer;
  }
  return members.size() > 1 ? members[(self + 1) % members.size()] : MountIndex{};
}

void World::leave_group(MountIndex mount) {
  Mount& m = (*this)[mount];
  const GroupId left = m.group;
  if (!left.exists()) return;
  PeerGroup& group = (*this)[left];
  const bool is_last = group.members.size() == 1;
  const MountIndex heir = is_last ? group.kept_with : next_peer(mount);
  m.group = {};
  std::erase(group.members, mount);
  for (PeerGroup& other : groups) {
    if (other.master != left || (!is_last && other.kept_with != mount)) continue;
    other.kept_with = heir;
    if (is_last) other.master = group.master;
  }
  for (Mount& other : mounts) {
    if (other.own_master != left || (!is_last && other.kept_with != mount)) continue;
    other.kept_with = heir;
    if (is_last) other.own_master = group.master;
  }
}

// --- paths

std::string World::path_in_filesystem(DentryId dentry) const {
  std::string path;
  for (; (*this)[dentry].parent != dentry; dentry = (*this)[dentry].parent) {
    path.insert(0, (*this)[dentry].name);
    path.insert(0, 1, '/');
  }
  return path.empty() ? "/" : path;
}

bool World::prepend_path(DentryId from, DentryId top, std::string& path) const {
  while (from != top) {
    const Dentry& dentry = (*this)[from];
    if (dentry.parent == from) return false;
    path.insert(0, dentry.name);
    path.insert(0, 1, '/');
    from = dentry.parent;
  }
  return true;
}

std::string World::mount_point_path(MountIndex mount) const {
  std::string path;
  for (; has_parent(mount); mount = (*this)[mount].parent) {
    const Location mount_point{(*this)[mount].parent, (*this)[mount].mount_point};
    if (!prepend_path_in_mount(mount_point, path)) return "";
  }
  return path.empty() ? "/" : path;
}

std::string World::mount_point_path(MountIndex mount, const Location& root) const {
  std::string path;
  Location at{mount, (*this)[mount].root};
  while (at.mount != root.mount) {
    if (!prepend_path_in_mount(at, path) || !has_parent(at.mount)) return "";
    at = {(*this)[at.mount].parent, (*this)[at.mount].mount_point};
  }
  if (!prepend_path(at.dentry, root.dentry, path)) return "";
  return path.empty() ? "/" : path;
}

std::string World::path_of(Location at) const {
  std::string below;
  if (!prepend_path_in_mount(at, below)) return "/";
  const std::string mount_point = mount_point_path(at.mount);
  if (mount_point.empty()) return "/";
  if (below.empty()) return mount_point;
  return mount_point == "/" ? below : mount_point + below;
}

}  // namespace pivotcheck::model
