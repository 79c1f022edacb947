// SPDX-License-Identifier: Apache-2.0
// locations.cc: see locations.h.
//
// readlink appends " (deleted)" to the path of what has been removed, but a name may end so as well:
// the number of links, which is 0 exactly for what has been removed, tells the two apart. (On tmpfs and
// ramfs, of which worlds are made, and without hard links, which scenarios cannot make.)
#include "observe/locations.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <charconv>
#include <cstring>

#include "observe/proc.h"
#include "observe/statmount_api.h"

namespace pivotcheck {
namespace {

Expected<Location> locate(int task_directory, const char* link, MountIdKind kind) {
  const unsigned which = kind == MountIdKind::unique ? statmount_api::statx_mount_id_unique
                                                     : statmount_api::statx_mount_id;
  struct statx status;
  if (statx(task_directory, link, AT_NO_AUTOMOUNT, STATX_NLINK | which, &status) != 0) {
    return fail_with_errno("statx of /proc/PID, link", link);
  }
  if ((status.stx_mask & which) == 0) {
    return fail("statx does not tell mount ids: Linux 5.8 is needed", Failure::Kind::cannot_run);
  }
  Expected<std::string> path = read_link(task_directory, link);
  if (!path) return std::unexpected(std::move(path.error()));
  Location location{.mount = status.stx_mnt_id,
                    .detached = false,
                    .path = std::move(*path),
                    .removed = status.stx_nlink == 0};
  static constexpr std::string_view suffix = " (deleted)";
  if (location.removed && location.path.ends_with(suffix)) {
    location.path.resize(location.path.size() - suffix.size());
  }
  return location;
}

}  // namespace

Expected<TaskView> locate_task(const LiveTask& task, int task_directory, MountIdKind kind) {
  TaskView view;
  view.name = task.name;
  Expected<Location> root = locate(task_directory, "root", kind);
  if (!root) return std::unexpected(std::move(root.error()));
  view.root = std::move(*root);
  Expected<Location> current = locate(task_directory, "cwd", kind);
  if (!current) return std::unexpected(std::move(current.error()));
  view.current_directory = std::move(*current);
  view.handles.reserve(task.handles.size());
  for (const auto& [name, descriptor] : task.handles) {
    std::array<char, 16> link{'f', 'd', '/'};
    std::to_chars(link.data() + 3, link.data() + link.size() - 1, descriptor);
    Expected<Location> location = locate(task_directory, link.data(), kind);
    if (!location) return std::unexpected(std::move(location.error()));
    view.handles.push_back({name, std::move(*location)});
  }
  return view;
}

}  // namespace pivotcheck
