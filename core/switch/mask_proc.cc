// SPDX-License-Identifier: Apache-2.0
// mask_proc.cc: see mask_proc.h.
#include "switch/mask_proc.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "syscalls/mount_api.h"

namespace pivotcheck::rootswitch {
namespace {

namespace api = kernel::mount_api;

constexpr const char* hidden[] = {"acpi",        "asound",      "kcore",       "keys", "latency_stats",
                                  "sched_debug", "timer_stats", "timer_list",  "scsi"};
constexpr const char* read_only[] = {"bus", "fs", "irq", "sys", "sysrq-trigger"};

int bind(const char* source, const char* target) {
  return ::mount(source, target, nullptr, MS_BIND, nullptr) == 0 ? 0 : errno;
}

int attach(int tree, const char* name) {
  return api::move_mount(tree, "", AT_FDCWD, name, MOVE_MOUNT_F_EMPTY_PATH) == 0 ? 0 : errno;
}

int cover_with_empty_directory(const char* name) {
  constexpr unsigned attributes =
      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  const UniqueFd empty(api::new_mount("tmpfs", attributes));
  return empty ? attach(empty.get(), name) : errno;
}

// What covers the first file, or the first directory, covers the others as well.
int hide(int null) {
  const char* file = nullptr;
  const char* directory = nullptr;
  for (const char* const name : hidden) {
    struct stat status {};
    if (::lstat(name, &status) != 0) {
      if (errno == ENOENT) continue;
      return errno;
    }
    const bool is_directory = S_ISDIR(status.st_mode);
    const char*& first = is_directory ? directory : file;
    int error = 0;
    if (first != nullptr) error = bind(first, name);
    else error = is_directory ? cover_with_empty_directory(name) : attach(null, name);
    if (error != 0) return error;
    if (first == nullptr) first = name;
  }
  return 0;
}

int make_read_only() {
  const api::mount_attr change{.attr_set = MOUNT_ATTR_RDONLY};
  for (const char* const name : read_only) {
    const int error = bind(name, name);
    if (error == ENOENT) continue;
    if (error != 0) return error;
    if (api::mount_setattr(AT_FDCWD, name, 0, change) != 0) return errno;
  }
  return 0;
}

}  // namespace

// By names in the current directory: nobody can exchange names in proc, and a detached clone for
// each mount costs twice as much.
int mask_proc(int proc, int null) {
  const UniqueFd directory(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fchdir(proc) != 0) return errno;
  int error = make_read_only();
  if (error == 0) error = hide(null);
  return ::fchdir(directory.get()) == 0 ? error : errno;
}

}  // namespace pivotcheck::rootswitch
