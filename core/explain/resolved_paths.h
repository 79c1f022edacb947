// SPDX-License-Identifier: Apache-2.0
// resolved_paths.h: looking at paths from where another process stands, and trying its pivot_root
// without doing it. Each call forks one child, which ends when it has answered; nothing of the
// process itself, and nothing that others see, is changed.
//
//     look()       child: the process's user namespace, root, current directory and credentials;
//                  opens the paths there as the kernel would for it, and tells where they lead
//     rehearse()   child: as above, in a copy of the process's mount namespace (owned by the same
//                  user namespace, so that locks are as they were); calls pivot_root there
//
// The copy's mounts are peers of the originals, but pivot_root propagates nothing, and a namespace
// that ends unmounts only its own. A caller without the privilege to enter a namespace is refused
// by it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/failure.h"
#include "op/outcome.h"

namespace pivotcheck {

// Where a path led.
struct ResolvedPath {
  int error = 0;            // errno of the lookup. ENOENT: the rest is about what is there
  std::uint64_t mount = 0;  // its number in mountinfo
  std::string path;         // from the process's root if `below_root`, else from the top
  std::string missing;      // ENOENT: what is left behind `path`, "a/b"
  bool below_root = true;
  bool removed = false;
  bool directory = true;
  bool mount_root = false;  // it is the root of its mount; false where the kernel can't tell
  bool dangling = false;  // ENOENT: a link to nothing
};

struct ResolvedPaths {
  ResolvedPath root;
  ResolvedPath current_directory;
  ResolvedPath first;
  ResolvedPath second;
};

// A path as the process has it: from its root or its current directory; or, with a descriptor of
// the process, from what that shows ("" for just that).
struct PathAsked {
  std::string text;
  int descriptor = -1;
};

// `pid` 0: the calling process itself, which may have other threads.
Expected<ResolvedPaths> resolve_as(pid_t pid, const PathAsked& first, const PathAsked& second);
Expected<Outcome> dry_run_pivot_root(pid_t pid, const std::string& new_root, const std::string& put_old);

// Whether its root is what entering its mount namespace would give: tried by entering it. False
// also where that is refused. (A cover over the namespace's root counts as that root.)
bool root_is_namespace_root(pid_t pid);

// What a seccomp filter of the calling process answers to pivot_root in the kernel's place; ok if
// it lets the call through. The child's call names no paths, so it can do nothing.
Expected<Outcome> ask_seccomp_filter();

}  // namespace pivotcheck
