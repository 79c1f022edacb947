// SPDX-License-Identifier: Apache-2.0
// observe.h: the only code that reads the kernel's state. Two sources give the same Snapshot:
//
//   listmount   listmount(2) and statmount(2) with the id of the namespace, called from outside it:
//               every mount, whatever covers it. Needs Linux 6.12, which also counts a namespace's
//               mounts (NS_MNT_GET_INFO). Some kernels list too few of them after pivot_root; where
//               the count shows that, observe() uses the other source instead.
//   mountinfo   /proc/PID/mountinfo: the mounts below the root of that task, without those that its
//               root covers. Read of the task that shows most among those whose root is at "/";
//               where there is none, or one that no path leads to, of a child that enters the
//               namespace (entered_namespace.h); and where that does not see all, of one whose root
//               is a directory or a handle of a task. Complete where the root is the lowest mount.
//
// The count of mounts says whether listmount showed all: if not, mountinfo is the source, and the
// observation says from where it was read (`seen_from`). Such a view may be a part, which is compared
// with the same part of the model's world (model::snapshot). One sort of mount only the count has: a
// mount without a path, because a directory above its mount point was renamed out of what its parent
// shows (view/snapshot.h).
//
// Roots, current directories and handles come from /proc/PID/{root,cwd,fd} with both sources. No
// path is looked up inside a world. Reading /proc/PID/root takes and drops a reference on its
// mount, which clears an MNT_EXPIRE mark.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/failure.h"
#include "base/live_task.h"
#include "base/unique_fd.h"
#include "observe/statmount.h"
#include "view/snapshot.h"

namespace pivotcheck {

enum class Source : unsigned char { listmount, mountinfo };

struct Observation {
  Snapshot snapshot;     // as read; not canonical
  Source source = Source::listmount;  // of its ids: each source has its own
  std::vector<Viewpoint> seen_from;   // of each namespace
  bool complete = true;  // false: mounts are hidden. By mountinfo, kernels older than 6.12 don't say
  bool listmount_lost = false;  // listmount did not list a mount that mountinfo shows
  std::vector<std::vector<std::uint32_t>> mountinfo_ids;  // by listmount: of each mount
};

// Of the same world: what mountinfo shows that listmount has not, or otherwise; of a part only what is
// in it. Where the view is whole: also what listmount alone has, and MountView::receives_from, which
// by listmount is computed. Lines of text; none if both are right, or wrong alike.
std::vector<std::string> what_differs(const Observation& by_listmount,
                                      const Observation& by_mountinfo);

class Observer {
 public:
  // Probes what this kernel offers, once. Failure::Kind::cannot_run if /proc can't be read.
  static Expected<Observer> make(ListMounts list = list_mounts);

  [[nodiscard]] bool has(Source source) const;  // mountinfo: always

  // Reads the state of the world of these tasks, which must stand still. Failure::Kind::cannot_run
  // for a source that this kernel does not have.
  Expected<Observation> observe(std::span<const LiveTask> tasks, Source source) const;

 private:
  UniqueFd proc_;
  ListMounts list_ = list_mounts;
  bool listmount_ = false;
};

}  // namespace pivotcheck
