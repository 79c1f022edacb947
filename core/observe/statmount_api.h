// SPDX-License-Identifier: Apache-2.0
// statmount_api.h: what listmount(2), statmount(2) and the ioctls of mount namespaces look like on
// the wire. It is declared here because the headers of the systems pivotcheck is built on may be
// older than the kernel it runs on. Only what observe/ uses; names of our own, so that newer
// headers don't clash.
//
// Source: Linux, include/uapi/linux/mount.h, include/uapi/linux/nsfs.h, include/uapi/linux/stat.h
// and scripts/syscall.tbl; listmount(2), statmount(2).
#pragma once

#include <sys/ioctl.h>

#include <cstddef>
#include <cstdint>

namespace pivotcheck::statmount_api {

// The same on every architecture but alpha.
inline constexpr long statmount_number = 457;
inline constexpr long listmount_number = 458;

// struct mnt_id_req, MNT_ID_REQ_SIZE_VER1.
struct Request {
  std::uint32_t size = 32;
  std::uint32_t spare = 0;
  std::uint64_t mount = 0;         // statmount: which; listmount: below which
  std::uint64_t parameter = 0;     // statmount: mask; listmount: the last id that is known, or 0
  std::uint64_t mount_namespace = 0;  // 0: the caller's own
};
static_assert(sizeof(Request) == 32);

inline constexpr std::uint64_t root_of_namespace = ~std::uint64_t{0};  // LSMT_ROOT

inline constexpr std::uint64_t mask_sb_basic = 0x1;
inline constexpr std::uint64_t mask_mnt_basic = 0x2;
inline constexpr std::uint64_t mask_mnt_root = 0x8;
inline constexpr std::uint64_t mask_mnt_point = 0x10;
inline constexpr std::uint64_t mask_fs_type = 0x20;

// struct statmount; the strings follow behind it, and are found by offsets into them.
struct Reply {
  std::uint32_t size;
  std::uint32_t spare1;
  std::uint64_t mask;  // what is filled in
  std::uint32_t sb_dev_major;
  std::uint32_t sb_dev_minor;
  std::uint64_t sb_magic;
  std::uint32_t sb_flags;  // SB_RDONLY is 1
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

inline constexpr std::uint32_t sb_read_only = 0x1;

// MOUNT_ATTR_*; the time attributes are a number of their own (0: relatime).
inline constexpr std::uint64_t attr_read_only = 0x1;
inline constexpr std::uint64_t attr_nosuid = 0x2;
inline constexpr std::uint64_t attr_nodev = 0x4;
inline constexpr std::uint64_t attr_noexec = 0x8;
inline constexpr std::uint64_t attr_atime_bits = 0x70;
inline constexpr std::uint64_t attr_noatime = 0x10;

inline constexpr std::uint64_t propagation_unbindable = std::uint64_t{1} << 17U;  // MS_UNBINDABLE

// struct mnt_ns_info, MNT_NS_INFO_SIZE_VER0: Linux 6.12.
struct NamespaceInfo {
  std::uint32_t size = 16;
  std::uint32_t mounts = 0;  // all of them but the lowest
  std::uint64_t id = 0;
};
static_assert(sizeof(NamespaceInfo) == 16);
inline constexpr unsigned long get_namespace_info = _IOR(0xb7, 10, NamespaceInfo);

inline constexpr unsigned statx_mount_id = 0x1000;         // STATX_MNT_ID: the id of mountinfo
inline constexpr unsigned statx_mount_id_unique = 0x4000;  // STATX_MNT_ID_UNIQUE: Linux 6.8

}  // namespace pivotcheck::statmount_api
