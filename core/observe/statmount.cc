// SPDX-License-Identifier: Apache-2.0
// statmount.cc: see statmount.h.
//
//     rootfs       parent of itself         never listed: listmount starts at the mount on it
//     `-- top      what tasks see at "/"    parent 0 in the view
//         `-- ...
//
// A kernel may have more than one mount of its own below the top (rootfs on an empty filesystem);
// every mount of type "rootfs" at the bottom is left out, with what is mounted on it elsewhere than at
// "/": since 7.0 an initramfs is such a mount, and what the machine left on it would be listed.
//
// The first kernels with listmount start at the mount with the second-lowest id, which after
// pivot_root need not be the top. The count shows that: ListedNamespace::complete. Later kernels
// look for the top among the mounts that are younger than rootfs, and list nothing where the top is
// older: a detached tree that was made before the namespace (FINDINGS.md, "listmount does not find
// a root that is older than its namespace").
#include "observe/statmount.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

#include "observe/mountinfo.h"
#include "observe/proc.h"
#include "syscalls/mount_api.h"

namespace pivotcheck {
namespace {

namespace api = kernel::statmount_api;

constexpr std::uint64_t everything = STATMOUNT_SB_BASIC | STATMOUNT_MNT_BASIC | STATMOUNT_MNT_ROOT |
                                     STATMOUNT_MNT_POINT | STATMOUNT_FS_TYPE;
constexpr std::size_t reply_bytes = 2048;         // paths of a scenario are short
constexpr std::size_t reply_bytes_max = 1 << 20;  // more than two paths can have

// A reply and its strings: on the stack, or on the heap if they are too long for that.
class ReplyBuffer {
 public:
  // 0, or the errno.
  int ask(const api::Request& request) {
    while (true) {
      if (syscall(SYS_statmount, &request, data_, size_, 0) == 0) return 0;
      if (errno != EOVERFLOW || size_ >= reply_bytes_max) return errno;
      size_ *= 4;
      large_ = std::make_unique<std::byte[]>(size_);
      data_ = large_.get();
    }
  }
  [[nodiscard]] api::Reply reply() const {
    api::Reply result;
    std::memcpy(&result, data_, sizeof(result));
    return result;
  }
  // A string of the reply; "" where the kernel left it out (the bit of the mask is not set).
  [[nodiscard]] std::string_view text(const api::Reply& of, std::uint64_t bit,
                                      std::uint32_t offset) const {
    if ((of.mask & bit) == 0) return {};
    const std::size_t start = sizeof(api::Reply) + offset;
    if (start >= size_) return {};
    const char* first = reinterpret_cast<const char*>(data_) + start;
    return {first, strnlen(first, size_ - start)};
  }

