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
//     ask_refusers()         the child calls pivot_root with arguments that never succeed
//
// A look that failed is a failure, with its call and errno: it is never taken for what it would
// have shown. Only what a lookup says about the path itself (ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG,
// EACCES) is a result.
//
// The copy's mounts are peers of the originals, but pivot_root propagates nothing, and the end of a
// namespace unmounts only its own mounts. The kernel refuses a caller without the privilege to
// enter a namespace: Failure::Kind::cannot_run.
#pragma once

#include <sys/types.h>

#include <array>
#include <optional>
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
  std::optional<bool> locked;  // its mount is; nullopt: nobody could be asked, or nobody was
};
struct ResolvedPath : PathFacts {
  std::string path;        // from the process's root if `below_root`, else from the top
  std::string missing;     // ENOENT: the names after `path` that do not exist, "a/b"
  std::string similar = {};              // ENOENT: a name in `path` that is like the first of them
  std::string asked = {};                // the path as it was given
  bool names_current_directory = false;  // "." and the like: the lookup does not leave it
  bool is_detached_tree = false;         // a tree that the process made with open_tree or fsmount
};

// A path that the process would give to a call: from its root or its current directory; or, with
// a descriptor of the process, from what that shows ("" for just that).
struct PathAsked {
  std::string text;
  int descriptor = -1;
};

// The process's root, its current directory, and the two paths; of the first, whether it is on a
// locked mount. `pid` 0: the calling process itself, which may have other threads.
Expected<std::array<ResolvedPath, 4>> resolve_as(pid_t pid, const PathAsked& first,
                                                 const PathAsked& second);
Expected<Outcome> dry_run_pivot_root(pid_t pid, const std::string& new_root,
                                     const std::string& put_old);

// Whether the process's root is the root of its mount namespace (or a mount that covers it). The
// child enters the namespace to find out; false also where the kernel refuses that.
bool root_is_namespace_root(pid_t pid);

// What refuses every pivot_root of the calling process, whatever its mounts are. Neither of the two
// calls can succeed: pivot_root(NULL, NULL) ends with EFAULT where a filter and the capability let
// it through; pivot_root("/", "/") with EBUSY, as new_root is on the mount of the root, or with
// the EINVAL of a rule that comes first. A Landlock sandbox answers EPERM before both.
struct Refusers {
  std::optional<Outcome> filter;  // instead of the kernel; ok: it lets the call through; nullopt:
                                  // without the capability nobody could be asked
  bool module_refuses = false;    // "/" and "/"
};
Expected<Refusers> ask_refusers();

// Makes the namespaces of `unshare --user --map-root-user --mount`, in a child that ends with them:
// why that is refused ("unshare: ENOSPC"), "" if it is not.
Expected<std::string> try_own_namespaces();

}  // namespace pivotcheck
