// SPDX-License-Identifier: Apache-2.0
// observe.cc: both roads from tasks that stand still to a Snapshot:
//
//     1. survey     group the tasks by mount namespace, read their locations
//     2. mounts     of each namespace, by one road
//     3. detached   a location whose mount is in none of the namespaces
//
// The roads differ in how mounts are called (unique ids against those of mountinfo), so locations
// are read with the ids of the road. Nothing here changes the world but the marks of MNT_EXPIRE.
#include "observe/observe.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include <spdlog/spdlog.h>

#include "observe/locations.h"
#include "observe/mountinfo.h"
#include "observe/proc.h"
#include "observe/statmount.h"

namespace pivotcheck {
namespace {

// A mount namespace with at least one task.
struct Found {
  ino_t inode = 0;
  NamespaceIdentity identity;      // id 0 where the kernel can't tell
  std::vector<std::size_t> tasks;  // indices
};

struct Survey {
  std::vector<Found> namespaces;  // as in the Snapshot
  std::vector<TaskFiles> files;   // of each task
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

// The index of a task's namespace. Opening it costs twice what reading the link does, so that is
// left for namespaces that are new.
Expected<std::uint32_t> find_namespace(Survey& survey, TaskFiles& files, bool identify) {
  static constexpr std::string_view link_name = "ns/mnt";
  if (!survey.namespaces.empty() || !identify) {
    const Expected<std::string> link = files.read_link(link_name);
    if (!link) return std::unexpected(link.error());
    const std::optional<ino_t> inode = inode_in(*link);
    if (!inode) return fail("/proc/PID/ns/mnt points at " + *link);
    const auto known = std::ranges::find(survey.namespaces, *inode, &Found::inode);
    const auto index = static_cast<std::uint32_t>(known - survey.namespaces.begin());
    if (known != survey.namespaces.end()) return index;
    survey.namespaces.push_back({.inode = *inode, .identity{}, .tasks{}});
    if (!identify) return index;
  } else {
    survey.namespaces.push_back({});
  }
  const Expected<UniqueFd> descriptor = files.open(link_name);
  if (!descriptor) return std::unexpected(descriptor.error());
  struct stat status {};
  if (fstat(descriptor->get(), &status) != 0) return fail_with_errno("fstat of", link_name);
  survey.namespaces.back().inode = status.st_ino;
  survey.namespaces.back().identity = identify_namespace(descriptor->get());
  return static_cast<std::uint32_t>(survey.namespaces.size() - 1);
}

// `identify`: the kernel can tell a namespace's id and how many mounts it has.
Expected<Survey> survey_tasks(int proc, std::span<const LiveTask> tasks, Source source, bool identify) {
  Locator locator(source == Source::listmount ? MountIdKind::unique : MountIdKind::mountinfo);
  Survey survey;
  survey.files.reserve(tasks.size());
  survey.tasks.reserve(tasks.size());
  for (const LiveTask& task : tasks) {
    TaskFiles& files = survey.files.emplace_back(proc, task.pid);
    const Expected<std::uint32_t> index = find_namespace(survey, files, identify);
    if (!index) return std::unexpected(index.error());
    Expected<TaskView> view = locator.locate_task(task, files);
    if (!view) return std::unexpected(std::move(view.error()));
    view->mount_namespace = *index;
    survey.namespaces[*index].tasks.push_back(survey.tasks.size());
    survey.tasks.push_back(std::move(*view));
  }
  return survey;
}

// The largest of the mountinfos of a namespace's tasks: what is below a root is below every root
// that is below that one. Tasks with the same root are read once.
Expected<std::vector<MountinfoLine>> read_mountinfo(Survey& survey, const Found& found,
                                                    std::string& text) {
  std::vector<MountinfoLine> largest;
  for (std::size_t i = 0; i < found.tasks.size(); ++i) {
    const std::size_t task = found.tasks[i];
    const auto same_root = [&](std::size_t other) {
      return survey.tasks[other].root == survey.tasks[task].root;
    };
    if (std::any_of(found.tasks.begin(), found.tasks.begin() + static_cast<std::ptrdiff_t>(i),
                    same_root)) {
      continue;
    }
    const Expected<void> read = survey.files[task].read_file("mountinfo", text);
    if (!read) return std::unexpected(read.error());
    auto lines = parse_mountinfo(text);
    if (!lines) {
      return fail("mountinfo of a task, line " + std::to_string(lines.error().line) + ": " +
                  std::string(lines.error().reason));
    }
    if (i == 0 || lines->size() > largest.size()) largest = std::move(*lines);
  }
  return largest;
}

// A parent that is not among the mounts is none.
void cut_parents(std::vector<MountView>& mounts) {
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
Expected<bool> view_by_mountinfo(Survey& survey, const Found& found, std::string& text,
                                 NamespaceView& view) {
  auto lines = read_mountinfo(survey, found, text);
  if (!lines) return std::unexpected(std::move(lines.error()));
  view.mounts.reserve(lines->size());
  for (MountinfoLine& line : *lines) view.mounts.push_back(std::move(line.mount));
  cut_parents(view.mounts);
  if (found.identity.id != 0) {
    if (view.mounts.size() == found.identity.mounts) return true;
    // More of the kernel's own mounts than one below the top, or something hidden: listmount knows.
    const Expected<ListedNamespace> listed = list_mounts(found.identity);
    return listed && listed->complete && listed->mounts.size() == view.mounts.size();
  }
  const auto lowest = std::ranges::find(view.mounts, MountId{0}, &MountView::parent);
  if (lowest == view.mounts.end() || lowest->mount_point != "/") return false;
  // Mountinfo alone can't tell this mount from one that covers the top.
  return std::ranges::any_of(found.tasks, [&](std::size_t task) {
    const LocationView& root = survey.tasks[task].root;
    return root.mount == lowest->id && root.path == "/";
  });
}

// A group's members as far as the snapshot shows them, for receives_from.
struct Member {
  std::uint64_t group = 0;
  std::uint32_t in_namespace = 0;
  std::uint64_t master = 0;  // the same for all members of a group

  auto operator<=>(const Member&) const = default;
};

std::vector<Member> members_of_groups(const std::vector<NamespaceView>& namespaces) {
  std::vector<Member> members;
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
                                           std::span<const Member> members) {
  std::uint64_t group = mount.master_group;
  for (std::size_t height = 0; group != 0 && height <= members.size(); ++height) {
    const auto all = std::ranges::equal_range(members, group, {}, &Member::group);
    if (all.empty()) return std::nullopt;
    if (std::ranges::binary_search(all, index, {}, &Member::in_namespace)) {
      return group == mount.master_group ? 0 : group;
    }
    group = all.front().master;
  }
  return 0;
}

// statmount can't give receives_from (statmount.h). It follows from the groups; where those lead
// out of what is listed (a group whose members are in a detached tree), mountinfo is asked, which
// answers for the root of a task. False where that leaves it open.
Expected<bool> fill_receives_from(Survey& survey, std::span<const ListedNamespace> listed,
                                  std::vector<NamespaceView>& views) {
  const std::vector<Member> members = members_of_groups(views);
  bool complete = true;
  for (std::uint32_t i = 0; i < views.size(); ++i) {
    std::optional<std::vector<MountinfoLine>> lines;  // read when it is first needed
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
        auto read = read_mountinfo(survey, survey.namespaces[i], text);
        if (!read) return std::unexpected(std::move(read.error()));
        complete = complete && read->size() == views[i].mounts.size();
        lines = std::move(*read);
      }
      const auto line = std::ranges::find_if(*lines, [&](const MountinfoLine& candidate) {
        return candidate.mount.id == listed[i].mountinfo_ids[j];
      });
      if (line != lines->end()) mount.receives_from = line->mount.receives_from;
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

Expected<Observation> finish(Survey survey, std::vector<NamespaceView> views, bool complete) {
  Observation observation{.snapshot{}, .complete = complete};
  observation.snapshot.namespaces = std::move(views);
  observation.snapshot.tasks = std::move(survey.tasks);
  mark_detached(observation.snapshot);
  return observation;
}

Expected<Observation> observe_by_mountinfo(Survey survey) {
  std::vector<NamespaceView> views(survey.namespaces.size());
  std::string text;
  bool complete = true;
  for (std::size_t i = 0; i < views.size(); ++i) {
    const Expected<bool> all = view_by_mountinfo(survey, survey.namespaces[i], text, views[i]);
    if (!all) return std::unexpected(all.error());
    complete = complete && *all;
  }
  return finish(std::move(survey), std::move(views), complete);
}

// nullopt where the kernel did not list all that there is (statmount.cc).
Expected<std::optional<Observation>> observe_by_listmount(Survey survey) {
  std::vector<ListedNamespace> listed;
  std::vector<NamespaceView> views;
  listed.reserve(survey.namespaces.size());
  views.reserve(survey.namespaces.size());
  bool slaves = false;
  for (const Found& found : survey.namespaces) {
    Expected<ListedNamespace> mounts = list_mounts(found.identity);
    if (!mounts) return std::unexpected(std::move(mounts.error()));
    if (!mounts->complete) return std::nullopt;
    cut_parents(mounts->mounts);
    for (const MountView& mount : mounts->mounts) slaves = slaves || mount.master_group != 0;
    views.push_back({std::move(mounts->mounts)});
    listed.push_back(std::move(*mounts));
  }
  bool complete = true;
  if (slaves) {
    const Expected<bool> filled = fill_receives_from(survey, listed, views);
    if (!filled) return std::unexpected(filled.error());
    complete = *filled;
  }
  return finish(std::move(survey), std::move(views), complete);
}

}  // namespace

Expected<Observer> Observer::make() {
  Observer observer;
  observer.proc_.reset(open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!observer.proc_) return fail_with_errno("open", "/proc", Failure::Kind::cannot_run);
  const Expected<std::string> self =
      TaskFiles(observer.proc_.get(), getpid()).read_link("ns/mnt");
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
    Expected<Survey> survey = survey_tasks(proc_.get(), tasks, source, true);
    if (!survey) return std::unexpected(std::move(survey.error()));
    Expected<std::optional<Observation>> observation = observe_by_listmount(std::move(*survey));
    if (!observation) return std::unexpected(std::move(observation.error()));
    if (*observation) return std::move(**observation);
    spdlog::debug("listmount does not list all of a namespace (FINDINGS.md): mountinfo is read");
  }
  Expected<Survey> survey = survey_tasks(proc_.get(), tasks, Source::mountinfo, listmount_);
  if (!survey) return std::unexpected(std::move(survey.error()));
  return observe_by_mountinfo(std::move(*survey));
}

}  // namespace pivotcheck
