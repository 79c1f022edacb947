// SPDX-License-Identifier: Apache-2.0
// locations.h: where a task's root, current directory and handles are, from /proc/PID. Each is two calls
// on the same magic link:
//
//     statx("root")      the mount's id, and whether the directory has been removed (no link is left)
//     readlink("root")   the path, from the top of the tree that the mount is in: the reader's own root
//                        is elsewhere, so d_path goes up to the end
//
// Left out: whether a location is detached. That takes the mounts of all namespaces (observe.cc).
#pragma once

#include "base/failure.h"
#include "base/live_task.h"
#include "view/snapshot.h"

namespace pivotcheck {

// Which of its two ids a mount is called by.
enum class MountIdKind : unsigned char { mountinfo, unique };

// name, root, current_directory and handles; mount_namespace is the caller's to set.
Expected<TaskView> locate_task(const LiveTask& task, int task_directory, MountIdKind kind);

}  // namespace pivotcheck
