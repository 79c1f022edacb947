// SPDX-License-Identifier: Apache-2.0
// mask_proc.cc: see mask_proc.h.
#include "switch/mask_proc.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <span>

#include "base/unique_fd.h"
#include "syscalls/mount_api.h"

namespace pivotcheck::rootswitch {
namespace {

namespace api = kernel::mount_api;

// runc masks sched_debug and timer_stats as well; no kernel since Linux 5.13 has them.
constexpr const char* hidden_files[] = {"kcore", "keys", "latency_stats", "timer_list"};
constexpr const char* hidden_directories[] = {"acpi", "asound", "scsi"};
constexpr const char* read_only[] = {"bus", "fs", "irq", "sys", "sysrq-trigger"};

// Is there in every proc, so that old programs find it; nothing is in it. A tmpfs would cost half of
// what all masks cost.
constexpr const char* empty_directory = "tty/ldisc";

int bind(const char* source, const char* target) {
  return ::mount(source, target, nullptr, MS_BIND, nullptr) == 0 ? 0 : errno;
}

int attach(int tree, const char* name) {
  return api::move_mount(tree, "", AT_FDCWD, name, MOVE_MOUNT_F_EMPTY_PATH) == 0 ? 0 : errno;
}

// `cover`, a detached mount, covers the first name that is there, and what covers that the others.
int hide(std::span<const char* const> names, int cover) {
  const char* first = nullptr;
  for (const char* const name : names) {
    const int error = first == nullptr ? attach(cover, name) : bind(first, name);
    if (error == ENOENT) continue;
    if (error != 0) return error;
    if (first == nullptr) first = name;
  }
  return 0;
}

int hide_directories() {
  UniqueFd cover(api::open_tree(AT_FDCWD, empty_directory, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!cover) {
    constexpr unsigned attributes =
        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    cover.reset(api::new_mount("tmpfs", attributes));
  }
  return cover ? hide(hidden_directories, cover.get()) : errno;
}

int make_read_only(unsigned long long set, unsigned long long cleared) {
  const api::mount_attr change{.attr_set = set, .attr_clr = cleared};
  return api::mount_setattr(AT_FDCWD, ".", 0, change) == 0 ? 0 : errno;
}

// A bind is read-only as its source is: the whole for so long, because that takes two calls instead of
// one for each.
int bind_read_only() {
  int error = make_read_only(MOUNT_ATTR_RDONLY, 0);
  for (const char* const name : read_only) {
    if (error == 0 || error == ENOENT) error = bind(name, name);
  }
  return error == 0 || error == ENOENT ? make_read_only(0, MOUNT_ATTR_RDONLY) : error;
}

}  // namespace

// By names in the current directory: nobody can exchange names in proc, and a detached clone for
// each mount costs twice as much.
int mask_proc(int proc, int null) {
  const UniqueFd directory(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fchdir(proc) != 0) return errno;
  int error = bind_read_only();
  if (error == 0) error = hide(hidden_files, null);
  if (error == 0) error = hide_directories();
  return ::fchdir(directory.get()) == 0 ? error : errno;
}

}  // namespace pivotcheck::rootswitch
