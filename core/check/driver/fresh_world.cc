// SPDX-License-Identifier: Apache-2.0
// fresh_world.cc: the template, and worlds made from it. Whatever it does to a tmpfs it does as
// uid 0 with every capability.
#include "check/driver/fresh_world.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "base/unique_fd.h"
#include "syscalls/id_maps.h"
#include "syscalls/syscalls.h"

namespace pivotcheck::kernel {
namespace {

constexpr mode_t root_mode = S_IFDIR | 01777;

// To the root of the mount namespace the caller is in already: root and current directory become
// the topmost mount at the lowest mount's root, wherever they were.
SetupError go_to_namespace_root() {
  const UniqueFd own(::openat(reserved_fds::proc, "self/ns/mnt", O_RDONLY | O_CLOEXEC));
  if (!own) return setup_error("opening /proc/self/ns/mnt (is /proc mounted?)");
  if (::setns(own.get(), CLONE_NEWNS) != 0) return setup_error("setns to the own mount namespace");
  return no_setup_error;
}

// A descriptor to its number among reserved_fds.
SetupError put(int fd, int place) {
  if (fd < 0) return setup_error("opening what the executor keeps");
  if (fd == place) return no_setup_error;
  const bool moved = ::dup3(fd, place, O_CLOEXEC) == place;
  ::close(fd);
  return moved ? no_setup_error : setup_error("dup3");
}

// A new tmpfs becomes the lowest visible mount in place of the current root, and is locked if that
// was. `in_place` is false if there was none to replace: the root is rootfs itself, an initramfs.
SetupError replace_root(bool& in_place) {
  if (::mount("none", "/", "tmpfs", 0, "mode=1777") != 0) return setup_error("mount of a tmpfs");
  // "/" still is the mount below; its ".." goes no further down, but up to what is mounted on it.
  if (::chdir("/..") != 0) return setup_error("chdir to the new tmpfs");
  in_place = sys_pivot_root(".", ".") == 0;
  if (in_place) {
    // The old root lies on top of the new one now.
    if (::umount2(".", MNT_DETACH) != 0) return setup_error("umount of the old root");
  } else if (errno != EINVAL) {
    return setup_error("pivot_root");
  } else if (const SetupError refused = go_to_namespace_root()) {
    // rootfs has no parent to pivot on. The tmpfs lies directly on it already, and only the root
    // directory has to follow.
    return refused;
  }
  return put(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), reserved_fds::template_root);
}

// --- cleaning ------------------------------------------------------------------------------------

// As getdents64(2) returns them.
struct Entry {
  std::uint64_t inode;
  std::int64_t offset;
  unsigned short length;
  unsigned char type;
  char name[1];
};

bool is_dot_or_dot_dot(const char* name) {
  return std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0;
}

// How deep remove_all() goes before it gives up; a new tmpfs is cheaper then.
constexpr int depth_max = 16;

bool remove_all(int directory, int depth);

bool remove_one(int directory, const Entry& entry, int depth) {
  if (entry.type != DT_DIR) return ::unlinkat(directory, entry.name, 0) == 0;
  if (::unlinkat(directory, entry.name, AT_REMOVEDIR) == 0) return true;
  if (errno != ENOTEMPTY || depth == depth_max) return false;
  const UniqueFd below(
      ::openat(directory, entry.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  return below && remove_all(below.get(), depth + 1) &&
         ::unlinkat(directory, entry.name, AT_REMOVEDIR) == 0;
}

// Empties a directory. False if something resists.
bool remove_all(int directory, int depth) {
  alignas(Entry) std::array<char, 2048> buffer;
  for (;;) {
    // From the start each time: what is removed meanwhile may shift what comes after it.
    ::lseek(directory, 0, SEEK_SET);
    bool found = false;
    const long size = ::syscall(SYS_getdents64, directory, buffer.data(), buffer.size());
    if (size < 0) return false;
    for (long at = 0; at < size;) {
      const auto* entry = reinterpret_cast<const Entry*>(buffer.data() + at);
      at += entry->length;
      if (is_dot_or_dot_dot(entry->name)) continue;
      if (!remove_one(directory, *entry, depth)) return false;
      found = true;
    }
    if (!found) return true;
  }
}

// The filesystem itself, apart from what is in it, is as it was made.
bool filesystem_is_pristine() {
  struct statvfs filesystem {};
  struct stat root {};
  return ::fstatvfs(reserved_fds::template_root, &filesystem) == 0 &&
         ::fstat(reserved_fds::template_root, &root) == 0 && (filesystem.f_flag & ST_RDONLY) == 0 &&
         root.st_mode == root_mode;
}

// --- ids -----------------------------------------------------------------------------------------

// 0, or an errno: from the root of the template down to rootfs, and what device it has.
int visit_rootfs(dev_t& device) {
  struct stat root {};
  if (::unshare(CLONE_NEWNS) != 0 || ::umount2("/", MNT_DETACH) != 0) return errno;
  if (const SetupError refused = go_to_namespace_root()) return refused.error;
  if (::stat("/", &root) != 0) return errno;
  device = root.st_dev;
  return 0;
}

}  // namespace

SetupError make_template(bool locked) {
  if (const SetupError refused = go_to_namespace_root()) return refused;
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return setup_error("making every mount private");
  }
  bool in_place = false;
  if (const SetupError refused = replace_root(in_place)) return refused;
  if (locked && !in_place) {
    // Mounts are locked when a new user namespace gets a copy of them, and there was none to
    // inherit that from. So once more; and replaced again, for a copy's flags are locked as well.
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
      return setup_error("unshare, to lock the root");
    }
    if (const SetupError refused = map_ids(0, 0)) return refused;
    if (const SetupError refused = replace_root(in_place)) return refused;
  }
  return put(::openat(reserved_fds::proc, "self/ns/mnt", O_RDONLY | O_CLOEXEC),
             reserved_fds::template_ns);
}

