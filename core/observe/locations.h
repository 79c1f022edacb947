// SPDX-License-Identifier: Apache-2.0
// locations.h: where a task's root, current directory and handles are, from /proc/PID. Each is two
// calls on the same magic link:
//
//     statx("root")      the mount's id, and whether the directory has been removed (no link left)
//     readlink("root")   the path, from the top of the tree that the mount is in: d_path stops only
//                        at the reader's own root, which is in another tree
//
// Not here: whether a location is detached, which takes the mounts of all namespaces (observe.cc).
#pragma once

#include "base/failure.h"
#include "base/live_task.h"
#include "observe/proc.h"
#include "view/snapshot.h"

namespace pivotcheck {

// Which of a mount's two ids.
enum class MountIdKind : unsigned char { mountinfo, unique };

// For all tasks of one world: most of them use the same few directories, whose paths are read once.
class LocationReader {
 public:
  explicit LocationReader(MountIdKind kind) : kind_(kind) {}

  // name, root, current_directory and handles; the caller sets mount_namespace.
  Expected<TaskView> read_task(const LiveTask& task, TaskFiles& files);

 private:
  struct Known {  // a directory: it has one path below each mount
    std::uint64_t inode;
    LocationView location;
  };
  Expected<LocationView> read(TaskFiles& files, std::string_view link);

  MountIdKind kind_;
  std::vector<Known> known_;
};

}  // namespace pivotcheck
