// SPDX-License-Identifier: Apache-2.0
// world_from.h: from what was seen (sight.h) to a World of the model, in which pivot_root can be
// tried. Where something that matters can't be seen, there is one World for each possibility, and
// the answer is certain only if all of them give the same.
//
//     seen            22 1 8:1 / / ... shared:1        100 22 0:40 / /new ...
//     built           rootfs -- 22 on "/" (group 1) -- 100 on /new, with every directory on the way
//     not seen        is 100 locked?                   two Worlds, if its owner can lock it
//
// A mount that is not seen but stood on (the one below the task's root; the one of which a chroot
// is a plain directory) is made up: one mount of a filesystem of its own.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "explain/process_view.h"
#include "model/world.h"

namespace pivotcheck::explain {

// One possibility of what can't be seen. All false is the friendliest one.
struct Assumption {
  bool locked = false;              // every mount but the lowest
  bool root_parent_shared = false;  // the mount on which the task's root is mounted
  bool hidden_shared = false;       // other mounts that are stood on but not seen
  bool root_foreign = false;        // such a mount is in another namespace, or a tree of its own
  bool root_detached = false;       // or has been unmounted
  bool new_root_foreign = false;
  bool put_old_foreign = false;
  bool put_old_detached = false;  // (where it matters which of the two)
  bool operator==(const Assumption&) const = default;
};

// A flag of Assumption that is open, and what a person is told about it.
struct OpenQuestion {
  bool Assumption::*flag;
  std::string words;
};

struct Hypothesis {
  model::World world;
  std::map<MountId, model::MountIndex> mounts;
  // The arguments as the model is to be asked: the user's words where they lead nowhere else.
  Path new_root;
  Path put_old;
  Place new_root_place;
  Place put_old_place;
  model::MountIndex rootfs;  // the task's root mount, if that is the kernel's own rootfs
};

inline constexpr const char* task_name = "process";  // the task that calls pivot_root

std::vector<OpenQuestion> open_questions(const ProcessView& process);
Hypothesis build_world(const ProcessView& process, const Assumption& assumption);

}  // namespace pivotcheck::explain
