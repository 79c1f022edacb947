// SPDX-License-Identifier: Apache-2.0
// canonical.cc: the canonical form of a snapshot. Ids become numbers that depend only on what can
// be seen from inside:
//
//     as read                                   canonical
//     44  parent 39  /b    shared 118           1  parent 0  /
//     39  parent 0   /                     ->   2  parent 1  /a    shared 1
//     41  parent 39  /a    shared 118           3  parent 1  /b    shared 1
//
// This runs once or twice for each case of a campaign, so it works on small sorted vectors and
// moves mounts instead of copying them. The mounts of all namespaces are numbered in one series,
// because a handle may be on a mount of another namespace than its task's.
//
// A parent that is not listed, a loop of parents, and a location on an unknown mount are bugs of
// ours (PIVOTCHECK_CHECK).
#include <algorithm>
#include <limits>
#include <span>
#include <tuple>

#include "base/check.h"
#include "view/snapshot.h"

namespace pivotcheck {
namespace {

// Old ids to new ones: 1, 2, ... in the order of first use; 0 stays 0.
class Renamer {
 public:
  std::uint64_t operator()(std::uint64_t old_id) {
    if (old_id == 0) return 0;
    const auto place = std::ranges::lower_bound(names_, old_id, {}, &Name::old_id);
    if (place != names_.end() && place->old_id == old_id) return place->new_id;
    const std::uint64_t new_id = names_.size() + 1;
    names_.insert(place, Name{old_id, new_id});
    return new_id;
  }
  // 0 for an id that was never used.
  [[nodiscard]] std::uint64_t find(std::uint64_t old_id) const {
    const auto place = std::ranges::lower_bound(names_, old_id, {}, &Name::old_id);
    return place != names_.end() && place->old_id == old_id ? place->new_id : 0;
  }

