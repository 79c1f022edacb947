// SPDX-License-Identifier: Apache-2.0
// mount_api.h: the mount API by descriptors: open_tree(2), move_mount(2), mount_setattr(2),
// fsopen(2), fsconfig(2), fsmount(2). Each call returns what the kernel does: -1 and errno for a
// refusal, ENOSYS where the kernel is older than the call.
//
// Constants have the kernel's names. They come from <sys/mount.h>; those that the oldest supported
// C library lacks are defined here. (<linux/mount.h> can't be included beside that header.)
//
// Source: Linux, include/uapi/linux/mount.h, include/uapi/linux/fcntl.h and scripts/syscall.tbl
// (from 424 on a number is the same on every architecture but alpha).
#pragma once

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "base/unique_fd.h"

#ifndef SYS_open_tree  // Linux 5.2, as are the next four
#define SYS_open_tree 428
#endif
#ifndef SYS_move_mount
#define SYS_move_mount 429
#endif
#ifndef SYS_fsopen
#define SYS_fsopen 430
#endif
#ifndef SYS_fsconfig
#define SYS_fsconfig 431
#endif
#ifndef SYS_fsmount
#define SYS_fsmount 432
#endif
#ifndef SYS_mount_setattr  // Linux 5.12
#define SYS_mount_setattr 442
#endif
#ifndef MOVE_MOUNT_SET_GROUP  // Linux 5.15
#define MOVE_MOUNT_SET_GROUP 0x100
#endif
#ifndef MOVE_MOUNT_BENEATH  // Linux 6.5
#define MOVE_MOUNT_BENEATH 0x200
#endif

namespace pivotcheck::kernel::mount_api {

// MOUNT_ATTR_SIZE_VER0. Of our own, because <sys/mount.h> and <linux/mount.h> both define it.
struct mount_attr {
  std::uint64_t attr_set = 0;
  std::uint64_t attr_clr = 0;
  std::uint64_t propagation = 0;  // MS_SHARED and so on, or 0
  std::uint64_t userns_fd = 0;
};
static_assert(sizeof(mount_attr) == 32);

inline int open_tree(int directory, const char* path, unsigned flags) {
  return static_cast<int>(::syscall(SYS_open_tree, directory, path, flags));
}

inline int move_mount(int from, const char* from_path, int to, const char* to_path,
                      unsigned flags) {
  return static_cast<int>(::syscall(SYS_move_mount, from, from_path, to, to_path, flags));
}

inline int mount_setattr(int directory, const char* path, unsigned flags, const mount_attr& attr) {
  return static_cast<int>(
      ::syscall(SYS_mount_setattr, directory, path, flags, &attr, sizeof(attr)));
}

inline int fsopen(const char* type, unsigned flags) {
  return static_cast<int>(::syscall(SYS_fsopen, type, flags));
}

// For the commands that take no value.
inline int fsconfig(int context, unsigned command, const char* key) {
  return static_cast<int>(::syscall(SYS_fsconfig, context, command, key, nullptr, 0));
}

inline int fsmount(int context, unsigned flags, unsigned attributes) {
  return static_cast<int>(::syscall(SYS_fsmount, context, flags, attributes));
}

// A new filesystem as a detached mount with these MOUNT_ATTR_ bits; -1 and errno for a refusal.
// MOUNT_ATTR_RDONLY makes the filesystem read-only too, as mount(2) does.
inline int new_mount(const char* type, unsigned attributes) {
  const UniqueFd context(fsopen(type, FSOPEN_CLOEXEC));
  if (!context) return -1;
  if ((attributes & MOUNT_ATTR_RDONLY) != 0 &&
      fsconfig(context.get(), FSCONFIG_SET_FLAG, "ro") != 0) {
    return -1;
  }
  if (fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr) != 0) return -1;
  return fsmount(context.get(), FSMOUNT_CLOEXEC, attributes);
}

}  // namespace pivotcheck::kernel::mount_api
