// SPDX-License-Identifier: Apache-2.0
// process_view.h: what is visible of a process and of the mounts around it, as plain data: of a
// running process, or in the mountinfo text of a bug report.
//
//     mountinfo of the process      paths from its root. Not shown: what is outside of its root,
//                                   the mount on which its root is mounted, and, in a chroot to a
//                                   plain directory, the mount of that directory
//     paths                         its root, its current directory, the two arguments: each a
//                                   mount (its number in mountinfo) and a path
//     mountinfo of others           processes of the same mount namespace may see more of it
//
// No file shows whether a mount is locked, or what a security module says. Both are asked for by
// calls that can't succeed (resolved_paths.h); where nobody can ask, hypothesis.h works with both
// possibilities.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "explain/resolved_paths.h"
#include "model/traits.h"
#include "observe/mountinfo.h"
#include "observe/process.h"
#include "op/op.h"

namespace pivotcheck::explain {

// A line of mountinfo, parsed and as text.
struct SeenMount {
  MountView mount;  // ids as printed
  std::string text;

  [[nodiscard]] bool is_rootfs() const { return mount.parent == mount.id; }
};
inline constexpr MountId first_rootfs = 1;  // the machine's rootfs; no other mount has its number

const SeenMount* find_mount(const std::vector<SeenMount>& mounts, MountId id);  // nullptr: none

struct ProcessView : ProcessRights {
  std::vector<SeenMount> mounts;     // what the process itself sees, in the order of its mountinfo
  std::vector<SeenMount> elsewhere;  // what others of its mount namespace see
  bool all_is_seen = false;          // the two lists have every mount of the namespace
  std::string gap;                   // of a text: what is missing, and both readings of that; or ""
  bool offline = false;              // paths are only text: what they name is assumed to exist
  ResolvedPath root;
  ResolvedPath current_directory;
  ResolvedPath new_root;
  ResolvedPath put_old;
  KernelTraits traits;
  pid_t pid = 0;           // 0: the caller itself, or nobody (offline)
  bool keeps_ids = false;  // the caller is not root, and can't change its ids in other namespaces
  // What may refuse pivot_root besides the mounts, each a clause: a seccomp filter, an LSM.
  std::vector<std::string> unseen_refusals;
  std::optional<Outcome> seccomp_answer;  // what a filter answers instead of the kernel
  bool module_refuses = false;            // a security module refuses every pivot_root
  std::string no_user_namespace;          // why it can't make one; "": it can, or nobody knows
  std::vector<std::string> notes;         // what was assumed, each a clause

  [[nodiscard]] const SeenMount* find(MountId id) const;  // in both lists; nullptr: not seen
  // The mount at "/" that the process's root is, among what it sees: its parent is not seen there.
  [[nodiscard]] const SeenMount* own_root() const;
};

// A running process, from /proc and from a child that resolves its paths. `pid` 0: the calling
// process. Failure::Kind::cannot_run where the caller may not look at the process, or act as it.
Expected<ProcessView> view_process(pid_t pid, const PathAsked& new_root, const PathAsked& put_old,
                                   const KernelTraits& traits);

// The text of a mountinfo, as it was pasted (pasted.h). It is assumed to be from the root of the
// mount namespace. Of paths only the text is known: every directory is assumed to exist, and no
// name to be a symbolic link.
struct OfflineQuestion {
  std::string root = "/";              // of the process, as the text has paths
  std::string current_directory = "";  // "" for its root
  Capabilities capabilities{Capability::sys_admin, Capability::sys_chroot, Capability::dac};
  KernelTraits traits = {};
  std::string new_root = "";
  std::string put_old = "";
};
// The error is a line for people: "line 3: ...".
std::expected<ProcessView, std::string> view_mountinfo(std::string_view mountinfo,
                                                       const OfflineQuestion& question);

}  // namespace pivotcheck::explain
