// SPDX-License-Identifier: Apache-2.0
// snapshot.h: the state of a world. The model and both observers of the kernel make Snapshots,
// compare/ lists the differences of two, draw.h draws one. No system calls here.
//
// A Snapshot has two forms. As it is read, its ids are those of the source (mount ids, st_dev, peer
// group numbers). canonical() renumbers them, so that two worlds become equal if no process inside
// could tell them apart:
//   - namespaces are ordered by the earliest-made task that is in them now;
//   - mounts are ordered by where they are: depth first from the top of their namespace, the
//     children of one mount by mount point, then by what they show; of two that look alike the order
//     follows from what they are related to (peers, masters, slaves, children, tasks); the first is 1;
//   - peer groups are numbered by their first member in that order, then those without a member in
//     any namespace by first use (mounts in order: shared, master, propagate_from);
//   - filesystems by first use: mounts in order, then detached locations in order;
//   - detached mounts, and the directories and files that are a root, current directory or handle,
//     by first use: tasks in order, each its root, its current directory, its handles by name.
//
// Not in it: contents of directories, the other mounts of a detached tree, rootfs, sizes, times;
// and a mount on a directory that was renamed out of what the lowest mount of its namespace shows,
// with all mounts on it: no call of the kernel lists it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "op/op.h"

namespace pivotcheck {

using MountId = std::uint64_t;  // 0: none

struct MountView {
  MountId id = 0;
  MountId parent = 0;             // 0: the top of its namespace (its parent is rootfs, no part of
                                  // it)
  std::string mount_point;        // the whole path from the top of the namespace, "/" for the top;
                                  // as d_path has it, unescaped
  std::uint64_t filesystem = 0;   // which superblock
  std::string root;               // the directory (or file) of that filesystem which it shows; "/"
                                  // for all of it
  bool root_removed = false;      // that directory has been removed (mountinfo says //deleted)
  MountFlags flags;               // of the mount itself; relatime is none (op.h)
  bool filesystem_read_only = false;
  std::uint64_t peer_group = 0;   // 0: not shared
  std::uint64_t master_group = 0; // 0: no slave
  std::uint64_t receives_from = 0;// where that is not master_group itself: the nearest group above
                                  // it that has a member visible from the top of this namespace; 0:
                                  // none
  bool unbindable = false;
  bool operator==(const MountView&) const = default;
};

// From where a namespace's mounts are seen. A process sees those below its root, and not what its root
// covers; a part is what one sees whose root is not the lowest mount.
struct Viewpoint {
  enum class From : unsigned char {
    everywhere,         // all of them
    root,               // the root of Snapshot::tasks[task], which has the path "/"
    current_directory,  // that of this task, which has that path: a process can make it its root
    handle,             // the same of the handle of that name
    entered,            // the topmost mount at "/": the root of a process that enters by setns
  };
  From from = From::everywhere;
  std::size_t task = 0;
  std::string handle;
  bool shows_receives_from = true;  // false: MountView::receives_from is 0 there
};

struct NamespaceView {
  std::vector<MountView> mounts;  // canonical: in the order above. May be empty
  bool operator==(const NamespaceView&) const = default;
};

// Where a root, a current directory or a handle is. A descriptor of it shows two things: the mount,
// and the path as d_path has it.
struct LocationView {
  MountId mount = 0;         // an id of a MountView, or of a detached mount
  bool detached = false;  // the mount is in no namespace of the snapshot's (canonical: its number
                          // is among the detached ones)
  std::string path;       // as d_path has it from the top of the tree it is in (of the namespace,
                          // or of the detached tree), without the suffix of a removed one
  bool removed = false;      // the directory or file itself has been removed
  std::uint64_t object = 0;  // which directory or file: equal exactly if two locations are in the
                             // same one. Paths do not show that if it is removed, or was renamed
                             // out of what its mount shows
  bool operator==(const LocationView&) const = default;
};

struct HandleView {
  std::string name;
  LocationView location;
  bool operator==(const HandleView&) const = default;
};

struct TaskView {
  std::string name;
  std::uint32_t mount_namespace = 0;  // index into Snapshot::namespaces
  LocationView root;
  LocationView current_directory;
  std::vector<HandleView> handles;    // canonical: by name
  bool operator==(const TaskView&) const = default;
};

struct Snapshot {
  std::vector<NamespaceView> namespaces;  // those that still have a task
  std::vector<TaskView> tasks;            // in the order in which they were made, without the ended
  bool operator==(const Snapshot&) const = default;
};

// The canonical form as described above. Idempotent.
Snapshot canonical(Snapshot snapshot);

}  // namespace pivotcheck
