// SPDX-License-Identifier: Apache-2.0
// observe.cc: from tasks that stand still to a Snapshot, with either source:
//
//     1. tasks      group them by mount namespace, read their locations
//     2. mounts     of each namespace, from one source
//     3. detached   a location whose mount is in none of the namespaces
//
// The sources give mounts different ids (unique ids, or those of mountinfo), so locations are read
// with the ids of the source. Nothing here changes the world, except the marks of MNT_EXPIRE.
#include "observe/observe.h"

#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/log.h"
#include "observe/locations.h"
#include "observe/mountinfo.h"
#include "observe/proc.h"
#include "observe/statmount.h"

namespace pivotcheck {
namespace {

// A mount namespace with at least one task.
struct LiveNamespace {
  ino_t inode = 0;
  NamespaceIdentity identity;      // id 0 where the kernel can't tell
  std::vector<std::size_t> tasks;  // indices
};

struct LiveWorld {
  std::vector<LiveNamespace> namespaces;  // as in the Snapshot
  std::vector<TaskFiles> files;           // of each task
  std::vector<TaskView> tasks;
};

// "mnt:[4026531841]"
std::optional<ino_t> inode_in(std::string_view link) {
  const std::size_t open = link.find('[');
  ino_t inode = 0;
  if (open == std::string_view::npos) return std::nullopt;
  const char* end = link.data() + link.size();
  const auto [stop, error] = std::from_chars(link.data() + open + 1, end, inode);
  return error == std::errc{} && stop != end && *stop == ']' ? std::optional(inode) : std::nullopt;
}

// The index of a task's namespace. Opening it costs twice as much as reading the link, so only new
// namespaces are opened.
Expected<std::uint32_t> find_namespace(LiveWorld& world, TaskFiles& files, bool identify) {
  static constexpr std::string_view link_name = "ns/mnt";
  if (!world.namespaces.empty() || !identify) {
    const Expected<std::string> link = files.read_link(link_name);
    if (!link) return std::unexpected(link.error());
    const std::optional<ino_t> inode = inode_in(*link);
    if (!inode) return fail("/proc/PID/ns/mnt points at " + *link);
    const auto known = std::ranges::find(world.namespaces, *inode, &LiveNamespace::inode);
    const auto index = static_cast<std::uint32_t>(known - world.namespaces.begin());
    if (known != world.namespaces.end()) return index;
    world.namespaces.push_back({.inode = *inode, .identity{}, .tasks{}});
    if (!identify) return index;
  } else {
    world.namespaces.push_back({});
  }
  const Expected<UniqueFd> descriptor = files.open(link_name);
  if (!descriptor) return std::unexpected(descriptor.error());
  world.namespaces.back().inode = inode_of(descriptor->get());
  world.namespaces.back().identity = identify_namespace(descriptor->get());
  return static_cast<std::uint32_t>(world.namespaces.size() - 1);
}

// `identify`: the kernel can tell a namespace's id and how many mounts it has.
Expected<LiveWorld> read_tasks(int proc, std::span<const LiveTask> tasks, Source source,
                               bool identify) {
  LocationReader locations(source == Source::listmount ? MountIdKind::unique
                                                       : MountIdKind::mountinfo);
  LiveWorld world;
  world.files.reserve(tasks.size());
  world.tasks.reserve(tasks.size());
  for (const LiveTask& task : tasks) {
    TaskFiles& files = world.files.emplace_back(proc, task.pid);
    const Expected<std::uint32_t> index = find_namespace(world, files, identify);
    if (!index) return std::unexpected(index.error());
    Expected<TaskView> view = locations.read_task(task, files);
    if (!view) return std::unexpected(std::move(view.error()));
    view->mount_namespace = *index;
    world.namespaces[*index].tasks.push_back(world.tasks.size());
    world.tasks.push_back(std::move(*view));
  }
  return world;
}

// The longest of the mountinfos of a namespace's tasks: the higher a root, the more is below it.
// Tasks with the same root are read once.
Expected<std::vector<MountView>> read_mountinfo(LiveWorld& world, const LiveNamespace& live,
                                                std::string& text) {
  std::vector<MountView> longest;
  for (std::size_t i = 0; i < live.tasks.size(); ++i) {
    const std::size_t task = live.tasks[i];
    const auto same_root = [&](std::size_t other) {
      return world.tasks[other].root == world.tasks[task].root;
    };
    if (std::any_of(live.tasks.begin(), live.tasks.begin() + static_cast<std::ptrdiff_t>(i),
                    same_root)) {
      continue;
    }
    const Expected<void> read = world.files[task].read_file("mountinfo", text);
    if (!read) return std::unexpected(read.error());
    auto lines = parse_mountinfo(text);
    if (!lines) {
      return fail("mountinfo of a task, line " + std::to_string(lines.error().line) + ": " +
                  std::string(lines.error().reason));
    }
    if (i == 0 || lines->size() > longest.size()) longest = std::move(*lines);
  }
  return longest;
}

// 0 for a parent that is not among the mounts.
void drop_unlisted_parents(std::vector<MountView>& mounts) {
  std::vector<MountId> ids;
  ids.reserve(mounts.size());
  for (const MountView& mount : mounts) ids.push_back(mount.id);
  std::ranges::sort(ids);
  for (MountView& mount : mounts) {
    if (mount.parent == mount.id || !std::ranges::binary_search(ids, mount.parent)) {
      mount.parent = 0;
    }
  }
}

// What mountinfo shows of one namespace, and whether that is all of it.
Expected<bool> view_by_mountinfo(LiveWorld& world, const LiveNamespace& live, std::string& text,
                                 NamespaceView& view) {
  auto mounts = read_mountinfo(world, live, text);
  if (!mounts) return std::unexpected(std::move(mounts.error()));
  view.mounts = std::move(*mounts);
  drop_unlisted_parents(view.mounts);
  if (live.identity.id != 0) {
    if (view.mounts.size() == live.identity.mounts) return true;
    // The kernel has several mounts of its own below the top, or something is hidden: ask
    // listmount.
    const Expected<ListedNamespace> listed = list_mounts(live.identity);
    return listed && listed->complete && listed->mounts.size() == view.mounts.size();
  }
  const auto lowest = std::ranges::find(view.mounts, MountId{0}, &MountView::parent);
  if (lowest == view.mounts.end() || lowest->mount_point != "/") return false;
  // From mountinfo alone, a mount that covers the top looks the same.
  return std::ranges::any_of(live.tasks, [&](std::size_t task) {
    const LocationView& root = world.tasks[task].root;
    return root.mount == lowest->id && root.path == "/";
  });
}

// A member of a peer group in the snapshot, for receives_from.
struct GroupMember {
  std::uint64_t group = 0;
  std::uint32_t in_namespace = 0;
  std::uint64_t master = 0;  // the same for all members of a group

