// SPDX-License-Identifier: Apache-2.0
// canonical_state.cc: see canonical_state.h. The structs of the model are taken apart by structured
// bindings, so that a new member does not compile until it is here, too.
#include "check/exhaust/canonical_state.h"

#include <algorithm>

namespace pivotcheck::exhaust {
namespace {

using model::DentryId;
using model::FilesystemId;
using model::GroupId;
using model::Location;
using model::MountIndex;
using model::NamespaceId;
using model::UserNamespaceId;
using model::World;

// A bijection of `state` for each word: where one word differs, the result does.
std::uint64_t mixed(std::uint64_t state, std::uint64_t word, std::uint64_t factor) {
  state = (state ^ word) * factor;
  return state ^ (state >> 32);
}

std::uint32_t bits(auto... flags) {
  std::uint32_t result = 0;
  ((result = result << 1 | (flags ? 1U : 0U)), ...);
  return result;
}

}  // namespace

StateHash hash_of(std::span<const std::uint32_t> words) {
  StateHash hash{0x243f6a8885a308d3ULL, 0x13198a2e03707344ULL};
  for (std::size_t i = 0; i < words.size(); i += 2) {
    const std::uint64_t second = i + 1 < words.size() ? words[i + 1] : 0;
    const std::uint64_t both = words[i] | second << 32;
    hash.low = mixed(hash.low, both, 0x9e3779b97f4a7c15ULL);
    hash.high = mixed(hash.high, both + i, 0xd6e8feb86659fd93ULL);
  }
  hash.low = mixed(hash.low, words.size(), 0xbf58476d1ce4e5b9ULL);
  hash.high = mixed(hash.high, words.size(), 0x94d049bb133111ebULL);
  // 0 is what an empty place of a set has.
  return {hash.low == 0 ? 1 : hash.low, hash.high == 0 ? 1 : hash.high};
}

void StateEncoder::put(std::string_view text) {
  put(static_cast<std::uint32_t>(text.size()));
  std::uint32_t word = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    word = word << 8 | static_cast<unsigned char>(text[i]);
    if (i % 4 == 3 || i + 1 == text.size()) {
      put(word);
      word = 0;
    }
  }
}

// --- numbers

// Puts the number of an object. True at its first use: then its description follows.
bool StateEncoder::put_number(Numbers& numbers, std::uint32_t index) {
  auto& [of, count] = numbers;
  if (index == UINT32_MAX) {
    put(0);
    return false;
  }
  const bool is_new = of[index] == 0;
  if (is_new) of[index] = ++count;
  put(of[index]);
  return is_new;
}

// --- directories and files

const std::string& StateEncoder::name_of(DentryId id) const {
  const std::string& name = (*world_)[id].name;
  if (renaming_ == nullptr) return name;
  const auto found = renaming_->names.find(name);
  return found == renaming_->names.end() ? name : found->second;
}

void StateEncoder::describe(DentryId id) {
  const auto& [its_filesystem, parent, name, target, children, mode, kind, removed] = (*world_)[id];
  put(name_of(id));
  put(target);
  put(mode << 8 | static_cast<std::uint32_t>(kind) << 1 | bits(removed));
  put(static_cast<std::uint32_t>(children.size()));
}

// To what is pending: the last one comes first.
void StateEncoder::add_children(DentryId id) {
  const auto& children = (*world_)[id].children;
  const auto added = static_cast<std::ptrdiff_t>(pending_dentries_.size());
  pending_dentries_.insert(pending_dentries_.end(), children.begin(), children.end());
  std::ranges::sort(pending_dentries_.begin() + added, pending_dentries_.end(),
                    std::ranges::greater{},
                    [this](DentryId child) -> const std::string& { return name_of(child); });
}

void StateEncoder::put_filesystem(FilesystemId id) {
  if (!put_number(filesystems_, id.value)) return;
  const auto& [root, read_only, mounted_in] = (*world_)[id];
  put(bits(read_only));
  put_user_namespace(mounted_in);
  pending_dentries_.assign(1, root);
  while (!pending_dentries_.empty()) {
    const DentryId next = pending_dentries_.back();
    pending_dentries_.pop_back();
    dentries_.of[next.value] = ++dentries_.count;
    describe(next);
    add_children(next);
  }
}

// One that was removed is described by itself; so is what it was in.
void StateEncoder::put_dentry(DentryId id) {
  if (!id.exists()) return put(0);
  put_filesystem((*world_)[id].filesystem);
  if (!put_number(dentries_, id.value)) return;
  describe(id);
  put_dentry((*world_)[id].parent);
  for (const DentryId child : (*world_)[id].children) put_dentry(child);
}

// --- groups and namespaces

void StateEncoder::put_group(GroupId id) {
  if (put_number(groups_, id.value)) put_group((*world_)[id].master);
}

void StateEncoder::put_user_namespace(UserNamespaceId id) {
  if (!put_number(user_namespaces_, id.value)) return;
  const auto& [parent, level, exhausted] = (*world_)[id];
  put(static_cast<std::uint32_t>(level) << 16 | exhausted.bits());
  put_user_namespace(parent);
}

void StateEncoder::put_mount_namespace(NamespaceId id) {
  if (!put_number(mount_namespaces_, id.value)) return;
  const auto& [owner, rootfs, detached_root, origin] = (*world_)[id];
  put(bits(rootfs.exists(), detached_root.exists()));
  put_user_namespace(owner);
  put_mount_namespace(origin);
}

// --- mounts