 private:
  alignas(api::Reply) std::array<std::byte, reply_bytes> small_;
  std::unique_ptr<std::byte[]> large_;
  std::byte* data_ = small_.data();
  std::size_t size_ = reply_bytes;
};

MountFlags flags_of(std::uint64_t attributes) {
  MountFlags flags;
  flags.set(MountFlag::ro, (attributes & MOUNT_ATTR_RDONLY) != 0);
  flags.set(MountFlag::nosuid, (attributes & MOUNT_ATTR_NOSUID) != 0);
  flags.set(MountFlag::nodev, (attributes & MOUNT_ATTR_NODEV) != 0);
  flags.set(MountFlag::noexec, (attributes & MOUNT_ATTR_NOEXEC) != 0);
  const std::uint64_t atime = attributes & MOUNT_ATTR__ATIME;
  flags.set(MountFlag::noatime, atime == MOUNT_ATTR_NOATIME);
  flags.set(MountFlag::strictatime, atime == MOUNT_ATTR_STRICTATIME);
  flags.set(MountFlag::nodiratime, (attributes & MOUNT_ATTR_NODIRATIME) != 0);
  flags.set(MountFlag::nosymfollow, (attributes & MOUNT_ATTR_NOSYMFOLLOW) != 0);
  return flags;
}

MountView view_of(const ReplyBuffer& buffer, const api::Reply& reply) {
  MountView mount;
  mount.id = reply.mnt_id;
  mount.parent = reply.mnt_parent_id;
  mount.mount_point = buffer.text(reply, STATMOUNT_MNT_POINT, reply.mnt_point);
  mount.filesystem = filesystem_number(reply.sb_dev_major, reply.sb_dev_minor);
  mount.root = buffer.text(reply, STATMOUNT_MNT_ROOT, reply.mnt_root);
  mount.root_removed = take_removed_suffix(mount.root);
  mount.flags = flags_of(reply.mnt_attr);
  mount.filesystem_read_only = (reply.sb_flags & MS_RDONLY) != 0;
  mount.peer_group = reply.mnt_peer_group;
  mount.master_group = reply.mnt_master;
  mount.unbindable = (reply.mnt_propagation & MS_UNBINDABLE) != 0;
  return mount;
}

// The ids of all mounts, in batches: after a full batch there may be more. None where the kernel
// does not find the root.
Expected<std::vector<MountId>> list_ids(const NamespaceIdentity& which) {
  std::vector<MountId> ids(std::size_t{which.mounts} + 1);  // so that it is not full at once
  std::size_t used = 0;
  while (true) {
    const api::Request request{.mount = LSMT_ROOT,
                               .parameter = used == 0 ? 0 : ids[used - 1],
                               .mount_namespace = which.id};
    const long count = syscall(SYS_listmount, &request, &ids[used], ids.size() - used, 0);
    if (count < 0 && errno == ENOENT) return std::vector<MountId>{};
    if (count < 0) return fail_with_errno("listmount", "of a world's namespace");
    used += static_cast<std::size_t>(count);
    if (used < ids.size()) break;
    ids.resize(ids.size() * 2);
  }
  ids.resize(used);
  return ids;
}

// Drops the mounts at the bottom that are the kernel's own, and what the machine mounted elsewhere on
// them; `rootfs[i]`: mount i has that type.
void drop_rootfs(ListedNamespace& listed, std::vector<bool> rootfs) {
  const auto is_listed = [&listed](MountId id) {
    return std::ranges::find(listed.mounts, id, &MountView::id) != listed.mounts.end();
  };
  std::vector<MountId> dropped;
  for (std::size_t i = 0; i < listed.mounts.size();) {
    const MountView& mount = listed.mounts[i];
    const bool lowest = mount.parent == mount.id || !is_listed(mount.parent);
    const bool is_elsewhere =
        mount.mount_point != "/" && std::ranges::find(dropped, mount.parent) != dropped.end();
    if (!(rootfs[i] && lowest) && !is_elsewhere) {
      ++i;
      continue;
    }
    dropped.push_back(mount.id);
    const auto offset = static_cast<std::ptrdiff_t>(i);
    listed.mounts.erase(listed.mounts.begin() + offset);
    listed.mountinfo_ids.erase(listed.mountinfo_ids.begin() + offset);
    rootfs.erase(rootfs.begin() + offset);
    i = 0;  // the one on top of it may be another
  }
}

}  // namespace

NamespaceIdentity identify_namespace(int namespace_descriptor) {
  api::NamespaceInfo info;
  if (ioctl(namespace_descriptor, api::ns_mnt_get_info, &info) != 0) return {};
  return {.id = info.id, .mounts = info.mounts};
}

Expected<ListedNamespace> list_mounts(const NamespaceIdentity& which) {
  ListedNamespace listed;
  if (which.mounts == 0) return listed;  // only rootfs: listmount would answer ENOENT
  Expected<std::vector<MountId>> ids = list_ids(which);
  if (!ids) return std::unexpected(std::move(ids.error()));
  listed.mounts.reserve(ids->size());
  listed.mountinfo_ids.reserve(ids->size());
  listed.complete = ids->size() >= which.mounts;
  ReplyBuffer buffer;
  std::vector<bool> rootfs;
  bool any_rootfs = false;
  for (const MountId id : *ids) {
    const int error =
        buffer.ask({.mount = id, .parameter = everything, .mount_namespace = which.id});
    if (error != 0) {
      errno = error;
      return fail_with_errno("statmount", "of a mount that listmount listed");
    }
    const api::Reply reply = buffer.reply();
    listed.mounts.push_back(view_of(buffer, reply));
    listed.mountinfo_ids.push_back(reply.mnt_id_old);
    rootfs.push_back(buffer.text(reply, STATMOUNT_FS_TYPE, reply.fs_type) == "rootfs");
    any_rootfs = any_rootfs || rootfs.back();
  }
  if (any_rootfs) drop_rootfs(listed, std::move(rootfs));
  return listed;
}

bool listmount_works() {
  const UniqueFd own(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
  if (!own) return false;
  const NamespaceIdentity identity = identify_namespace(own.get());
  if (identity.id == 0) return false;
  api::Request request{.mount = LSMT_ROOT, .mount_namespace = identity.id};
  MountId first = 0;
  if (syscall(SYS_listmount, &request, &first, 1, 0) != 1) return false;
  request.mount = first;
  request.parameter = everything;
  return ReplyBuffer().ask(request) == 0;
}

}  // namespace pivotcheck