  auto operator<=>(const GroupMember&) const = default;
};

std::vector<GroupMember> members_of_groups(const std::vector<NamespaceView>& namespaces) {
  std::vector<GroupMember> members;
  for (std::uint32_t i = 0; i < namespaces.size(); ++i) {
    for (const MountView& mount : namespaces[i].mounts) {
      if (mount.peer_group != 0) members.push_back({mount.peer_group, i, mount.master_group});
    }
  }
  std::ranges::sort(members);
  return members;
}

// The nearest group, from the mount's master upwards, that has a member in namespace `index`:
//
//     this namespace:   /b  slave of 2                      receives from 1
//     another one:      /x  shared 2, slave of 1
//     this namespace:   /a  shared 1
//
// nullopt where that goes through a group of which no member is in the snapshot.
std::optional<std::uint64_t> receives_from(const MountView& mount, std::uint32_t index,
                                           std::span<const GroupMember> members) {
  std::uint64_t group = mount.master_group;
  for (std::size_t height = 0; group != 0 && height <= members.size(); ++height) {
    const auto all = std::ranges::equal_range(members, group, {}, &GroupMember::group);
    if (all.empty()) return std::nullopt;
    if (std::ranges::binary_search(all, index, {}, &GroupMember::in_namespace)) {
      return group == mount.master_group ? 0 : group;
    }
    group = all.front().master;
  }
  return 0;
}

// statmount does not give receives_from (statmount.h). It follows from the groups; where a group
// has no listed member (they are in a detached tree), it comes from mountinfo, which gives it for
// the root of a task. False if that is not all of the namespace.
Expected<bool> fill_receives_from(LiveWorld& world, std::span<const ListedNamespace> listed,
                                  std::vector<NamespaceView>& views) {
  const std::vector<GroupMember> members = members_of_groups(views);
  bool complete = true;
  for (std::uint32_t i = 0; i < views.size(); ++i) {
    std::optional<std::vector<MountView>> lines;  // read when first needed
    for (std::size_t j = 0; j < views[i].mounts.size(); ++j) {
      MountView& mount = views[i].mounts[j];
      if (mount.master_group == 0) continue;
      const std::optional<std::uint64_t> known = receives_from(mount, i, members);
      if (known) {
        mount.receives_from = *known;
        continue;
      }
      if (!lines) {
        std::string text;
        auto read = read_mountinfo(world, world.namespaces[i], text);
        if (!read) return std::unexpected(std::move(read.error()));
        complete = complete && read->size() == views[i].mounts.size();
        lines = std::move(*read);
      }
      const auto line = std::ranges::find_if(*lines, [&](const MountView& candidate) {
        return candidate.id == listed[i].mountinfo_ids[j];
      });
      if (line != lines->end()) mount.receives_from = line->receives_from;
    }
  }
  return complete;
}

void mark_detached(Snapshot& snapshot) {
  std::vector<MountId> ids;
  for (const NamespaceView& view : snapshot.namespaces) {
    for (const MountView& mount : view.mounts) ids.push_back(mount.id);
  }
  std::ranges::sort(ids);
  const auto mark = [&ids](LocationView& location) {
    location.detached = !std::ranges::binary_search(ids, location.mount);
  };
  for (TaskView& task : snapshot.tasks) {
    mark(task.root);
    mark(task.current_directory);
    for (HandleView& handle : task.handles) mark(handle.location);
  }
}

Expected<Observation> make_observation(LiveWorld world, std::vector<NamespaceView> views,
                                       bool complete) {
  Observation observation{.snapshot{}, .complete = complete};
  observation.snapshot.namespaces = std::move(views);
  observation.snapshot.tasks = std::move(world.tasks);
  mark_detached(observation.snapshot);
  return observation;
}

Expected<Observation> observe_by_mountinfo(LiveWorld world) {
  std::vector<NamespaceView> views(world.namespaces.size());
  std::string text;
  bool complete = true;
  for (std::size_t i = 0; i < views.size(); ++i) {
    const Expected<bool> all = view_by_mountinfo(world, world.namespaces[i], text, views[i]);
    if (!all) return std::unexpected(all.error());
    complete = complete && *all;
  }
  return make_observation(std::move(world), std::move(views), complete);
}

// nullopt where the kernel does not list all mounts (statmount.cc).
Expected<std::optional<Observation>> observe_by_listmount(LiveWorld world) {
  std::vector<ListedNamespace> listed;
  std::vector<NamespaceView> views;
  listed.reserve(world.namespaces.size());
  views.reserve(world.namespaces.size());
  bool slaves = false;
  for (const LiveNamespace& live : world.namespaces) {
    Expected<ListedNamespace> mounts = list_mounts(live.identity);
    if (!mounts) return std::unexpected(std::move(mounts.error()));
    if (!mounts->complete) return std::nullopt;
    drop_unlisted_parents(mounts->mounts);
    for (const MountView& mount : mounts->mounts) slaves = slaves || mount.master_group != 0;
    views.push_back({std::move(mounts->mounts)});
    listed.push_back(std::move(*mounts));
  }
  bool complete = true;
  if (slaves) {
    const Expected<bool> filled = fill_receives_from(world, listed, views);
    if (!filled) return std::unexpected(filled.error());
    complete = *filled;
  }
  return make_observation(std::move(world), std::move(views), complete);
}

}  // namespace

Expected<Observer> Observer::make() {
  Observer observer;
  Expected<UniqueFd> proc = open_proc();
  if (!proc) return std::unexpected(std::move(proc.error()));
  observer.proc_ = std::move(*proc);
  const Expected<std::string> self = TaskFiles(observer.proc_.get(), getpid()).read_link("ns/mnt");
  if (!self) {
    return fail("/proc is not that of this PID namespace: " + self.error().what,
                Failure::Kind::cannot_run);
  }
  observer.listmount_ = listmount_works();
  return observer;
}

bool Observer::has(Source source) const {
  switch (source) {
    case Source::listmount: return listmount_;
    case Source::mountinfo: return true;
  }
  return false;
}

Expected<Observation> Observer::observe(std::span<const LiveTask> tasks, Source source) const {
  if (!has(source)) {
    return fail("listmount, statmount or NS_MNT_GET_INFO is missing: Linux 6.12 is needed",
                Failure::Kind::cannot_run);
  }
  if (source == Source::listmount) {
    Expected<LiveWorld> world = read_tasks(proc_.get(), tasks, source, true);
    if (!world) return std::unexpected(std::move(world.error()));
    Expected<std::optional<Observation>> observation = observe_by_listmount(std::move(*world));
    if (!observation) return std::unexpected(std::move(observation.error()));
    if (*observation) return std::move(**observation);
    log_debug(
        "listmount does not list all mounts of a namespace (FINDINGS.md): mountinfo is read");
  }
  Expected<LiveWorld> world = read_tasks(proc_.get(), tasks, Source::mountinfo, listmount_);
  if (!world) return std::unexpected(std::move(world.error()));
  return observe_by_mountinfo(std::move(*world));
}

}  // namespace pivotcheck
