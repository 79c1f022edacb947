// SPDX-License-Identifier: Apache-2.0
// locations.cc: see locations.h.
//
// readlink appends " (deleted)" to the path of a removed file or directory, but a name may end so
// as well. The number of links, which is 0 exactly for removed ones, tells the two apart. (That
// holds for tmpfs and ramfs, which worlds consist of, and without hard links, which scenarios can't
// make.)
#include "observe/locations.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <charconv>
#include <string_view>

#include "observe/statmount_api.h"

namespace pivotcheck {
namespace {

// A number for the file: inode numbers are unique in one filesystem only. Filesystems without a
// device have major number 0 and different minor numbers, so the shift loses nothing.
std::uint64_t object_of(const struct statx& status) {
  return (std::uint64_t{status.stx_dev_minor} << 40) ^ status.stx_ino;
}

}  // namespace

Expected<LocationView> LocationReader::read(TaskFiles& files, std::string_view link) {
  const unsigned which = kind_ == MountIdKind::unique ? STATX_MNT_ID_UNIQUE : STATX_MNT_ID;
  const unsigned mask = STATX_TYPE | STATX_INO | STATX_NLINK | which;
  struct statx status {};
  if (statx(files.proc(), files.path(link), AT_NO_AUTOMOUNT, mask, &status) != 0) {
    return fail_with_errno("statx in /proc:", files.path(link));
  }
  if ((status.stx_mask & which) == 0) {
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

Expected<TaskView> LocationReader::read_task(const LiveTask& task, TaskFiles& files) {
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

}  // namespace pivotcheck
