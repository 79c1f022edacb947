// SPDX-License-Identifier: Apache-2.0
// statmount_api.h: listmount(2), statmount(2) and the ioctl of mount namespaces as the kernel
// defines them; only what observe/ uses. The headers of the systems pivotcheck is built on may be
// older than the kernel it runs on. Constants have the kernel's names; structures have names of our
// own, so that newer headers don't clash.
//
// Source: Linux, include/uapi/linux/mount.h, include/uapi/linux/nsfs.h, include/uapi/linux/stat.h
// and scripts/syscall.tbl; listmount(2), statmount(2).
#pragma once

#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cstddef>
#include <cstdint>

#ifndef SYS_statmount  // the same on every architecture but alpha
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

namespace pivotcheck::statmount_api {

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

}  // namespace pivotcheck::statmount_api
