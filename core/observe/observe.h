// SPDX-License-Identifier: Apache-2.0
// observe.h: the only code that reads the kernel's state. Two roads lead to the same Snapshot:
//
//   listmount   listmount(2) and statmount(2) with the id of the namespace, called from outside it:
//               sees every mount, whatever covers it. Needs Linux 6.12, which also counts a
//               namespace's mounts (NS_MNT_GET_INFO). Some kernels may list too few of them after
//               pivot_root; where the count says so, observe() takes the other road by itself.
//   mountinfo   /proc/PID/mountinfo: sees what is below the root of that task only, and nothing
//               that its root covers. Complete for a namespace in which a task's root is the lowest
//               mount.
//
// Whether mountinfo showed all is known by the count of mounts. Older kernels don't tell it; there
// it is taken for complete when a task's root is the whole of the lowest mount shown and d_path
// calls it "/". That is wrong in two cases, which then can't be told apart from a complete view:
// that mount covers another at "/" (a task that came by setns, or went to "/..", stands on the
// upper one); and a mount without a path, because a directory above its mount point was renamed out
// of what its parent shows. The listmount road gives such a mount the mount point "".
//
// Roots, current directories and handles come from /proc/PID/{root,cwd,fd} on both roads. No
// path is looked up inside a world. Looking at /proc/PID/root takes and drops a reference on its
// mount, which clears an MNT_EXPIRE mark: so a world is observed once, behind its last step.
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
  bool complete = true;  // false where mounts may be hidden: some namespace has no task whose root
                         // is its lowest mount
};

class Observer {
 public:
  // Probes what this kernel offers, once. Failure::Kind::cannot_run if /proc can't be read.
  static Expected<Observer> make();

  [[nodiscard]] bool has(Source source) const;  // mountinfo: always

  // Reads the state of the world in which these tasks stand still. Failure::Kind::cannot_run for a
  // road that this kernel has not.
  Expected<Observation> observe(std::span<const LiveTask> tasks, Source source) const;

 private:
  UniqueFd proc_;
  bool listmount_ = false;
};

}  // namespace pivotcheck
