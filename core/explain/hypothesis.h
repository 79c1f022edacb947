// SPDX-License-Identifier: Apache-2.0
// hypothesis.h: from what is visible of a process (process_view.h) to Worlds of the model, in which
// pivot_root can be tried. Where something that matters is not visible, there is one World for each
// possibility, and the answer is certain only if all Worlds give the same.
//
//     seen          22 1 8:1 / / ... shared:1        100 22 0:40 / /new ...
//     World         rootfs -- 22 on "/" (group 1) -- 100 on /new, with every directory on the way
//     not seen      is 100 locked?                   two Worlds, if the namespace's owner allows it
//
// A mount that matters but is not seen (the one below the process's root; the one of whose
// directories a chroot is one) is made up, with a filesystem of its own.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "explain/explain.h"
#include "model/world.h"

namespace pivotcheck::explain {

// One possibility of what is not visible. All false is the one in which most calls succeed.
struct Assumption {
  bool locked = false;              // every mount but the lowest; where new_root's can't be asked
  bool root_parent_shared = false;  // the mount on which the process's root is mounted
  bool hidden_shared = false;       // other mounts that matter but are not seen
  bool root_foreign = false;        // the root's mount is in another namespace or a detached tree
  bool root_detached = false;       // the root's mount has been unmounted
  bool new_root_foreign = false;
  bool put_old_foreign = false;
  bool put_old_detached = false;
};

// A member of Assumption that is not known of this process, and what people are told about it.
struct OpenQuestion {
  bool Assumption::*member;
  std::string text;
};
std::vector<OpenQuestion> open_questions(const ProcessView& process);
// Every combination of answers to these questions; bit i of an index is the answer to question i.
std::vector<Assumption> assumptions(const std::vector<OpenQuestion>& questions);

struct Hypothesis {
  model::World world;
  std::map<MountId, model::MountIndex> mounts;
  // The arguments for the model: a path where that leads to the same place, else a handle.
  Path new_root;
  Path put_old;
  ResolvedPath resolved_new_root;
  ResolvedPath resolved_put_old;
  model::MountIndex rootfs;  // the mount of the process's root, if that is the kernel's own rootfs
};
Hypothesis build_world(const ProcessView& process, const Assumption& assumption);

inline constexpr const char* task_name = "process";  // the task that calls pivot_root
inline model::Task& task_of(Hypothesis& hypothesis) { return hypothesis.world.tasks.front(); }

// --- what the model says (evaluate.cc) -----------------------------------------------------------

// Calls pivot_root in the world, which changes it.
Possibility evaluate(Hypothesis& hypothesis);

// The rule by which the kernel refused a lookup before the model was asked; `none` if it did not.
Rule rule_of_lookup(const ResolvedPath& path);

// Where the two arguments lead in that world; nullopt if they lead nowhere. put_old: the place of
// the old root, which is on top of what is mounted there.
std::optional<model::Location> new_root_in(Hypothesis& hypothesis);
std::optional<model::Location> put_old_in(Hypothesis& hypothesis);

// Applies an operation of the calling task; false if the model refuses it.
bool perform(Hypothesis& hypothesis, Op op);

}  // namespace pivotcheck::explain
