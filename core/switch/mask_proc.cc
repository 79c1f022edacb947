// SPDX-License-Identifier: Apache-2.0
// mask_proc.cc: see mask_proc.h.
#include "switch/mask_proc.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/unique_fd.h"
#include "syscalls/mount_api.h"

namespace pivotcheck::rootswitch {
namespace {

namespace api = kernel::mount_api;

constexpr const char* hidden[] = {"acpi",        "asound",      "kcore",       "keys", "latency_stats",
                                  "sched_debug", "timer_stats", "timer_list",  "scsi"};
constexpr const char* read_only[] = {"bus", "fs", "irq", "sys", "sysrq-trigger"};

int attach(int tree, int proc, const char* name) {
  return api::move_mount(tree, "", proc, name, MOVE_MOUNT_F_EMPTY_PATH) == 0 ? 0 : errno;
}

UniqueFd clone_of(int proc, const char* name) {
  return UniqueFd(api::open_tree(proc, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
}

UniqueFd empty_directory() {
  constexpr unsigned attributes =
      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  return UniqueFd(api::new_mount("tmpfs", attributes));
}

// What covers the first file, or the first directory, covers the others as a clone: a detached
// mount can't be cloned before Linux 6.15.
int hide(int proc, int null) {
  const char* file = nullptr;
  const char* directory = nullptr;
  for (const char* const name : hidden) {
    struct stat status {};
    if (::fstatat(proc, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;
      return errno;
    }
    const char*& first = S_ISDIR(status.st_mode) ? directory : file;
    UniqueFd cover;
    if (first != nullptr) cover = clone_of(proc, first);
    else if (S_ISDIR(status.st_mode)) cover = empty_directory();
    if (!cover && (first != nullptr || S_ISDIR(status.st_mode))) return errno;
    if (const int error = attach(cover ? cover.get() : null, proc, name)) return error;
    if (first == nullptr) first = name;
  }
  return 0;
}

}  // namespace

int mask_proc(int proc, int null) {
  for (const char* const name : read_only) {
    const UniqueFd tree = clone_of(proc, name);
    if (!tree && errno == ENOENT) continue;
    if (!tree) return errno;
    const api::mount_attr change{.attr_set = MOUNT_ATTR_RDONLY};
    if (api::mount_setattr(tree.get(), "", AT_EMPTY_PATH, change) != 0) return errno;
    if (const int error = attach(tree.get(), proc, name)) return error;
  }
  return hide(proc, null);
}

}  // namespace pivotcheck::rootswitch
