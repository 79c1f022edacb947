// SPDX-License-Identifier: Apache-2.0
// lookup.h: from a path to a place, as path_resolution(7) describes it, with the parts that it
// leaves out: mounts.
//
// A walk is at a Location: a mount, and a dentry that the mount shows. Each component of the path
// takes it further:
//
//     name   the child of the dentry; then up through whatever is mounted there, to the top
//     ..     if the walk is at the task's root: stays (but goes up through what is mounted
//            *there*). At the root of a mount: first down to the mount point, and on down while that
//            is the root of a mount as well; then the parent directory; then up through what is
//            mounted there
//     .      stays, and does not go up through anything
//
// So a path that begins at a covered place (a root that something was mounted over) stays below the
// cover until a name or a '..' takes it out of there. Only mounting goes up at the end (to put the
// new mount on top), and umount (to take the topmost one).
//
//     mount tmpfs /          the task's root is now covered, by tmpfs #2
//     mkdir /x               in the lower tmpfs: a walk begins at the root, not on top of it
//     mkdir /../x            in tmpfs #2: '..' at the root stays, then goes up
//
// Expiry marks. Whoever gives a reference to a mount back clears its MNT_EXPIRE mark, so a finished
// lookup clears the mark of the mount on which it ended; umount alone does not.
// A walk that ends early clears the mark of the mount where it stood if it had to stop and look (a
// name that is missing), as kernels since 2.6.38 walk without taking references until they must.
#pragma once

#include <optional>
#include <string_view>

#include "model/refusal.h"
#include "model/world.h"

namespace pivotcheck::model {

struct LookupResult {
  Refusal refused;
  Location at;  // where not refused
};

struct LookupOptions {
  bool follow_last = true;       // a symbolic link at the end
  bool want_directory = false;
  bool to_the_top = false;       // at the end, go up through what is mounted there (umount)
  bool keep_expiry_mark = false; // (umount)
};

LookupResult look_up(World& world, const Task& task, const Path& path, LookupOptions options = {});

// Where a name is to be made, removed or renamed: the directory it is in, and the name.
struct ParentResult {
  enum class Last : unsigned char { name, dot, dot_dot, root };
  Refusal refused;
  Location directory;
  std::string_view name;   // points into the text of a path or of a link
  Last last = Last::name;
  bool trailing_slash = false;
};
// `keep_expiry_mark`: the caller decides whether the directory's mount loses its mark.
ParentResult look_up_parent(World& world, const Task& task, const Path& path,
                            bool keep_expiry_mark = false);

// The handle of that name; nullptr if it is not open.
const Handle* find_handle(const Task& task, std::string_view name);

// May the task search (x), or write and search (w and x), this directory? Everything belongs to the
// one uid there is, so the owner's bits decide. CAP_DAC_READ_SEARCH gives the first,
// CAP_DAC_OVERRIDE both; they are dropped together here.
bool may_search(const World& world, const Task& task, DentryId directory);
bool may_write(const World& world, const Task& task, DentryId directory);
bool is_read_only(const World& world, MountIndex mount);

}  // namespace pivotcheck::model
