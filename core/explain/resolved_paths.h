// SPDX-License-Identifier: Apache-2.0
// resolved_paths.h: what another process's paths lead to, and what pivot_root would answer it. Each
// call forks one child, which ends after its answer; the process itself, and what others see, stays
// as it is.
//
//     resolve_as()           the child takes the process's user namespace, root, current directory
//                            and credentials, and opens the paths there
//     dry_run_pivot_root()   the child does the same in a copy of the process's mount namespace
//                            (with the same owner, so that the same mounts are locked), and calls
//                            pivot_root there
//
// The copy's mounts are peers of the originals, but pivot_root propagates nothing, and the end of a
// namespace unmounts only its own mounts. The kernel refuses a caller without the privilege to
// enter a namespace: Failure::Kind::cannot_run.
#pragma once

#include <sys/types.h>

#include <array>
#include <string>

#include "base/failure.h"
#include "op/outcome.h"
#include "view/snapshot.h"

namespace pivotcheck {

// What one path leads to.
struct PathFacts {
  int error = 0;           // errno of the lookup. ENOENT: the rest is about the part that exists
  MountId mount = 0;       // its number in mountinfo; 0: unknown (offline, or the lookup failed)
  bool below_root = true;  // the process's root is above it, or the same
  bool removed = false;
  bool directory = true;
  bool mount_root = false;  // it is the root of its mount; false where the kernel can't tell
  bool dangling = false;    // ENOENT: the last name is a symbolic link to nothing
};
struct ResolvedPath : PathFacts {
  std::string path;        // from the process's root if `below_root`, else from the top
  std::string missing;     // ENOENT: the names after `path` that do not exist, "a/b"
  std::string asked = {};  // the path as it was given
  bool names_current_directory = false;  // "." and the like: the lookup does not leave it
  bool is_detached_tree = false;         // a tree that the process made with open_tree or fsmount
};

// A path that the process would give to a call: from its root or its current directory; or, with
// a descriptor of the process, from what that shows ("" for just that).
struct PathAsked {
  std::string text;
  int descriptor = -1;
};

// The process's root, its current directory, and the two paths. `pid` 0: the calling process
// itself, which may have other threads.
Expected<std::array<ResolvedPath, 4>> resolve_as(pid_t pid, const PathAsked& first,
                                                 const PathAsked& second);
Expected<Outcome> dry_run_pivot_root(pid_t pid, const std::string& new_root,
                                     const std::string& put_old);

// Whether the process's root is the root of its mount namespace (or a mount that covers it). The
// child enters the namespace to find out; false also where the kernel refuses that.
bool root_is_namespace_root(pid_t pid);

// What a seccomp filter of the calling process answers to pivot_root instead of the kernel; ok if
// it lets the call through. The child's call passes null pointers, so that it changes nothing.
Expected<Outcome> ask_seccomp_filter();

}  // namespace pivotcheck
