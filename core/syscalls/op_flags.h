// SPDX-License-Identifier: Apache-2.0
// op_flags.h: operations as arguments of system calls: flags, attribute masks, and what stands for
// a path after its handle. The only translation: the test driver (check/driver/perform.cc) and the
// library (switch/step_executor.cc) both use it, so that what the driver compares with the model is
// what the library does. The benchmark's bare calls have a translation of their own on purpose:
// `switch_bench --check` compares the mounts that the two lead to.
//
// No function allocates, locks or fails: the library calls them between clone and exec.
//
// Source: mount(2), umount2(2), unshare(2), open_tree(2), move_mount(2), mount_setattr(2).
#pragma once

#include <sched.h>

#include <array>
#include <cstddef>

#include "op/op.h"
#include "syscalls/mount_api.h"

namespace pivotcheck::kernel {

// The kernel's bits of a set; `bits` is in the order of the enum.
template <class Flag, class Bits, std::size_t count>
constexpr Bits bits_of(FlagSet<Flag> flags, const std::array<Bits, count>& bits) {
  static_assert(count == FlagNames<Flag>::names.size(), "a flag without a bit of the kernel's");
  Bits all{};
  for (std::size_t i = 0; i < count; ++i) {
    if (flags.has(static_cast<Flag>(i))) all |= bits[i];
  }
  return all;
}

// MS_ flags of mount(2).
constexpr unsigned long mount_flags(MountFlags flags) {
  constexpr std::array<unsigned long, 9> bits{MS_RDONLY,     MS_NOSUID,      MS_NODEV,
                                              MS_NOEXEC,     MS_NOATIME,     MS_NODIRATIME,
                                              MS_STRICTATIME, MS_RELATIME,   MS_NOSYMFOLLOW};
  return bits_of(flags, bits);
}
constexpr unsigned long propagation_flag(Propagation to) {
  constexpr std::array<unsigned long, 4> bits{MS_SHARED, MS_PRIVATE, MS_SLAVE, MS_UNBINDABLE};
  static_assert(bits.size() == FlagNames<Propagation>::names.size());
  return bits[static_cast<std::size_t>(to)];
}

// MOUNT_ATTR_ flags of fsmount(2) and mount_setattr(2).
constexpr unsigned attribute_flags(MountFlags flags) {
  constexpr std::array<unsigned, 9> bits{MOUNT_ATTR_RDONLY,      MOUNT_ATTR_NOSUID,
                                         MOUNT_ATTR_NODEV,       MOUNT_ATTR_NOEXEC,
                                         MOUNT_ATTR_NOATIME,     MOUNT_ATTR_NODIRATIME,
                                         MOUNT_ATTR_STRICTATIME, MOUNT_ATTR_RELATIME,
                                         MOUNT_ATTR_NOSYMFOLLOW};
  return bits_of(flags, bits);
}

// CLONE_NEW flags of unshare(2) and setns(2).
constexpr int namespace_flags(NamespaceKinds kinds) {
  constexpr std::array<int, 2> bits{CLONE_NEWNS, CLONE_NEWUSER};
  return bits_of(kinds, bits);
}

// The name of the type: static, ends with '\0'.
constexpr const char* type_name(FilesystemType type) {
  switch (type) {
    case FilesystemType::tmpfs: return "tmpfs";
    case FilesystemType::ramfs: return "ramfs";
  }
  return "";
}

// --- paths that may start at a handle ------------------------------------------------------------

// A bare @h is the descriptor itself (AT_EMPTY_PATH); an empty path without a handle is an empty
// path.
inline bool is_bare_handle(const Path& path) { return !path.handle.empty() && path.text.empty(); }

// What a call with a descriptor gets as its path: "sub" of @h/sub, "" of @h, "./" of @h/, all of a
// path without a handle. Valid as long as the path.
inline const char* text_for_at(const Path& path) {
  if (path.handle.empty()) return path.text.c_str();
  const std::size_t begin = path.text.find_first_not_of('/');
  if (begin != std::string::npos) return path.text.c_str() + begin;
  return path.text.empty() ? "" : "./";
}

// --- the flags argument of an operation's call ---------------------------------------------------

inline unsigned long flags_of(const Mount& op) { return mount_flags(op.flags); }
inline unsigned long flags_of(const Bind& op) { return op.recursive ? MS_BIND | MS_REC : MS_BIND; }
inline unsigned long flags_of(const Move&) { return MS_MOVE; }
inline unsigned long flags_of(const ChangePropagation& op) {
  return propagation_flag(op.to) | (op.recursive ? +MS_REC : 0U);
}
inline unsigned long flags_of(const Remount& op) {
  return MS_REMOUNT | MS_BIND | mount_flags(op.flags.flags);
}
inline int flags_of(const Umount& op) {
  constexpr std::array<int, 3> bits{MNT_DETACH, MNT_EXPIRE, UMOUNT_NOFOLLOW};
  return bits_of(op.flags, bits);
}
inline int flags_of(const Unshare& op) { return namespace_flags(op.kinds); }
inline int flags_of(const Setns& op) { return namespace_flags(op.kinds); }

inline unsigned flags_of(const OpenTree& op) {
  constexpr std::array<unsigned, 2> bits{OPEN_TREE_CLONE, AT_RECURSIVE};
  return bits_of(op.flags, bits) | OPEN_TREE_CLOEXEC |
         (is_bare_handle(op.path) ? AT_EMPTY_PATH : 0U);
}
inline unsigned flags_of(const MoveMount& op) {
  constexpr std::array<unsigned, 2> bits{MOVE_MOUNT_BENEATH, MOVE_MOUNT_SET_GROUP};
  return bits_of(op.flags, bits) | MOVE_MOUNT_F_SYMLINKS | MOVE_MOUNT_T_SYMLINKS |
         (is_bare_handle(op.source) ? MOVE_MOUNT_F_EMPTY_PATH : 0U) |
         (is_bare_handle(op.target) ? MOVE_MOUNT_T_EMPTY_PATH : 0U);
}
inline unsigned flags_of(const MountSetattr& op) {
  return (op.recursive.on ? AT_RECURSIVE : 0U) | (is_bare_handle(op.path) ? AT_EMPTY_PATH : 0U);
}

// The kinds of access time are values of one field (relatime is 0), which the call changes as a
// whole: it refuses any other value unless all of MOUNT_ATTR__ATIME is cleared.
constexpr mount_api::mount_attr attributes_of(const AttributeChange& change) {
  mount_api::mount_attr attributes;
  attributes.attr_set = attribute_flags(change.set);
  attributes.attr_clr = attribute_flags(change.clear);
  if (!change.keep_atime && !change.set.with(change.clear).intersect(atime_values).empty()) {
    attributes.attr_clr |= MOUNT_ATTR__ATIME;
  }
  if (change.propagation) attributes.propagation = propagation_flag(*change.propagation);
  return attributes;
}

}  // namespace pivotcheck::kernel
