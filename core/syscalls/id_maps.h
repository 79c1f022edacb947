// SPDX-License-Identifier: Apache-2.0
// id_maps.h: writes what /proc/PID has about the ids of a new user namespace.
//
// Source: user_namespaces(7), "User and group ID mappings".
#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include <string>
#include <string_view>

namespace pivotcheck::kernel {

// A process as /proc names it: /proc/self, /proc/123; or by a descriptor of a /proc.
struct ProcEntry {
  int proc = AT_FDCWD;  // AT_FDCWD: the one at /proc
  pid_t pid = 0;        // 0: the caller

  [[nodiscard]] std::string path(std::string_view file) const;  // relative to `proc`
};

// Writes a file such as uid_map. 0 or an errno.
int write_proc_file(const ProcEntry& process, std::string_view file, std::string_view text);

// Ids 0 in the process's new user namespace are `uid` and `gid` outside; setgroups is denied, which
// an unprivileged writer of gid_map must do first. nullptr, or what was refused ("writing
// uid_map"), with errno set.
const char* map_root(const ProcEntry& process, uid_t uid, gid_t gid);

}  // namespace pivotcheck::kernel
