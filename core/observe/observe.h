// SPDX-License-Identifier: Apache-2.0
// observe.h: the only code that reads the kernel's state. Two sources give the same Snapshot:
//
//   listmount   listmount(2) and statmount(2) with the id of the namespace, called from outside it:
//               every mount, whatever covers it. Needs Linux 6.12, which also counts a namespace's
//               mounts (NS_MNT_GET_INFO). Some kernels list too few of them after pivot_root; where
//               the count shows that, observe() uses the other source instead.
//   mountinfo   /proc/PID/mountinfo: the mounts below the root of that task, without those that its
//               root covers. Complete for a namespace in which a task's root is the lowest mount.
//
// The count of mounts says whether mountinfo showed all. Older kernels don't give it; there it is
// assumed to be complete if a task's root is the whole of the lowest mount shown and d_path calls
// it "/". That is wrong in two cases, which look the same as a complete view: that mount covers
// another at "/" (the task came by setns, or went to "/..", and its root is the upper one); and a
// mount has no path, because a directory above its mount point was renamed out of what its parent
// shows. With listmount, such a mount has the mount point "".
//
// Roots, current directories and handles come from /proc/PID/{root,cwd,fd} with both sources. No
// path is looked up inside a world. Reading /proc/PID/root takes and drops a reference on its
// mount, which clears an MNT_EXPIRE mark.
#pragma once

#include <span>

#include "base/failure.h"
#include "base/live_task.h"
#include "base/unique_fd.h"
#include "view/snapshot.h"

namespace pivotcheck {

enum class Source : unsigned char { listmount, mountinfo };

struct Observation {
  Snapshot snapshot;     // as read; not canonical
  Source source = Source::listmount;  // of its ids: each source has its own
  bool complete = true;  // false: mounts may be hidden, because some namespace has no task whose
                         // root is its lowest mount
};

class Observer {
 public:
  // Probes what this kernel offers, once. Failure::Kind::cannot_run if /proc can't be read.
  static Expected<Observer> make();

  [[nodiscard]] bool has(Source source) const;  // mountinfo: always

  // Reads the state of the world of these tasks, which must stand still. Failure::Kind::cannot_run
  // for a source that this kernel does not have.
  Expected<Observation> observe(std::span<const LiveTask> tasks, Source source) const;

 private:
  UniqueFd proc_;
  bool listmount_ = false;
};

}  // namespace pivotcheck
