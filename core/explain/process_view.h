// SPDX-License-Identifier: Apache-2.0
// sight.h: what can be seen of a process and of the mounts around it, as plain data: what
// /proc/PID shows (live.h reads it), or what somebody's bug report quotes (offline.h).
//
//     mountinfo of the process      paths from its root; what is outside of its root is not shown:
//                                   neither the mount on which its root is mounted, nor, in a
//                                   chroot, the mount that its root is a plain directory of
//     places                        its root, its current directory, the two arguments: each a
//                                   mount (by its number in mountinfo) and a path from the root
//     mountinfo of others           processes of the same mount namespace may see what it can't
//
// What nobody can read is not here: whether a mount is locked, what a security module says. The
// answer is then worked out for both cases (world_from.h).
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/traits.h"
#include "observe/mountinfo.h"
#include "op/op.h"

namespace pivotcheck::explain {

// A line of mountinfo, parsed and as it stood there.
struct SeenMount {
  MountinfoLine line;
  std::string text;
};

// Where a path leads.
struct Place {
  std::string asked;       // the path as it was given
  int error = 0;           // errno of the lookup; with ENOENT the rest is about what is there
  MountId mount = 0;       // 0: not known (offline; or the lookup failed)
  std::string path;        // from the task's root
  std::string missing;     // ENOENT: the names behind `path` that are not there, "a/b"
  bool below_root = true;  // false: `path` does not begin at the root
  bool removed = false;
  bool directory = true;
  bool mount_root = false;   // it is known to be the root of its mount
  bool is_standing = false;  // it names the current directory by "." or the like
  bool dangling = false;     // ENOENT: the last name is a link to nothing
  bool is_tree = false;      // a detached tree that the process has made
};

struct ProcessView {
  std::vector<SeenMount> mounts;     // what the process itself sees, in the order of its mountinfo
  std::vector<SeenMount> elsewhere;  // what others of its mount namespace see
  bool all_is_seen = false;          // there is no mount in the namespace but those two lists'
  bool offline = false;  // paths are only words: whatever they name is taken to be there
  Place root;
  Place current_directory;
  Place new_root;
  Place put_old;
  Capabilities capabilities;        // effective ones
  bool may_mount = true;            // CAP_SYS_ADMIN in the owner of the mount namespace
  bool owns_namespace = true;       // its own user namespace is that owner
  bool machine_owns = true;         // that owner is the machine's own user namespace: no locks,
  bool may_be_copy = false;         // unless it is a copy of another owner's
  bool is_first_namespace = false;  // it is the mount namespace of PID 1
  KernelTraits traits;
  pid_t pid = 0;                  // 0: the caller itself, or nobody (offline)
  bool needs_user_entry = false;  // its user namespace is not the caller's (for nsenter -U)
  bool needs_mount_entry = true;  // nor its mount namespace (for nsenter -m)
  bool keeps_ids = false;         // the caller is not root: he can't take other ids there
  // Refusals that no mount explains, each a sentence: a seccomp filter, a security module.
  std::vector<std::string> unseen_refusals;
  std::optional<Outcome> seccomp_answer;  // what a filter answers in the kernel's place
  std::vector<std::string> notes;         // what was taken for granted, each a sentence

  [[nodiscard]] const SeenMount* find(MountId id) const;  // in both lists; nullptr: not seen
};

// Splits and parses a mountinfo text, which may have been pasted: empty lines, blanks before a line
// and a carriage return behind it are passed over. The error is a line for people: "line 3: ...".
std::expected<std::vector<SeenMount>, std::string> read_mounts(std::string_view text);

}  // namespace pivotcheck::explain