void StateEncoder::put_mount(MountIndex id) {
  const auto& [root, parent, mount_point, children, mount_ns, its_group, own_master, kept_with,
               flags, locked_flags, unbindable, locked, expiry_mark, mark_is_unclear, unmounted,
               exists] =
      (*world_)[id];
  visited_.push_back(id);
  mounts_[id.value] = static_cast<std::uint32_t>(visited_.size());
  put(number(parent));
  if (parent.exists()) put_dentry(mount_point);
  put_dentry(root);
  put(std::uint32_t{flags.bits()} << 16 | locked_flags.bits());
  put(bits(unbindable, locked, expiry_mark, expiry_mark && mark_is_unclear, unmounted));
  put_mount_namespace(mount_ns);
  put_group(its_group);
  put_group(own_master);
  put(static_cast<std::uint32_t>(children.size()));
  for (const Location& place : world_->dead_places) {
    if (place.mount != id) continue;
    put(UINT32_MAX);  // no number: what is here stands out from what follows
    put_dentry(place.dentry);
  }
}

// Of children on one place the order stays: the newer one is found (world.h, mounted_at). All lie
// on one filesystem, which the parent's root has numbered.
void StateEncoder::put_tree(MountIndex root) {
  pending_.assign(1, root);
  while (!pending_.empty()) {
    const MountIndex id = pending_.back();
    pending_.pop_back();
    put_mount(id);
    const auto place = [&](MountIndex child) {
      return dentries_.of[(*world_)[child].mount_point.value];
    };
    const std::size_t first = pending_.size();
    const auto& children = (*world_)[id].children;
    for (auto child = children.rbegin(); child != children.rend(); ++child) {
      std::size_t at = pending_.size();
      pending_.push_back(*child);
      for (; at > first && place(pending_[at - 1]) < place(*child); --at) {
        pending_[at] = pending_[at - 1];
      }
      pending_[at] = *child;
    }
  }
}

// The tree that a mount is in, if it was not put yet: a namespace's, a detached one, or unmounted
// mounts.
void StateEncoder::put_tree_of(MountIndex mount) {
  if (number(mount) != 0) return;
  while ((*world_)[mount].parent.exists()) mount = (*world_)[mount].parent;
  put_tree(mount);
}

void StateEncoder::put_location(const Location& at) {
  put(number(at.mount));
  put_dentry(at.dentry);
}

// With which member a slave is kept, and who follows whom in the ring of a group.
void StateEncoder::put_orders() {
  for (const MountIndex id : visited_) {
    put(number(world_->kept_with(id)));
    const GroupId group = (*world_)[id].group;
    if (!group.exists()) continue;
    const auto& members = (*world_)[group].members;
    const auto self = static_cast<std::size_t>(std::ranges::find(members, id) - members.begin());
    put(number(members[(self + 1) % members.size()]));
  }
}

// --- the whole world

void StateEncoder::for_each_handle(const model::Task& task, auto visit) {
  std::size_t left = task.handles.size();
  for (int slot = 0; left > 0; ++slot) {
    const auto handle = std::ranges::find(task.handles, slot, &model::Handle::slot);
    if (handle == task.handles.end()) continue;
    --left;
    visit(*handle);
  }
}

void StateEncoder::put_task(const model::Task& task) {
  const auto& [name, root, current_directory, handles, mount_ns, user_ns, capabilities, alive] =
      task;
  put(bits(alive));
  if (!alive) return;
  put_mount_namespace(mount_ns);
  put_user_namespace(user_ns);
  put(capabilities.bits());
  put_location(root);
  put_location(current_directory);
  put(static_cast<std::uint32_t>(handles.size()));
  for_each_handle(task, [this](const model::Handle& handle) {
    put(static_cast<std::uint32_t>(handle.slot));
    put_location(handle.at);
    put_mount_namespace(handle.keeps);
  });
}

const model::Task& StateEncoder::task_at(std::size_t number) const {
  return world_->tasks[renaming_ == nullptr ? number : renaming_->tasks[number]];
}

void StateEncoder::begin(const World& world, const Renaming* renaming) {
  world_ = &world;
  renaming_ = renaming;
  words_.clear();
  visited_.clear();
  filesystems_.reset(world.filesystems.size());
  dentries_.reset(world.dentries.size());
  groups_.reset(world.groups.size());
  user_namespaces_.reset(world.user_namespaces.size());
  mount_namespaces_.reset(world.mount_namespaces.size());
  mounts_.assign(world.mounts.size(), 0);
}

std::span<const std::uint32_t> StateEncoder::encode(const World& world, const Renaming* renaming) {
  begin(world, renaming);
  const std::size_t tasks = world.tasks.size();
  for (std::size_t i = 0; i < tasks; ++i) {
    if (task_at(i).alive) put_tree_of(world[task_at(i).mount_ns].rootfs);
  }
  for (std::size_t i = 0; i < tasks; ++i) {
    const model::Task& task = task_at(i);
    if (!task.alive) continue;
    put_tree_of(task.root.mount);
    put_tree_of(task.current_directory.mount);
    for_each_handle(task, [&](const model::Handle& handle) {
      put_tree_of(handle.at.mount);
      if (world.is_detached_tree(handle.keeps)) put_tree_of(world[handle.keeps].detached_root);
    });
  }
  for (std::size_t i = 0; i < tasks; ++i) put_task(task_at(i));
  if (orders_count_) put_orders();
  return words_;
}

StateHash StateEncoder::hash(const World& world) {
  StateHash least = hash_of(encode(world, nullptr));
  for (const Renaming& renaming : renamings_) {
    least = std::min(least, hash_of(encode(world, &renaming)));
  }
  return least;
}

}  // namespace pivotcheck::exhaust
