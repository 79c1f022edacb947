// SPDX-License-Identifier: Apache-2.0
// mount_api.h: the mount API by descriptors: open_tree(2), move_mount(2), mount_setattr(2),
// fsopen(2), fsconfig(2), fsmount(2). Each call returns what the kernel does: -1 and errno for a
// refusal, ENOSYS where the kernel is older than the call. And what listmount(2), statmount(2) and
// the ioctl of mount namespaces take and give.
//
// Constants have the kernel's names. They come from the system's headers; those that the oldest
// supported ones lack are defined here. (<linux/mount.h> can't be included beside <sys/mount.h>.)
// Structures have names of our own where newer headers would clash.
//
// Source: Linux, include/uapi/linux/mount.h, include/uapi/linux/nsfs.h, include/uapi/linux/stat.h
// and scripts/syscall.tbl (from 424 on a number is the same on every architecture but alpha).
#pragma once

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/unique_fd.h"

#ifndef MOVE_MOUNT_SET_GROUP  // Linux 5.15
#define MOVE_MOUNT_SET_GROUP 0x100
#endif
#ifndef MOVE_MOUNT_BENEATH  // Linux 6.5
#define MOVE_MOUNT_BENEATH 0x200
#endif
#ifndef SYS_statmount  // Linux 6.8
#define SYS_statmount 457
#define SYS_listmount 458
#endif
#ifndef LSMT_ROOT
#define LSMT_ROOT 0xffffffffffffffffU
#endif
#ifndef STATMOUNT_SB_BASIC
#define STATMOUNT_SB_BASIC 0x1U
#define STATMOUNT_MNT_BASIC 0x2U
#define STATMOUNT_MNT_ROOT 0x8U
#define STATMOUNT_MNT_POINT 0x10U
#define STATMOUNT_FS_TYPE 0x20U
#endif
#ifndef STATX_MNT_ID_UNIQUE  // Linux 6.8; STATX_MNT_ID is the id of mountinfo
#define STATX_MNT_ID_UNIQUE 0x4000U
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

inline int fsconfig(int context, unsigned command, const char* key, const char* value = nullptr) {
  return static_cast<int>(::syscall(SYS_fsconfig, context, command, key, value, 0));
}

inline int fsmount(int context, unsigned flags, unsigned attributes) {
  return static_cast<int>(::syscall(SYS_fsmount, context, flags, attributes));
}

struct Option {
  const char* key;
  const char* value;
};

// A new filesystem as a detached mount with these MOUNT_ATTR_ bits; -1 and errno for a refusal.
// MOUNT_ATTR_RDONLY makes the filesystem read-only too, as mount(2) does.
inline int new_mount(const char* type, unsigned attributes,
                     std::span<const Option> options = {}) {
  const UniqueFd context(fsopen(type, FSOPEN_CLOEXEC));
  if (!context) return -1;
  if ((attributes & MOUNT_ATTR_RDONLY) != 0 &&
      fsconfig(context.get(), FSCONFIG_SET_FLAG, "ro") != 0) {
    return -1;
  }
  for (const auto& [key, value] : options) {
    if (fsconfig(context.get(), FSCONFIG_SET_STRING, key, value) != 0) return -1;
  }
  if (fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr) != 0) return -1;
  return fsmount(context.get(), FSMOUNT_CLOEXEC, attributes);
}

}  // namespace pivotcheck::kernel::mount_api

namespace pivotcheck::kernel::statmount_api {

// struct mnt_id_req, MNT_ID_REQ_SIZE_VER1.
struct Request {
  std::uint32_t size = 32;
  std::uint32_t spare = 0;
  std::uint64_t mount = 0;            // statmount: which; listmount: below which
  std::uint64_t parameter = 0;        // statmount: mask; listmount: the last id that is known, or 0
  std::uint64_t mount_namespace = 0;  // 0: the caller's own
};
static_assert(sizeof(Request) == 32);

// struct statmount; the strings follow it, and are found by offsets into them.
struct Reply {
  std::uint32_t size;
  std::uint32_t spare1;
  std::uint64_t mask;  // what is filled in
  std::uint32_t sb_dev_major;
  std::uint32_t sb_dev_minor;
  std::uint64_t sb_magic;
  std::uint32_t sb_flags;  // SB_RDONLY is MS_RDONLY
  std::uint32_t fs_type;   // string
  std::uint64_t mnt_id;
  std::uint64_t mnt_parent_id;  // its own for the lowest mount
  std::uint32_t mnt_id_old;     // the id that mountinfo prints
  std::uint32_t mnt_parent_id_old;
  std::uint64_t mnt_attr;
  std::uint64_t mnt_propagation;  // MS_SHARED, MS_SLAVE, MS_UNBINDABLE
  std::uint64_t mnt_peer_group;
  std::uint64_t mnt_master;
  std::uint64_t propagate_from;
  std::uint32_t mnt_root;   // string
  std::uint32_t mnt_point;  // string
  std::uint64_t mnt_ns_id;
  std::uint64_t spare2[49];
};
static_assert(sizeof(Reply) == 512 && offsetof(Reply, mnt_ns_id) == 112);

// struct mnt_ns_info, MNT_NS_INFO_SIZE_VER0: Linux 6.12.
struct NamespaceInfo {
  std::uint32_t size = 16;
  std::uint32_t mounts = 0;  // all of them but the lowest
  std::uint64_t id = 0;
};
static_assert(sizeof(NamespaceInfo) == 16);
inline constexpr unsigned long ns_mnt_get_info = _IOR(0xb7, 10, NamespaceInfo);

}  // namespace pivotcheck::kernel::statmount_api
