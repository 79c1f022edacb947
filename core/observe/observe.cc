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
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>

#include "base/log.h"
#include "observe/entered_namespace.h"
#include "observe/mountinfo.h"
#include "observe/proc.h"
#include "observe/statmount.h"
#include "syscalls/mount_api.h"

namespace pivotcheck {
namespace {

// --- where tasks are

// A number for the file: inode numbers are unique in one filesystem only. Filesystems without a
// device have major number 0 and different minor numbers, so the shift loses nothing.
std::uint64_t object_of(const struct statx& status) {
  return (std::uint64_t{status.stx_dev_minor} << 40) ^ status.stx_ino;
}

// Where the roots, current directories and handles of all tasks of one world are, from /proc/PID:
// most tasks use the same few directories, whose paths are read once. Each is two calls on the same
// magic link:
//
//     statx("root")      the mount's id, and whether the directory has been removed (no link left)
//     readlink("root")   the path, from the top of the tree that the mount is in: d_path stops only
//                        at the reader's own root, which is in another tree
//
// readlink appends " (deleted)" to the path of a removed file or directory, but a name may end so
// as well. The number of links, which is 0 exactly for removed ones, tells the two apart. (That
// holds for tmpfs and ramfs, which worlds consist of, and without hard links, which scenarios can't
// make.)
class LocationReader {
 public:
  explicit LocationReader(Source source)
      : id_(source == Source::listmount ? STATX_MNT_ID_UNIQUE : STATX_MNT_ID) {}

  // name, root, current_directory and handles; the caller sets mount_namespace.
  Expected<TaskView> read_task(const LiveTask& task, TaskFiles& files) {
    TaskView view;
    view.name = task.name;
    for (const auto& [link, member] :
         {std::pair{"root", &TaskView::root}, std::pair{"cwd", &TaskView::current_directory}}) {
      Expected<LocationView> location = read(files, link);
      if (!location) return std::unexpected(std::move(location.error()));
      view.*member = std::move(*location);
    }
    view.handles.reserve(task.handles.size());
    for (const auto& [name, descriptor] : task.handles) {
      std::array<char, 16> link{'f', 'd', '/'};
      const char* end = std::to_chars(link.data() + 3, link.data() + link.size(), descriptor).ptr;
      Expected<LocationView> location = read(files, std::string_view(link.data(), end));
      if (!location) return std::unexpected(std::move(location.error()));
      view.handles.push_back({name, std::move(*location)});
    }
    return view;
  }

 private:
  struct Known {  // a directory: it has one path below each mount
    std::uint64_t inode;
    LocationView location;
  };

  Expected<LocationView> read(TaskFiles& files, std::string_view link) {
    const unsigned mask = STATX_TYPE | STATX_INO | STATX_NLINK | id_;
    struct statx status {};
    if (statx(files.proc(), files.path(link), AT_NO_AUTOMOUNT, mask, &status) != 0) {
      return fail_with_errno("statx in /proc:", files.path(link));
    }
    if ((status.stx_mask & id_) == 0) {
      return fail("statx gives no mount ids: Linux 5.8 is needed", Failure::Kind::cannot_run);
    }
    for (const Known& known : known_) {
      if (known.inode == status.stx_ino && known.location.mount == status.stx_mnt_id) {
        return known.location;
      }
    }
    Expected<std::string> path = files.read_link(link);
    if (!path) return std::unexpected(std::move(path.error()));
    LocationView location{.mount = status.stx_mnt_id,
                          .detached = false,
                          .path = std::move(*path),
                          .removed = status.stx_nlink == 0,
                          .object = object_of(status)};
    static constexpr std::string_view suffix = " (deleted)";
    if (location.removed && location.path.ends_with(suffix)) {
      location.path.resize(location.path.size() - suffix.size());
    }
    if (S_ISDIR(status.stx_mode)) known_.push_back({status.stx_ino, location});
    return location;
  }