 private:
  struct Name {
    std::uint64_t old_id;
    std::uint64_t new_id;
  };
  std::vector<Name> names_;  // sorted by old_id
};

constexpr std::uint32_t no_parent = std::numeric_limits<std::uint32_t>::max();

// A mount by its index in the namespace, and its parent by the same.
struct Branch {
  std::uint32_t parent;
  std::uint32_t self;
};

// Each mount with its parent, sorted so that the children of one mount are consecutive, by mount
// point; the mounts without a parent come last.
std::vector<Branch> branches(std::span<const MountView> mounts) {
  struct Id {
    MountId id;
    std::uint32_t index;
  };
  std::vector<Id> ids;
  ids.reserve(mounts.size());
  for (std::uint32_t i = 0; i < mounts.size(); ++i) ids.push_back({mounts[i].id, i});
  std::ranges::sort(ids, {}, &Id::id);
  std::vector<Branch> result;
  result.reserve(mounts.size());
  for (std::uint32_t i = 0; i < mounts.size(); ++i) {
    std::uint32_t parent = no_parent;
    if (mounts[i].parent != 0) {
      const auto place = std::ranges::lower_bound(ids, mounts[i].parent, {}, &Id::id);
      PIVOTCHECK_CHECK(place != ids.end() && place->id == mounts[i].parent);
      parent = place->index;
    }
    result.push_back({parent, i});
  }
  // Only mounts without a path can have the same mount point (a directory above their mount point
  // was renamed out of what the parent shows); the rest of the key makes their order independent of
  // ids.
  const auto key = [&mounts](std::uint32_t index) {
    const MountView& mount = mounts[index];
    return std::tie(mount.mount_point, mount.root, mount.root_removed, mount.filesystem_read_only,
                    mount.unbindable);
  };
  std::ranges::sort(result, [&](const Branch& left, const Branch& right) {
    if (left.parent != right.parent) return left.parent < right.parent;
    const auto left_key = key(left.self);
    const auto right_key = key(right.self);
    if (left_key != right_key) return left_key < right_key;
    return mounts[left.self].flags.bits() < mounts[right.self].flags.bits();
  });
  return result;
}

// Depth first, without recursion: a stack of mounts can be thousands high.
std::vector<std::uint32_t> depth_first(std::span<const MountView> mounts) {
  const std::vector<Branch> sorted = branches(mounts);
  std::vector<std::uint32_t> order;
  std::vector<std::uint32_t> pending;
  order.reserve(mounts.size());
  pending.reserve(mounts.size());
  const auto push_children = [&](std::uint32_t parent) {
    const auto [first, last] = std::ranges::equal_range(sorted, parent, {}, &Branch::parent);
    for (auto child = last; child != first;) pending.push_back((--child)->self);
  };
  push_children(no_parent);
  while (!pending.empty()) {
    const std::uint32_t next = pending.back();
    pending.pop_back();
    order.push_back(next);
    push_children(next);
  }
  PIVOTCHECK_CHECK(order.size() == mounts.size());  // otherwise there is a loop of parents
  return order;
}

void order_mounts(NamespaceView& view) {
  const std::vector<std::uint32_t> order = depth_first(view.mounts);
  std::vector<MountView> ordered;
  ordered.reserve(view.mounts.size());
  for (const std::uint32_t index : order) ordered.push_back(std::move(view.mounts[index]));
  view.mounts = std::move(ordered);
}

// By the earliest task in each; namespaces without a task, which no observer reports, come last.
void order_namespaces(Snapshot& snapshot) {
  constexpr std::uint32_t unset = std::numeric_limits<std::uint32_t>::max();
  std::vector<std::uint32_t> new_index(snapshot.namespaces.size(), unset);
  std::uint32_t next = 0;
  for (TaskView& task : snapshot.tasks) {
    PIVOTCHECK_CHECK(task.mount_namespace < new_index.size());
    std::uint32_t& index = new_index[task.mount_namespace];
    if (index == unset) index = next++;
    task.mount_namespace = index;
  }
  for (std::uint32_t& index : new_index) {
    if (index == unset) index = next++;
  }
  std::vector<NamespaceView> ordered(snapshot.namespaces.size());
  for (std::size_t i = 0; i < new_index.size(); ++i) {
    ordered[new_index[i]] = std::move(snapshot.namespaces[i]);
  }
  snapshot.namespaces = std::move(ordered);
}

template <class Visit>
void for_each_mount(Snapshot& snapshot, Visit visit) {
  for (NamespaceView& view : snapshot.namespaces) {
    for (MountView& mount : view.mounts) visit(mount);
  }
}

void rename_groups(Snapshot& snapshot) {
  Renamer groups;
  for_each_mount(snapshot, [&](MountView& mount) { mount.peer_group = groups(mount.peer_group); });
  for_each_mount(snapshot, [&](MountView& mount) {
    mount.master_group = groups(mount.master_group);
    mount.receives_from = groups(mount.receives_from);
  });
}

}  // namespace

Snapshot canonical(Snapshot snapshot) {
  order_namespaces(snapshot);
  for (NamespaceView& view : snapshot.namespaces) order_mounts(view);
  Renamer mounts;
  Renamer filesystems;
  for_each_mount(snapshot, [&](MountView& mount) {
    mount.id = mounts(mount.id);
    mount.parent = mounts(mount.parent);  // parents come first, so this meets no new id
    mount.filesystem = filesystems(mount.filesystem);
  });
  rename_groups(snapshot);
  Renamer detached;
  Renamer objects;
  const auto rename = [&](LocationView& location) {
    location.mount = location.detached ? detached(location.mount) : mounts.find(location.mount);
    PIVOTCHECK_CHECK(location.mount != 0);
    location.object = objects(location.object);
  };
  for (TaskView& task : snapshot.tasks) {
    std::ranges::sort(task.handles, {}, &HandleView::name);
    rename(task.root);
    rename(task.current_directory);
    for (HandleView& handle : task.handles) rename(handle.location);
  }
  return snapshot;
}

}  // namespace pivotcheck
