// SPDX-License-Identifier: Apache-2.0
// locations.cc: see locations.h.
//
// readlink appends " (deleted)" to the path of what has been removed, but a name may end so as
// well: the number of links, which is 0 exactly for what has been removed, tells the two apart. (On
// tmpfs and ramfs, of which worlds are made, and without hard links, which scenarios cannot make.)
#include "observe/locations.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <charconv>
#include <string_view>

#include "observe/statmount_api.h"

namespace pivotcheck {
namespace {

// A number for what statx saw: inode numbers are unique in a filesystem only. Filesystems without a
// device have a major number of 0 and count the minor ones, so nothing is lost by the shift.
std::uint64_t object_of(const struct statx& status) {
  return (std::uint64_t{status.stx_dev_minor} << 40) ^ status.stx_ino;
}

}  // namespace

Expected<LocationView> Locator::locate(TaskFiles& files, std::string_view link) {
  const unsigned which = kind_ == MountIdKind::unique ? statmount_api::statx_mount_id_unique
                                                      : statmount_api::statx_mount_id;
  const unsigned mask = STATX_TYPE | STATX_INO | STATX_NLINK | which;
  struct statx status {};
  if (statx(files.proc(), files.path(link), AT_NO_AUTOMOUNT, mask, &status) != 0) {
    return fail_with_errno("statx in /proc:", files.path(link));
  }
  if ((status.stx_mask & which) == 0) {
    return fail("statx does not tell mount ids: Linux 5.8 is needed", Failure::Kind::cannot_run);
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

Expected<TaskView> Locator::locate_task(const LiveTask& task, TaskFiles& files) {
  TaskView view;
  view.name = task.name;
  Expected<LocationView> root = locate(files, "root");
  if (!root) return std::unexpected(std::move(root.error()));
  view.root = std::move(*root);
  Expected<LocationView> current = locate(files, "cwd");
  if (!current) return std::unexpected(std::move(current.error()));
  view.current_directory = std::move(*current);
  view.handles.reserve(task.handles.size());
  for (const auto& [name, descriptor] : task.handles) {
    std::array<char, 16> link{'f', 'd', '/'};
    const char* end = std::to_chars(link.data() + 3, link.data() + link.size(), descriptor).ptr;
    Expected<LocationView> location = locate(files, std::string_view(link.data(), end));
    if (!location) return std::unexpected(std::move(location.error()));
    view.handles.push_back({name, std::move(*location)});
  }
  return view;
}

}  // namespace pivotcheck
