// SPDX-License-Identifier: Apache-2.0
// world_builder.h: internal to hypothesis.cc and assumptions.cc. Builds the mounts of one World
// from a ProcessView and an Assumption, in this order:
//
//     user namespaces     as many as the ownership of the mount namespace needs
//     seen mounts         with the directories that they show and are mounted on
//     the process's root  a seen mount, or a made-up one
//     other mounts        made up when locate() first needs them
#pragma once

#include "explain/hypothesis.h"

namespace pivotcheck::explain {

inline constexpr MountId first_rootfs = 1;  // the machine's rootfs; no other mount has its number

// The mount at "/" that the process's root is, among what it sees: its parent is not seen there.
const SeenMount* own_root_line(const ProcessView& process);
inline bool is_rootfs_itself(const SeenMount& seen) { return seen.mount.parent == seen.mount.id; }

class WorldBuilder {
 public:
  WorldBuilder(const ProcessView& process, const Assumption& assumption);

  // The place of a path. A mount for it that is not seen is in another namespace if `foreign`, and
  // unmounted if `detached`.
  model::Location locate(const ResolvedPath& path, bool foreign, bool detached);
  void lock_mounts();
  model::Task& task() { return world.tasks.front(); }

  model::World world;
  std::map<MountId, model::MountIndex> mounts;
  model::MountIndex rootfs;  // Hypothesis::rootfs

 private:
  using DentryId = model::DentryId;
  using MountIndex = model::MountIndex;
  using Location = model::Location;

  void make_user_namespaces();
  DentryId directory_below(DentryId from, std::string_view path);
  DentryId removed_below(DentryId from, const std::string& path);
  DentryId directory_at(DentryId from, const std::string& rest, const ResolvedPath& path);
  DentryId unknown_place(MountIndex on, MountId id);
  model::GroupId group(std::uint64_t number);
  void make_mount(const SeenMount& seen);
  void set_propagation(MountIndex mount, const MountView& view);
  MountIndex made_up(MountId id, bool shared_otherwise);
  void attach(const SeenMount& seen);
  void attach_root(const SeenMount& seen, MountIndex mount);
  void attach_for_others(MountIndex mount, MountId id, const SeenMount& on);
  MountIndex mount_of_others(const SeenMount& seen);
  MountIndex parent_of_hidden(MountId id, bool shared_otherwise);
  MountIndex hidden_mount(MountId id, bool parent_shared, bool foreign, bool detached);
  Location hidden_root(MountId id);
  void set_root();
  MountIndex detached_tree(MountId id);
  MountIndex below() const { return world.mount_namespaces.front().rootfs; }
  DentryId top_of(MountIndex mount) const { return world[mount].root; }

  const ProcessView& process_;
  const Assumption& assumption_;
  std::map<std::uint64_t, DentryId> filesystems_;
  std::map<std::uint64_t, model::GroupId> groups_;
  std::map<std::pair<DentryId, std::string>, DentryId> removed_;
  Location hidden_root_;
};

}  // namespace pivotcheck::explain
