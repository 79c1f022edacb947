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
// Where two mounts look alike and lie at one place of one parent (before Linux 6.17, and where a path
// is gone), what they are related to decides: see Colours.
//
// A parent that is not listed, a loop of parents, and a location on an unknown mount are bugs of
// ours (PIVOTCHECK_CHECK).
#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <string_view>
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

// What tells a mount from its siblings by itself.
auto look_of(const MountView& mount) {
  return std::tuple(std::string_view(mount.mount_point), std::string_view(mount.root),
                    mount.root_removed, mount.filesystem_read_only, mount.unbindable,
                    mount.flags.bits());
}

// Each mount with its parent, sorted so that the children of one mount are consecutive, by mount
// point; the mounts without a parent come last. `colours`: one for each mount, or none.
std::vector<Branch> branches(std::span<const MountView> mounts,
                             std::span<const std::uint64_t> colours = {}) {
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
  const auto less = [&](const Branch& left, const Branch& right) {
    if (left.parent != right.parent) return left.parent < right.parent;
    const auto left_look = look_of(mounts[left.self]);
    const auto right_look = look_of(mounts[right.self]);
    if (left_look != right_look || colours.empty()) return left_look < right_look;
    return colours[left.self] < colours[right.self];
  };
  std::ranges::sort(result, less);
  return result;
}

// The first from `begin` on that nothing tells from its sibling after it.
auto find_twin(std::span<const MountView> mounts, std::vector<Branch>::const_iterator begin,
               std::vector<Branch>::const_iterator end,
               std::span<const std::uint64_t> colours = {}) {
  return std::adjacent_find(begin, end, [&](const Branch& one, const Branch& next) {
    return one.parent == next.parent &&
           look_of(mounts[one.self]) == look_of(mounts[next.self]) &&
           (colours.empty() || colours[one.self] == colours[next.self]);
  });
}

