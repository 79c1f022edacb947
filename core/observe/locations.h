// SPDX-License-Identifier: Apache-2.0
// locations.h: where a task's root, current directory and handles are, from /proc/PID. Each is two
// calls on the same magic link:
//
//     statx("root")      the mount's id, and whether the directory has been removed (no link left)
//     readlink("root")   the path, from the top of the tree that the mount is in: the reader's own
//                        root is elsewhere, so d_path goes up to the end
//
// Left out: whether a location is detached. That takes the mounts of all namespaces (observe.cc).
#pragma once

#include "base/failure.h"
#include "base/live_task.h"
#include "observe/proc.h"
#include "view/snapshot.h"

namespace pivotcheck {

// Which of its two ids a mount is called by.
enum class MountIdKind : unsigned char { mountinfo, unique };

// For all tasks of one world: most of them stand in the same few directories, whose paths are read
// once.
class Locator {
 public:
  explicit Locator(MountIdKind kind) : kind_(kind) {}

  // name, root, current_directory and handles; mount_namespace is the caller's to set.
  Expected<TaskView> locate_task(const LiveTask& task, TaskFiles& files);

 private:
  struct Known {  // a directory: it has one path below each mount
    std::uint64_t inode;
    LocationView location;
  };
  Expected<LocationView> locate(TaskFiles& files, std::string_view link);

  MountIdKind kind_;
  std::vector<Known> known_;
};

}  // namespace pivotcheck
