// SPDX-License-Identifier: Apache-2.0
// lookup.h: from a path to a place, as path_resolution(7) describes it, with the parts that it
// leaves out: mounts.
//
// A walk is at a Location: a mount, and a dentry that the mount shows. Each component of the path
// moves it:
//
//     name   to the child of the dentry; then up through everything that is mounted there
//     ..     at the task's root: up through everything that is mounted *there*. At the root of a
//            mount: down to the mount point, and on down while that is the root of a mount, too;
//            then to the parent directory; then up through everything that is mounted there
//     .      nowhere, and up through nothing
//
// So a path that begins at a covered location (a root that something was mounted on) stays below
// the cover until a name or a '..' leads out. Only mounting goes up at the end (the new mount goes
// on top), and umount (it takes the topmost mount).
//
//     mount tmpfs /          the task's root is now covered, by tmpfs #2
//     mkdir /x               in the lower tmpfs: a walk begins at the root, not on top of it
//     mkdir /../x            in tmpfs #2: '..' at the root stays, then goes up
//
// Expiry marks. Dropping a reference to a mount clears its MNT_EXPIRE mark. So a finished lookup
// clears the mark of the mount on which it ended; only umount does not. Kernels since 2.6.38 walk
// without taking references until they must: a walk that ends early clears the mark of the mount it
// is on, if it had to take a reference there (a name that is missing), and those of the mounts of
// the links in whose text it still is. A walk that updates the access time of a symbolic link takes
// references from there on. Whether it does depends on the clock, unless the link's mount is
// noatime or its filesystem read-only: after that, no mark that stood before is certain.
#pragma once

#include <cstddef>
#include <string_view>

#include "model/rules.h"
#include "model/world.h"

namespace pivotcheck::model {

inline constexpr std::size_t name_bytes_max = 255;   // NAME_MAX
inline constexpr std::size_t path_bytes_max = 4096;  // PATH_MAX, with the byte that ends it

struct LookupResult {
  Refusal refused;
  Location at;  // where not refused
};

struct LookupOptions {
  bool follow_last = true;  // a symbolic link at the end
  bool want_directory = false;
  bool to_the_top = false;  // at the end, go up through everything that is mounted there (umount)
  bool keep_expiry_mark = false;  // (umount)
};

LookupResult look_up(World& world, const Task& task, const Path& path, LookupOptions options = {});

// Where a name is to be made, removed or renamed: the directory it is in, and the name.
struct ParentResult {
  enum class Last : unsigned char { name, dot, dot_dot, root };
  Location directory;
  std::string_view name;   // points into the text of a path or of a link
  Last last = Last::name;
  bool trailing_slash = false;
};
// `keep_expiry_mark`: the caller clears the mark of the directory's mount, if anything does.
Refusal look_up_parent(World& world, const Task& task, const Path& path, ParentResult& found,
                       bool keep_expiry_mark = false);

// The handle in that slot; nullptr if it is not open.
const Handle* find_handle(const Task& task, int slot);

// May the task search (x), or write and search (w and x), this directory? There is one uid, which
// owns everything, so the owner's bits decide; Capability::dac overrides them.
bool may_search(const World& world, const Task& task, DentryId directory);
bool may_write(const World& world, const Task& task, DentryId directory);
bool is_read_only(const World& world, MountIndex mount);

}  // namespace pivotcheck::model