// Depth first, without recursion: a stack of mounts can be thousands high.
std::vector<std::uint32_t> depth_first(std::span<const MountView> mounts,
                                       const std::vector<Branch>& sorted) {
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

void order_mounts(NamespaceView& view, const std::vector<Branch>& sorted) {
  const std::vector<std::uint32_t> order = depth_first(view.mounts, sorted);
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

// --- mounts that only their relations tell apart -------------------------------------------------

// A number for each mount, equal for two only if no relation tells them apart: parent and children,
// peers, masters and slaves, filesystem, what is there of the tasks. Refined until nothing more is
// told. Where two siblings are still alike, one of them is called the first, and the numbers are
// refined again (colour refinement with individualization). No number depends on an id.
class Colours {
 public:
  explicit Colours(const Snapshot& snapshot) : snapshot_(snapshot) {
    for (const NamespaceView& view : snapshot.namespaces) {
      std::vector<std::uint64_t>& own = of_.emplace_back();
      for (const MountView& mount : view.mounts) {
        std::uint64_t colour = mix(of_.size(), std::hash<std::string>{}(mount.mount_point));
        colour = mix(colour, std::hash<std::string>{}(mount.root));
        for (const bool is_set :
             {mount.root_removed, mount.filesystem_read_only, mount.unbindable}) {
          colour = mix(colour, std::uint64_t{is_set});
        }
        own.push_back(mix(colour, mount.flags.bits()));
      }
    }
    for (std::size_t i = 0; i < snapshot.tasks.size(); ++i) {
      const TaskView& task = snapshot.tasks[i];
      add_location(task.root, mix(i, 1));
      add_location(task.current_directory, mix(i, 2));
      for (const HandleView& handle : task.handles) {
        add_location(handle.location, mix(i, std::hash<std::string>{}(handle.name)));
      }
    }
    do refine();
    while (choose_one());
  }

  [[nodiscard]] std::span<const std::uint64_t> of(std::size_t view) const { return of_[view]; }

 private:
  static std::uint64_t mix(std::uint64_t left, std::uint64_t right) {  // splitmix64's last step
    std::uint64_t value = left * 0x9e3779b97f4a7c15ULL + right + 0x632be59bd9b4e019ULL;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
    return value ^ (value >> 31);
  }

  void for_each(auto visit) {
    for (std::size_t view = 0; view < of_.size(); ++view) {
      for (std::size_t i = 0; i < of_[view].size(); ++i) {
        visit(snapshot_.namespaces[view].mounts[i], of_[view][i]);
      }
    }
  }

  void add_location(const LocationView& location, std::uint64_t what) {
    what = mix(what, std::hash<std::string>{}(location.path));
    for_each([&](const MountView& mount, std::uint64_t& colour) {
      if (!location.detached && mount.id == location.mount) colour += what;
    });
  }

  // Sums of colours, so that no order counts: of the mounts that stand in a relation to an id.
  using Sums = std::map<std::pair<int, std::uint64_t>, std::uint64_t>;

  void refine() {
    for (std::size_t known = 0;;) {
      Sums sums;
      std::set<std::uint64_t> different;
      for_each([&](const MountView& mount, std::uint64_t& colour) {
        different.insert(colour);
        sums[{0, mount.id}] = colour;
        sums[{1, mount.parent}] += mix(colour, 1);
        sums[{2, mount.peer_group}] += mix(colour, 2);
        sums[{3, mount.master_group}] += mix(colour, 3);
        sums[{4, mount.receives_from}] += mix(colour, 4);
        sums[{5, mount.filesystem}] += mix(colour, 5);
      });
      if (different.size() == known) return;
      known = different.size();
      const auto related = [&](std::uint64_t colour, std::uint64_t id, auto... relations) {
        return ((colour = mix(colour, id == 0 ? 0 : sums[{relations, id}])), ..., colour);
      };
      for_each([&](const MountView& mount, std::uint64_t& colour) {
        colour = related(colour, mount.id, 1);
        colour = related(colour, mount.parent, 0);
        colour = related(colour, mount.peer_group, 2, 3, 4);
        colour = related(colour, mount.master_group, 2, 3, 4);
        colour = related(colour, mount.receives_from, 2, 3, 4);
        colour = related(colour, mount.filesystem, 5);
      });
    }
  }

  // Tells one of two siblings that are still alike from the other: of all, the two with the least
  // colour, so that it is the same choice whatever the order of the mounts. False if there are none.
  bool choose_one() {
    std::uint64_t* least = nullptr;
    for (std::size_t view = 0; view < of_.size(); ++view) {
      const std::vector<MountView>& mounts = snapshot_.namespaces[view].mounts;
      const std::vector<Branch> sorted = branches(mounts, of_[view]);
      for (auto twin = sorted.begin();; ++twin) {
        twin = find_twin(mounts, twin, sorted.end(), of_[view]);
        if (twin == sorted.end()) break;
        std::uint64_t& colour = of_[view][twin->self];
        if (least == nullptr || colour < *least) least = &colour;
      }
    }
    if (least == nullptr) return false;
    *least = mix(*least, 6);
    return true;
  }

  const Snapshot& snapshot_;
  std::vector<std::vector<std::uint64_t>> of_;  // by namespace, by mount
};

void order_mounts(Snapshot& snapshot) {
  std::vector<std::vector<Branch>> sorted;
  bool has_twins = false;
  for (const NamespaceView& view : snapshot.namespaces) {
    sorted.push_back(branches(view.mounts));
    const std::vector<Branch>& own = sorted.back();
    has_twins = has_twins || find_twin(view.mounts, own.begin(), own.end()) != own.end();
  }
  if (has_twins) {
    const Colours colours(snapshot);
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      sorted[i] = branches(snapshot.namespaces[i].mounts, colours.of(i));
    }
  }
  for (std::size_t i = 0; i < sorted.size(); ++i) order_mounts(snapshot.namespaces[i], sorted[i]);
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
  order_mounts(snapshot);
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
