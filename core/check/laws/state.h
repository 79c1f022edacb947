// SPDX-License-Identifier: Apache-2.0
// state.h: a state as the laws see it: mounts, tasks, and where they are. It is made of a Snapshot
// as an observer read it, not canonical, so that an id before a step is the same mount after it; or
// of the model's world (check/trial/model_state.h), which shows detached trees, too.
//
//     Snapshot                                  State
//     44  parent 39  /b    shows /x             44  on 39 at /b     shows /x
//     47  parent 44  /b/c                       47  on 44 at /x/c   (a path of 44's filesystem)
//
// Here a mount point is a path in the filesystem that its parent shows, because that is what
// propagation goes by: the peers of a mount receive at the same directory.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "op/op.h"
#include "view/snapshot.h"

namespace pivotcheck::laws {

struct MountState {
  MountId id = 0;
  MountId parent = 0;      // 0: the lowest of its tree
  std::uint32_t tree = 0;  // which namespace or detached tree
  bool detached = false;   // the tree is a detached one
  std::uint64_t filesystem = 0;
  std::string place;  // the mount point; "" if it has none, or no path
  std::string root;   // the directory of its filesystem that it shows
  bool root_removed = false;
  MountFlags flags;
  bool filesystem_read_only = false;
  std::uint64_t group = 0;   // 0: not shared
  std::uint64_t master = 0;  // 0: no slave
  bool unbindable = false;
  bool operator==(const MountState&) const = default;
};

struct PlaceState {
  MountId mount = 0;         // maybe none of the State's (unmounted, or in a detached tree)
  std::uint64_t object = 0;  // which directory or file
  std::string path;          // in the filesystem
  bool removed = false;
  [[nodiscard]] bool is(const PlaceState& other) const {
    return mount == other.mount && object == other.object;
  }
  bool operator==(const PlaceState&) const = default;
};

struct HandleState {
  std::string name;
  PlaceState at;
  bool operator==(const HandleState&) const = default;
};

struct TaskState {
  std::string name;
  std::uint32_t tree = 0;  // of its mount namespace
  PlaceState root;
  PlaceState current_directory;
  std::vector<HandleState> handles;
  bool operator==(const TaskState&) const = default;
};

struct State {
  std::vector<MountState> mounts;  // by id
  std::vector<TaskState> tasks;
  bool shows_all = false;  // detached trees, too, and mounts that no call lists: the model's

  // nullptr if there is none.
  [[nodiscard]] const MountState* mount(MountId id) const;
  [[nodiscard]] const TaskState* task(std::string_view name) const;
  // What is mounted there. Of several the first: see the law "one mount at each place".
  [[nodiscard]] const MountState* mounted_at(MountId parent, std::string_view place) const;
  // Who uses this mount as a root, a current directory or by a handle; "" for nobody.
  [[nodiscard]] std::string user_of(MountId mount) const;
  bool operator==(const State&) const = default;
};

State state_of(const Snapshot& snapshot);

// `path` is `directory` or below it.
bool is_below_or_at(std::string_view path, std::string_view directory);
// The mount shows that path of its filesystem, whether or not something covers it.
bool shows(const MountState& mount, std::string_view path);

// All that receive what is mounted on `mount`, by the definition of sharedsubtree.rst, 5a) Mount
// states: its peers, the slaves of its group, their peers, their slaves, and so on.
std::vector<const MountState*> receivers(const State& state, const MountState& mount);

// Where a path leads a task, if it is a plain one: one that names no directory which may be a
// symbolic link (`links`: the names that are), and starts in a mount of the state. Nothing is
// known here of directories, so the path must be one that a call accepted.
std::optional<PlaceState> find(const State& state, const TaskState& task, const Path& path,
                               const std::set<std::string>& links);
// What is on top of everything mounted there.
PlaceState topmost(const State& state, PlaceState at);
// On the way there two mounts lie on one place, as before 6.17: which of them a lookup finds is not
// shown.
bool two_on_one_place(const State& state, PlaceState at);
// Each mount from it down to the lowest of its tree is at a place to which a path leads. Elsewhere an
// observer can't say where it is, nor what else is there.
bool has_path(const State& state, const MountState& mount);

}  // namespace pivotcheck::laws
