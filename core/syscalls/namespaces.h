// SPDX-License-Identifier: Apache-2.0
// namespaces.h: descriptors of namespaces. A pidfd gives them since Linux 6.11. /proc gives them on
// every kernel, but a look into it makes five entries there, so it comes second.
#pragma once

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/unique_fd.h"

namespace pivotcheck::kernel {

struct NamespaceFile {
  unsigned long request;  // PIDFD_GET_..., of linux/pidfd.h
  const char* in_proc;    // that of the thread which looks
};
inline constexpr NamespaceFile mount_namespace{_IO(0xFF, 3), "thread-self/ns/mnt"};
inline constexpr NamespaceFile pid_namespace{_IO(0xFF, 5), "thread-self/ns/pid"};
inline constexpr NamespaceFile pid_namespace_for_children{_IO(0xFF, 6),
                                                          "thread-self/ns/pid_for_children"};
inline constexpr NamespaceFile user_namespace{_IO(0xFF, 9), "thread-self/ns/user"};

// Of the process of a pidfd, close-on-exec; or -1 and errno.
inline int namespace_by_pidfd(int pidfd, const NamespaceFile& file) {
  return static_cast<int>(::syscall(SYS_ioctl, pidfd, file.request, 0UL));
}

// Of the calling thread, as above. `proc` is an open /proc that shows this thread, or -1: the one at
// /proc. Bare calls, so that a process between clone and exec may use it.
inline int own_namespace(const NamespaceFile& file, int proc = -1) {
  constexpr unsigned of_thread = O_EXCL;  // PIDFD_THREAD, Linux 6.9
  const auto open_at = [](int start, const char* path, int flags) {
    return static_cast<int>(::syscall(SYS_openat, start, path, flags | O_CLOEXEC));
  };
  {
    const UniqueFd self(
        static_cast<int>(::syscall(SYS_pidfd_open, ::syscall(SYS_gettid), of_thread)));
    const int found = self ? namespace_by_pidfd(self.get(), file) : -1;
    if (found >= 0) return found;
  }
  if (proc >= 0) return open_at(proc, file.in_proc, O_RDONLY);
  const UniqueFd folder(open_at(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY));
  return folder ? open_at(folder.get(), file.in_proc, O_RDONLY) : -1;
}

}  // namespace pivotcheck::kernel
