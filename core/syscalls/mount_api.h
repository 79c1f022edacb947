// SPDX-License-Identifier: Apache-2.0
// mount_api.h: the mount API by descriptors, as it is on the wire: open_tree(2), move_mount(2),
// mount_setattr(2), fsopen(2), fsconfig(2), fsmount(2). Declared here, under names of our own,
// because the headers of the systems pivotcheck is built on may be older than the kernel it runs
// on, and newer ones declare only a part, partly as macros. Each call returns what the kernel does:
// -1 and errno for a refusal, ENOSYS where the kernel is older than the call.
//
// Source: Linux, include/uapi/linux/mount.h, include/uapi/linux/fcntl.h and scripts/syscall.tbl
// (from 424 on a number is the same on every architecture but alpha).
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace pivotcheck::kernel::mount_api {

inline constexpr long open_tree_number = 428;      // Linux 5.2, as are the next four
inline constexpr long move_mount_number = 429;
inline constexpr long fsopen_number = 430;
inline constexpr long fsconfig_number = 431;
inline constexpr long fsmount_number = 432;
inline constexpr long mount_setattr_number = 442;  // Linux 5.12

inline constexpr unsigned at_empty_path = 0x1000;
inline constexpr unsigned at_recursive = 0x8000;

inline constexpr unsigned open_tree_clone = 1;
inline constexpr unsigned open_tree_close_on_exec = 02000000;  // O_CLOEXEC

inline constexpr unsigned move_mount_source_symlinks = 0x001;
inline constexpr unsigned move_mount_source_empty_path = 0x004;
inline constexpr unsigned move_mount_target_symlinks = 0x010;
inline constexpr unsigned move_mount_target_empty_path = 0x040;
inline constexpr unsigned move_mount_set_group = 0x100;  // Linux 5.15
inline constexpr unsigned move_mount_beneath = 0x200;    // Linux 6.5

inline constexpr std::uint64_t attribute_read_only = 0x01;
inline constexpr std::uint64_t attribute_nosuid = 0x02;
inline constexpr std::uint64_t attribute_nodev = 0x04;
inline constexpr std::uint64_t attribute_noexec = 0x08;
inline constexpr std::uint64_t attribute_atime_mask = 0x70;  // relatime is 0 of these
inline constexpr std::uint64_t attribute_noatime = 0x10;

// struct mount_attr, MOUNT_ATTR_SIZE_VER0.
struct Attributes {
  std::uint64_t set = 0;
  std::uint64_t clear = 0;
  std::uint64_t propagation = 0;  // MS_SHARED and so on, or 0
  std::uint64_t user_namespace = 0;
};
static_assert(sizeof(Attributes) == 32);

inline constexpr unsigned fsopen_close_on_exec = 1;
inline constexpr unsigned fsconfig_set_flag = 0;
inline constexpr unsigned fsconfig_create = 6;
inline constexpr unsigned fsmount_close_on_exec = 1;

inline int open_tree(int directory, const char* path, unsigned flags) {
  return static_cast<int>(::syscall(open_tree_number, directory, path, flags));
}

inline int move_mount(int from, const char* from_path, int to, const char* to_path,
                      unsigned flags) {
  return static_cast<int>(::syscall(move_mount_number, from, from_path, to, to_path, flags));
}

inline int mount_setattr(int directory, const char* path, unsigned flags,
                         const Attributes& attributes) {
  return static_cast<int>(::syscall(mount_setattr_number, directory, path, flags, &attributes,
                                    sizeof(attributes)));
}

inline int fsopen(const char* type, unsigned flags) {
  return static_cast<int>(::syscall(fsopen_number, type, flags));
}

// For the commands that take no value.
inline int fsconfig(int context, unsigned command, const char* key) {
  return static_cast<int>(::syscall(fsconfig_number, context, command, key, nullptr, 0));
}

inline int fsmount(int context, unsigned flags, unsigned attributes) {
  return static_cast<int>(::syscall(fsmount_number, context, flags, attributes));
}

}  // namespace pivotcheck::kernel::mount_api
