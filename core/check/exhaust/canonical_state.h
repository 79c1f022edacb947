// SPDX-License-Identifier: Apache-2.0
// canonical_state.h: the model's world as numbers that are the same for two worlds which no later
// step tells apart, whatever indices their mounts, groups and namespaces have.
//
//     world         tasks in their order, each with its namespaces, root, directory and handles
//       trees       of each namespace, then of each handle: depth first, children by mount point
//         mount     where it is, what it shows, flags, locks, marks, group and master
//     encode()      all of that in numbers that count from the first use: of mounts, directories,
//                   filesystems, groups, namespaces
//     hash_of()     128 bits of it
//     hash()        the least of these 128 bits over all renamings (symmetry.h)
//
// Everything that a later step may depend on is in it: locked flags and locks, expiry marks, mounts
// that were unmounted and are still used, who owns what, and whether a filesystem is read-only.
// canonical() of view/ leaves out what no process sees; this does not.
//
// The order within a peer group, and with which member a slave is kept, count only where a umount goes
// by them (trait umounts_largest_set is off), or where a kernel starves slaves of detached trees (trait
// starves_slaves_of_detached) and there may be such a tree: nothing else in the model asks for them.
//
// Equal numbers mean worlds that are equal, or are so once one is renamed: they describe the world
// whole. The other way round a world may have two descriptions where two mounts lie on one place
// (before Linux 6.17); then it counts as two, which costs time and loses nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "check/exhaust/symmetry.h"
#include "model/world.h"

namespace pivotcheck::exhaust {

struct StateHash {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  auto operator<=>(const StateHash&) const = default;
};

StateHash hash_of(std::span<const std::uint32_t> words);

class StateEncoder {
 public:
  // `orders_count`: the order within peer groups is part of a state. `renamings`: worlds that one of
  // them makes equal are one state.
  explicit StateEncoder(bool orders_count, std::vector<Renaming> renamings = {})
      : orders_count_(orders_count), renamings_(std::move(renamings)) {}

  // Of the world renamed; nullptr: of the world as it is. Valid until the next call.
  std::span<const std::uint32_t> encode(const model::World& world, const Renaming* renaming);
  StateHash hash(const model::World& world);

 private:
  struct Numbers {
    std::vector<std::uint32_t> of;  // by index; 0: none yet
    std::uint32_t count = 0;
    void reset(std::size_t size) {
      of.assign(size, 0);
      count = 0;
    }
  };

  void put(std::uint32_t word) { words_.push_back(word); }
  void put(std::string_view text);
  bool put_number(Numbers& numbers, std::uint32_t index);
  [[nodiscard]] const std::string& name_of(model::DentryId id) const;
  void add_children(model::DentryId id);
  void put_filesystem(model::FilesystemId id);
  void describe(model::DentryId id);
  void put_dentry(model::DentryId id);
  void put_group(model::GroupId id);
  void put_user_namespace(model::UserNamespaceId id);
  void put_mount_namespace(model::NamespaceId id);
  [[nodiscard]] std::uint32_t number(model::MountIndex id) const {  // 0: none, or not visited
    return id.exists() ? mounts_[id.value] : 0;
  }
  void put_mount(model::MountIndex id);
  void put_tree(model::MountIndex root);
  void put_tree_of(model::MountIndex mount);
  void put_location(const model::Location& at);
  void put_orders();
  static void for_each_handle(const model::Task& task, auto visit);  // by slot
  void put_task(const model::Task& task);
  [[nodiscard]] const model::Task& task_at(std::size_t number) const;
  void begin(const model::World& world, const Renaming* renaming);

  bool orders_count_;
  std::vector<Renaming> renamings_;
  const model::World* world_ = nullptr;
  const Renaming* renaming_ = nullptr;
  std::vector<std::uint32_t> words_;
  Numbers filesystems_, dentries_, groups_, user_namespaces_, mount_namespaces_;
  std::vector<std::uint32_t> mounts_;       // numbers by index
  std::vector<model::MountIndex> visited_;  // in the order of their numbers
  std::vector<model::MountIndex> pending_;
  std::vector<model::DentryId> pending_dentries_;
};

}  // namespace pivotcheck::exhaust