  const unsigned id_;  // which of a mount's two ids
  std::vector<Known> known_;
};

// A mount namespace with at least one task.
struct LiveNamespace {
  std::string link;                // "mnt:[4026531841]"
  NamespaceIdentity identity;      // id 0 where the kernel can't tell
  std::vector<std::size_t> tasks;  // indices
};

struct LiveWorld {
  std::span<const LiveTask> live;
  std::vector<LiveNamespace> namespaces;  // as in the Snapshot
  std::vector<TaskFiles> files;           // of each task
  std::vector<TaskView> tasks;
};

// The index of a task's namespace. Opening it costs twice as much as reading the link, so only new
// namespaces are opened; the first one is new in any case.
Expected<std::uint32_t> find_namespace(LiveWorld& world, TaskFiles& files, bool identify) {
  LiveNamespace found;
  if (!world.namespaces.empty() || !identify) {
    Expected<std::string> link = files.read_link("ns/mnt");
    if (!link) return std::unexpected(std::move(link.error()));
    const auto known = std::ranges::find(world.namespaces, *link, &LiveNamespace::link);
    if (known != world.namespaces.end()) {
      return static_cast<std::uint32_t>(known - world.namespaces.begin());
    }
    found.link = std::move(*link);
  }
  if (identify) {
    const Expected<UniqueFd> descriptor = files.open("ns/mnt");
    if (!descriptor) return std::unexpected(descriptor.error());
    found.link = "mnt:[" + std::to_string(inode_of(descriptor->get())) + "]";
    found.identity = identify_namespace(descriptor->get());
  }
  world.namespaces.push_back(std::move(found));
  return static_cast<std::uint32_t>(world.namespaces.size() - 1);
}

// `identify`: the kernel can tell a namespace's id and how many mounts it has.
Expected<LiveWorld> read_tasks(int proc, std::span<const LiveTask> tasks, Source source,
                               bool identify) {
  LocationReader locations(source);
  LiveWorld world{.live = tasks, .namespaces = {}, .files = {}, .tasks = {}};
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

// --- the mounts of their namespaces

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

// What a reader of mounts needs besides the world: /proc, a way to list mounts, a buffer.
struct Sources {
  int proc;
  ListMounts list;
  std::string text;  // of a mountinfo
};

// What one namespace's mounts look like, and from where they were seen.
struct NamespaceSeen : ListedNamespace {
  Viewpoint from;
};

Expected<std::vector<MountView>> parse_lines(const std::string& text) {
  auto lines = parse_mountinfo(text);
  if (lines) return std::move(*lines);
  return fail("mountinfo of a task, line " + std::to_string(lines.error().line) + ": " +
              std::string(lines.error().reason));
}

// The longest mountinfo of those tasks whose root is at "/": the lower that mount, the more it has.
// Tasks with the same root are read once. "/" is also the path of a directory that was renamed out of
// what its mount shows; from there only what is mounted on it is seen.
Expected<void> read_by_tasks(Sources& sources, LiveWorld& world, const LiveNamespace& live,
                             NamespaceSeen& seen) {
  std::vector<const LocationView*> roots;
  for (const std::size_t task : live.tasks) {
    const LocationView& root = world.tasks[task].root;
    const auto is_same = [&root](const LocationView* other) { return *other == root; };
    if (root.path != "/" || std::ranges::any_of(roots, is_same)) continue;
    roots.push_back(&root);
    const Expected<void> read = world.files[task].read_file("mountinfo", sources.text);
    if (!read) return std::unexpected(read.error());
    Expected<std::vector<MountView>> lines = parse_lines(sources.text);
    if (!lines) return std::unexpected(std::move(lines.error()));
    if (lines->size() <= seen.mounts.size()) continue;
    seen.mounts = std::move(*lines);
    seen.from = {Viewpoint::From::root, task, {}};
  }
  return {};
}

// Of a process that enters the namespace, and makes the directory `start` its root. Where there are no
// mounts, it stands in rootfs.
Expected<std::vector<MountView>> read_by_entering(Sources& sources, LiveWorld& world,
                                                  const LiveNamespace& live, int start = -1) {
  const Expected<UniqueFd> mount_namespace = world.files[live.tasks.front()].open("ns/mnt");
  if (!mount_namespace) return std::unexpected(mount_namespace.error());
  const auto file = open_mountinfo_inside(sources.proc, mount_namespace->get(), start);
  if (!file) return std::unexpected(file.error());
  const Expected<void> read = read_all(file->get(), "mountinfo", sources.text);
  if (!read) return std::unexpected(read.error());
  Expected<std::vector<MountView>> lines = parse_lines(sources.text);
  if (!lines) return std::unexpected(std::move(lines.error()));
  std::erase_if(*lines, [](const MountView& mount) { return mount.parent == mount.id; });
  return lines;
}

// The places of a task from which mounts may be seen: the link in /proc/PID, and what it shows.
struct Place {
  std::string link;
  Viewpoint from;
  const LocationView* at;
};

std::vector<Place> places_of(const LiveWorld& world, std::size_t task) {
  using From = Viewpoint::From;
  const TaskView& view = world.tasks[task];
  std::vector<Place> places{{"cwd", {From::current_directory, task, {}}, &view.current_directory},
                            {"root", {From::root, task, {}}, &view.root}};
  for (std::size_t i = 0; i < view.handles.size(); ++i) {
    places.push_back({"fd/" + std::to_string(world.live[task].handles[i].second),
                      {From::handle, task, view.handles[i].name},
                      &view.handles[i].location});
  }
  return places;
}

// If a task's place is the root of a mount that is hidden, a process can go there, and may see more.
void read_from_hidden(Sources& sources, LiveWorld& world, const LiveNamespace& live,
                      NamespaceSeen& seen) {
  std::vector<MountId> known;
  for (const MountView& mount : seen.mounts) known.push_back(mount.id);
  for (std::size_t task = 0; task < world.tasks.size(); ++task) {
    for (const Place& place : places_of(world, task)) {
      if (place.at->path != "/" || std::ranges::find(known, place.at->mount) != known.end()) {
        continue;
      }
      known.push_back(place.at->mount);
      TaskFiles& files = world.files[task];
      const UniqueFd start(
          openat(files.proc(), files.path(place.link), O_PATH | O_DIRECTORY | O_CLOEXEC));
      if (!start) continue;
      auto lines = read_by_entering(sources, world, live, start.get());
      if (!lines || lines->size() <= seen.mounts.size()) continue;
      seen.mounts = std::move(*lines);
      seen.from = place.from;
    }
  }
}

bool shows_all_of(std::span<const MountView> mounts, std::span<const MountView> some) {
  return std::ranges::all_of(some, [&](const MountView& mount) {
    return std::ranges::find(mounts, mount.id, &MountView::id) != mounts.end();
  });
}

// What mountinfo shows of one namespace, and whether that is all of it.
Expected<NamespaceSeen> see_by_mountinfo(Sources& sources, LiveWorld& world,
                                         const LiveNamespace& live) {
  NamespaceSeen seen;
  if (const auto read = read_by_tasks(sources, world, live, seen); !read) {
    return std::unexpected(read.error());
  }
  const bool counted = live.identity.id != 0;
  std::size_t all = live.identity.mounts;
  bool is_listed = true;
  if (counted && seen.mounts.size() != all) {
    // The kernel may have several mounts of its own below the top, or something is hidden.
    const Expected<ListedNamespace> listed = sources.list(live.identity);
    is_listed = listed && listed->complete;
    if (is_listed) all = listed->mounts.size();
  }
  // Where not all is listed, a task's root may be where no path leads to, and see nothing else.
  if (!is_listed || (seen.mounts.empty() && !(counted && all == 0))) {
    auto lines = read_by_entering(sources, world, live);
    if (!lines) return std::unexpected(std::move(lines.error()));
    if (!shows_all_of(seen.mounts, *lines)) {
      seen.mounts = std::move(*lines);
      seen.from = {Viewpoint::From::entered, 0, {}};
    }
  }
  if (counted && seen.mounts.size() != all) read_from_hidden(sources, world, live, seen);
  seen.complete = !counted || seen.mounts.size() == all;
  drop_unlisted_parents(seen.mounts);
  return seen;
}

// A member of a peer group in the snapshot, for receives_from.
struct GroupMember {
  std::uint64_t group = 0;
  std::uint32_t in_namespace = 0;
  std::uint64_t master = 0;  // the same for all members of a group

  auto operator<=>(const GroupMember&) const = default;
};

std::vector<GroupMember> members_of_groups(std::span<const NamespaceSeen> namespaces) {
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
// nullopt where that goes through a group of which no member is in the snapshot; except where no group
// has a member in that namespace.
std::optional<std::uint64_t> receives_from(const MountView& mount, std::uint32_t index,
                                           std::span<const GroupMember> members) {
  std::uint64_t group = mount.master_group;
  for (std::size_t height = 0; group != 0 && height <= members.size(); ++height) {
    const auto all = std::ranges::equal_range(members, group, {}, &GroupMember::group);
    if (all.empty()) {
      const bool any_here = std::ranges::find(members, index, &GroupMember::in_namespace) !=
                            members.end();
      return any_here ? std::nullopt : std::optional<std::uint64_t>(0);
    }
    if (std::ranges::binary_search(all, index, {}, &GroupMember::in_namespace)) {
      return group == mount.master_group ? 0 : group;
    }
    group = all.front().master;
  }
  return 0;
}

// statmount does not give receives_from (statmount.h). It follows from the groups; where a group
// has no listed member (they are in a detached tree), it comes from mountinfo, which gives it for
// the root of its reader; of a namespace of which that does not show all, nobody can tell.
Expected<void> fill_receives_from(Sources& sources, LiveWorld& world,
                                  std::vector<NamespaceSeen>& listed) {
  std::optional<std::vector<GroupMember>> members;  // made when first needed
  for (std::uint32_t i = 0; i < listed.size(); ++i) {
    std::optional<NamespaceSeen> lines;  // read when first needed
    for (std::size_t j = 0; j < listed[i].mounts.size(); ++j) {
      MountView& mount = listed[i].mounts[j];
      if (mount.master_group == 0) continue;
      if (!members) members = members_of_groups(listed);
      const std::optional<std::uint64_t> known = receives_from(mount, i, *members);
      if (known) {
        mount.receives_from = *known;
        continue;
      }
      if (!lines) {
        auto seen = see_by_mountinfo(sources, world, world.namespaces[i]);
        if (!seen) return std::unexpected(std::move(seen.error()));
        lines = std::move(*seen);
        listed[i].from.shows_receives_from = lines->mounts.size() == listed[i].mounts.size();
      }
      const auto line = std::ranges::find(lines->mounts, listed[i].mountinfo_ids[j], &MountView::id);
      if (line != lines->mounts.end()) mount.receives_from = line->receives_from;
    }
    if (listed[i].from.shows_receives_from) continue;
    for (MountView& mount : listed[i].mounts) mount.receives_from = 0;
  }
  return {};
}

Expected<NamespaceSeen> see_by_listmount(const Sources& sources, const LiveNamespace& live) {
  Expected<ListedNamespace> listed = sources.list(live.identity);
  if (!listed) return std::unexpected(std::move(listed.error()));
  if (listed->complete) drop_unlisted_parents(listed->mounts);
  return NamespaceSeen{std::move(*listed), {}};
}

// Listmount did not list all that is counted: mountinfo is read. Does that show what was not listed?
Expected<Observation> instead_of(const std::vector<NamespaceSeen>& listed,
                                 Expected<Observation> by_mountinfo) {
  if (!by_mountinfo) return by_mountinfo;
  const std::vector<NamespaceView>& shown = by_mountinfo->snapshot.namespaces;
  for (std::size_t i = 0; i < listed.size(); ++i) {
    const std::vector<std::uint32_t>& ids = listed[i].mountinfo_ids;
    by_mountinfo->listmount_lost |= std::ranges::any_of(shown[i].mounts, [&](const auto& mount) {
      return std::ranges::find(ids, mount.id) == ids.end();
    });
  }
  if (by_mountinfo->listmount_lost) {
    log_debug("listmount does not list all mounts of a namespace (FINDINGS.md): mountinfo is read");
  }
  return by_mountinfo;
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

}  // namespace

Expected<Observer> Observer::make(ListMounts list) {
  Observer observer;
  observer.list_ = list;
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
  Expected<LiveWorld> world = read_tasks(proc_.get(), tasks, source, listmount_);
  if (!world) return std::unexpected(std::move(world.error()));
  Sources sources{proc_.get(), list_, {}};
  std::vector<NamespaceSeen> seen;
  for (const LiveNamespace& live : world->namespaces) {
    Expected<NamespaceSeen> mounts = source == Source::listmount
                                         ? see_by_listmount(sources, live)
                                         : see_by_mountinfo(sources, *world, live);
    if (!mounts) return std::unexpected(std::move(mounts.error()));
    seen.push_back(std::move(*mounts));
  }
  const auto is_complete = [&] { return std::ranges::all_of(seen, &ListedNamespace::complete); };
  if (source == Source::listmount) {
    if (!is_complete()) return instead_of(seen, observe(tasks, Source::mountinfo));
    if (const auto filled = fill_receives_from(sources, *world, seen); !filled) {
      return std::unexpected(filled.error());
    }
  }
  Observation result;
  result.source = source;
  result.complete = is_complete();
  for (NamespaceSeen& each : seen) {
    result.snapshot.namespaces.push_back({std::move(each.mounts)});
    result.seen_from.push_back(each.from);
    result.mountinfo_ids.push_back(std::move(each.mountinfo_ids));
  }
  result.snapshot.tasks = std::move(world->tasks);
  mark_detached(result.snapshot);
  return result;
}

}  // namespace pivotcheck