SetupError return_to_template() {
  if (::setns(reserved_fds::template_ns, CLONE_NEWNS) != 0) {
    return setup_error("setns to the template");
  }
  if (filesystem_is_pristine() && remove_all(reserved_fds::template_root, 0)) return no_setup_error;
  bool in_place = false;
  return replace_root(in_place);
}

SetupError enter_fresh_world() {
  if (::unshare(CLONE_NEWNS) != 0) return setup_error("unshare of the mount namespace");
  // With a faulty kernel's unshare the current directory may stay in the old mount namespace. The world
  // must be right nevertheless, because only a scenario can show the fault.
  return ::chdir("/") == 0 ? no_setup_error : setup_error("chdir to the root of the world");
}

SetupError find_rootfs(dev_t& device) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return setup_error("pipe2");
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  struct Found {
    int error;
    dev_t device;
  } found{};
  const pid_t child = sys_fork(SIGCHLD);
  if (child < 0) return setup_error("fork");
  if (child == 0) {
    found.error = visit_rootfs(found.device);
    const bool told = ::write(writing.get(), &found, sizeof(found)) == sizeof(found);
    sys_exit(told ? 0 : 1);
  }
  writing.reset();
  const ssize_t size = ::read(reading.get(), &found, sizeof(found));
  ::waitpid(child, nullptr, 0);
  if (size != sizeof(found)) return setup_error("asking for rootfs");
  if (found.error == 0) {
    device = found.device;
    return no_setup_error;
  }
  return {"umount of the root mount (it is locked in a user namespace)", found.error};
}

SetupError map_ids(uid_t uid, gid_t gid) {
  // A credential change may have made the process non-dumpable, and its files in /proc root's own.
  ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  const char* refused = map_root({.proc = reserved_fds::proc}, uid, gid);
  return refused == nullptr ? no_setup_error : setup_error(refused);
}

}  // namespace pivotcheck::kernel
