// SPDX-License-Identifier: Apache-2.0
// process.h: what /proc and the namespace files tell of one process and its mount namespace:
//
//     /proc/PID/mountinfo          the mounts below its root
//     /proc/OTHER/mountinfo        more mounts, if a process of the same namespace sees more
//     /proc/PID/ns/mnt             NS_MNT_GET_INFO: how many there are; NS_GET_USERNS: the owner
//     /proc/PID/status             credentials, capabilities, seccomp
//     /proc/PID/attr/...           the profile of a security module
//
// Not here: where its root, its directory and other paths are (explain/resolved_paths.h).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/failure.h"
#include "op/op.h"
#include "view/snapshot.h"

namespace pivotcheck {

// What a process may do to its mounts, and whose its namespaces are.
struct ProcessRights {
  Capabilities capabilities;        // effective ones
  bool may_mount = false;           // CAP_SYS_ADMIN in the owner of its mount namespace
  bool owns_namespace = false;      // its own user namespace is that owner
  bool machine_owns = false;        // that owner is the machine's first user namespace
  bool is_first_namespace = false;  // it is in the mount namespace of PID 1
  bool callers_user_namespace = true;
  bool callers_mount_namespace = true;
};

struct ProcessFacts : ProcessRights {
  std::string mountinfo;
  std::string mountinfo_elsewhere;  // the longest of another root in the same namespace; may be ""
  std::uint32_t mounts = 0;         // in the namespace; 0: this kernel can't tell (before 6.12)
  bool has_root_of_pid_1 = false;   // its root and mount namespace are those of PID 1
  int seccomp_mode = 0;             // 0 none, 1 strict, 2 filter
  int seccomp_filters = 0;
  bool no_new_privileges = false;
  std::string profile;           // "docker-default (enforce)"; "" if there is none
  bool landlock_is_active = false;  // the kernel has it: nothing shows whose sandbox holds whom
};

// `pid` 0: the calling process; any other is its number in /proc, whichever PID namespace that is
// of. Failure::Kind::cannot_run where a file can't be read: which one, which errno.
Expected<ProcessFacts> read_process(pid_t pid);

bool process_exists(pid_t pid);

}  // namespace pivotcheck
