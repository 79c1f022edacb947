// SPDX-License-Identifier: Apache-2.0
// perform.cc: every operation as system calls, one function for each, in the order of op/op.h. Its
// mirror is model/apply.cc, which says what they should do; a reader compares the two by eye.
//
// An operation is the call of its name and nothing else: no check of ours stands before it but one,
// that every handle in it is open (EBADF otherwise). What its paths become is in paths.h.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/unique_fd.h"
#include "check/driver/actor.h"
#include "syscalls/capabilities.h"
#include "check/driver/desk.h"
#include "syscalls/mount_api.h"
#include "check/driver/paths.h"
#include "check/driver/world.h"

namespace pivotcheck::kernel {
namespace {

// --- flags as the kernel has them ----------------------------------------------------------------

unsigned long mount_bits(MountFlags flags) {
  unsigned long bits = 0;
  if (flags.has(MountFlag::ro)) bits |= MS_RDONLY;
  if (flags.has(MountFlag::nosuid)) bits |= MS_NOSUID;
  if (flags.has(MountFlag::nodev)) bits |= MS_NODEV;
  if (flags.has(MountFlag::noexec)) bits |= MS_NOEXEC;
  if (flags.has(MountFlag::noatime)) bits |= MS_NOATIME;
  return bits;
}

int umount_bits(UmountFlags flags) {
  int bits = 0;
  if (flags.has(UmountFlag::detach)) bits |= MNT_DETACH;
  if (flags.has(UmountFlag::expire)) bits |= MNT_EXPIRE;
  if (flags.has(UmountFlag::nofollow)) bits |= UMOUNT_NOFOLLOW;
  return bits;
}

unsigned long propagation_bits(Propagation to) {
  switch (to) {
    case Propagation::shared_: return MS_SHARED;
    case Propagation::private_: return MS_PRIVATE;
    case Propagation::slave: return MS_SLAVE;
    case Propagation::unbindable: return MS_UNBINDABLE;
  }
  return 0;
}

int namespace_bits(NamespaceKinds kinds) {
  return (kinds.has(NamespaceKind::mnt) ? CLONE_NEWNS : 0) |
         (kinds.has(NamespaceKind::user) ? CLONE_NEWUSER : 0);
}

// --- files and directories -----------------------------------------------------------------------

Answer perform(Actor& actor, const Mkdir& op) {
  return call_at(actor, op.path, [](int at, const char* path) {
    return ::mkdirat(at, path, 0755);
  });
}

Answer perform(Actor& actor, const Rmdir& op) {
  return call_at(actor, op.path,
                 [](int at, const char* path) { return ::unlinkat(at, path, AT_REMOVEDIR); });
}

Answer perform(Actor& actor, const Touch& op) {
  return call_at(actor, op.path, [](int at, const char* path) {
    const UniqueFd file(::openat(at, path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
    return file.get();  // closing it leaves errno alone: there is one only where there is no file
  });
}

Answer perform(Actor& actor, const Unlink& op) {
  return call_at(actor, op.path, [](int at, const char* path) { return ::unlinkat(at, path, 0); });
}

Answer perform(Actor& actor, const Rename& op) {
  if (!handles_are_open(actor, op.from) || !handles_are_open(actor, op.to)) return refused(EBADF);
  const AtPath from = at_path(actor, op.from);
  const AtPath to = at_path(actor, op.to);
  return answer_of(::renameat(from.directory, from.text, to.directory, to.text));
}

Answer perform(Actor& actor, const Symlink& op) {
  return call_at(actor, op.path, [&](int at, const char* path) {
    return ::symlinkat(op.target.text.c_str(), at, path);
  });
}

Answer perform(Actor& actor, const Chmod& op) {
  return call_path(actor, op.path,
                   [mode = op.mode.bits](const char* path) { return ::chmod(path, mode); });
}

// --- mounts --------------------------------------------------------------------------------------

Answer perform(Actor& actor, const Mount& op) {
  const char* type = op.type == FilesystemType::tmpfs ? "tmpfs" : "ramfs";
  return call_path(actor, op.path, [type, flags = mount_bits(op.flags)](const char* path) {
    return ::mount("none", path, type, flags, nullptr);
  });
}

Answer perform(Actor& actor, const Bind& op) {
  unsigned long flags = MS_BIND;
  if (op.recursive) flags |= MS_REC;
  return call_paths(actor, op.source, op.target, [flags](const char* source, const char* target) {
    return ::mount(source, target, nullptr, flags, nullptr);
  });
}

Answer perform(Actor& actor, const Move& op) {
  return call_paths(actor, op.source, op.target, [](const char* source, const char* target) {
    return ::mount(source, target, nullptr, MS_MOVE, nullptr);
  });
}

Answer perform(Actor& actor, const ChangePropagation& op) {
  unsigned long flags = propagation_bits(op.to);
  if (op.recursive) flags |= MS_REC;
  return call_path(actor, op.path, [flags](const char* path) {
    return ::mount("none", path, nullptr, flags, nullptr);
  });
}

Answer perform(Actor& actor, const Remount& op) {
  const unsigned long flags = MS_REMOUNT | MS_BIND | mount_bits(op.flags.flags);
  return call_path(actor, op.path, [flags](const char* path) {
    return ::mount("none", path, nullptr, flags, nullptr);
  });
}

Answer perform(Actor& actor, const Umount& op) {
  int flags = umount_bits(op.flags);
  // A bare @h is a link in /proc on the helper's way: not following it would be about that link.
  if (!op.path.handle.empty() && op.path.text.empty()) flags &= ~UMOUNT_NOFOLLOW;
  return call_path(actor, op.path, [flags](const char* path) { return ::umount2(path, flags); });
}

// --- roots and directories -----------------------------------------------------------------------

Answer perform(Actor& actor, const PivotRoot& op) {
  return call_paths(actor, op.new_root, op.put_old, [](const char* new_root, const char* put_old) {
    return sys_pivot_root(new_root, put_old);
  });
}

// What a handle's path leads to, as an O_PATH descriptor of its own; empty and errno if refused.
UniqueFd open_path(const Actor& actor, const Path& path) {
  if (path.handle.empty() || !path.text.empty()) {
    const AtPath at = at_path(actor, path);
    return UniqueFd(::openat(at.directory, at.text, O_PATH | O_CLOEXEC));
  }
  const UniqueFd directory(open_proc_directory());
  return UniqueFd(::openat(directory.get(), proc_path(actor, path).c_str(), O_PATH | O_CLOEXEC));
}

// Back to a directory in which the task was. If its mode denies that by now, to a task that gave up
// CAP_DAC_OVERRIDE, the mode changes for that moment: the task owns every file of its world.
Trouble go_back_to(const UniqueFd& directory) {
  if (::fchdir(directory.get()) == 0) return no_trouble;
  struct stat status {};
  std::array<char, 32> path{};
  std::snprintf(path.data(), path.size(), "fd/%d", directory.get());
  const UniqueFd proc(open_proc_directory());
  if (::fstat(directory.get(), &status) != 0 ||
      ::fchmodat(proc.get(), path.data(), 0700, 0) != 0) {
    return trouble("chmod of the current directory, to return to it after chroot @handle");
  }
  const bool back = ::fchdir(directory.get()) == 0;
  const bool restored = ::fchmodat(proc.get(), path.data(), status.st_mode & 07777U, 0) == 0;
  return back && restored ? no_trouble : trouble("returning to the current directory");
}

// chroot takes no descriptor, and no helper can call it in the task's stead: it is about the root
// of its caller. So the task goes there and returns. The errors come in chroot's own order: lookup,
// then ENOTDIR and EACCES from fchdir, then what chroot(".") says.
Answer chroot_from_handle(const Actor& actor, const Path& path) {
  const UniqueFd target = open_path(actor, path);
  if (!target) return answer_of(-1);
  // By the link in /proc: looking "." up would ask for the permission to search it.
  const UniqueFd before(::openat(desk::proc, "self/cwd", O_PATH | O_CLOEXEC));
  if (!before) return broken(trouble("opening /proc/self/cwd"));
  if (::fchdir(target.get()) != 0) return answer_of(-1);
  const Answer answer = answer_of(::chroot("."));
  const Trouble lost = go_back_to(before);
  return lost ? broken(lost) : answer;
}

Answer perform(Actor& actor, const Chroot& op) {
  if (!handles_are_open(actor, op.path)) return refused(EBADF);
  if (op.path.handle.empty()) return answer_of(::chroot(op.path.text.c_str()));
  return chroot_from_handle(actor, op.path);
}

Answer perform(Actor& actor, const Chdir& op) {
  if (!handles_are_open(actor, op.path)) return refused(EBADF);
  if (op.path.handle.empty()) return answer_of(::chdir(op.path.text.c_str()));
  if (op.path.text.empty()) return answer_of(::fchdir(actor.find(op.path.handle)));
  const UniqueFd target = open_path(actor, op.path);
  return answer_of(target ? ::fchdir(target.get()) : -1);
}

// The descriptor becomes the task's handle of that name; the one that had it is closed last. An
// empty one is a refusal, errno says which.
Answer keep(Actor& actor, const HandleName& name, UniqueFd opened) {
  if (!opened) return answer_of(-1);
  const int fd = opened.release();
  const auto old = std::ranges::find(actor.handles, name.text, &OpenHandle::name);
  if (old == actor.handles.end()) {
    actor.handles.push_back({name.text, fd});
  } else {
    ::close(std::exchange(old->fd, fd));
  }
  return {.outcome = {}, .detail = fd, .trouble = {}};
}

Answer perform(Actor& actor, const Open& op) {
  if (!handles_are_open(actor, op.path)) return refused(EBADF);
  return keep(actor, op.handle, open_path(actor, op.path));
}

Answer perform(Actor& actor, const Fchdir& op) {
  const int fd = actor.find(op.handle.text);
  return fd < 0 ? refused(EBADF) : answer_of(::fchdir(fd));
}

Answer perform(Actor& actor, const Close& op) {
  const auto handle = std::ranges::find(actor.handles, op.handle.text, &OpenHandle::name);
  if (handle == actor.handles.end()) return refused(EBADF);
  const int fd = handle->fd;
  actor.handles.erase(handle);
  return answer_of(::close(fd));
}

// --- tasks ---------------------------------------------------------------------------------------

Answer perform_spawn(Actor& actor, int subject) {
  return broken(fork_task(actor, subject, false));  // no trouble, no errno: ok
}

[[noreturn]] void perform_exit(Actor& actor) {
  actor.stage->leave(actor.number);
  sys_exit(0);
}

Answer perform(Actor&, const Unshare& op) {
  if (::unshare(namespace_bits(op.kinds)) != 0) return answer_of(-1);
  if (!op.kinds.has(NamespaceKind::user)) return {};
  return broken(map_ids(0, 0));
}

// Where the root mount is not locked, a namespace may be left without it, and setns would lead to
// the kernel's own rootfs, which belongs to the machine. Scenarios don't do that; should one, this
// is where it ends, before anything is done there.
bool stands_in_rootfs(const Actor& actor) {
  struct stat root {};
  return actor.rootfs && (::stat("/", &root) != 0 || root.st_dev == *actor.rootfs);
}

Answer perform_setns(Actor& actor, const Setns& op, int subject) {
  const UniqueFd task(sys_pidfd_open(actor.stage->pid(subject)));
  if (!task) return broken(trouble("pidfd_open"));
  const Answer answer = answer_of(::setns(task.get(), namespace_bits(op.kinds)));
  ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);  // entering a user namespace may clear it
  if (answer.outcome.ok() && op.kinds.has(NamespaceKind::mnt) && stands_in_rootfs(actor)) {
    return broken({"setns leaves the world for rootfs", 0});
  }
  return answer;
}

Answer perform(Actor&, const DropCapabilities& op) {
  return refused(drop_capabilities(op.capabilities));
}

// --- the mount API by descriptors ----------------------------------------------------------------

// A bare @h is the descriptor itself; an empty path without a handle is an empty path.
bool is_bare_handle(const Path& path) { return !path.handle.empty() && path.text.empty(); }

Answer perform(Actor& actor, const OpenTree& op) {
  if (!handles_are_open(actor, op.path)) return refused(EBADF);
  unsigned flags = mount_api::open_tree_close_on_exec;
  if (op.flags.has(OpenTreeFlag::clone)) flags |= mount_api::open_tree_clone;
  if (op.flags.has(OpenTreeFlag::recursive)) flags |= mount_api::at_recursive;
  if (is_bare_handle(op.path)) flags |= mount_api::at_empty_path;
  const AtPath at = at_path(actor, op.path);
  return keep(actor, op.handle, UniqueFd(mount_api::open_tree(at.directory, at.text, flags)));
}

Answer perform(Actor& actor, const MoveMount& op) {
  if (!handles_are_open(actor, op.source) || !handles_are_open(actor, op.target)) {
    return refused(EBADF);
  }
  unsigned flags = mount_api::move_mount_source_symlinks | mount_api::move_mount_target_symlinks;
  if (is_bare_handle(op.source)) flags |= mount_api::move_mount_source_empty_path;
  if (is_bare_handle(op.target)) flags |= mount_api::move_mount_target_empty_path;
  if (op.flags.has(MoveMountFlag::beneath)) flags |= mount_api::move_mount_beneath;
  if (op.flags.has(MoveMountFlag::set_group)) flags |= mount_api::move_mount_set_group;
  const AtPath from = at_path(actor, op.source);
  const AtPath to = at_path(actor, op.target);
  return answer_of(
      mount_api::move_mount(from.directory, from.text, to.directory, to.text, flags));
}

std::uint64_t attribute_bits(MountFlags flags) {
  std::uint64_t bits = 0;
  if (flags.has(MountFlag::ro)) bits |= mount_api::attribute_read_only;
  if (flags.has(MountFlag::nosuid)) bits |= mount_api::attribute_nosuid;
  if (flags.has(MountFlag::nodev)) bits |= mount_api::attribute_nodev;
  if (flags.has(MountFlag::noexec)) bits |= mount_api::attribute_noexec;
  if (flags.has(MountFlag::noatime)) bits |= mount_api::attribute_noatime;
  return bits;
}

Answer perform(Actor& actor, const MountSetattr& op) {
  if (!handles_are_open(actor, op.path)) return refused(EBADF);
  mount_api::Attributes attributes;
  attributes.set = attribute_bits(op.change.set);
  attributes.clear = attribute_bits(op.change.clear);
  // The kinds of access time are values of one field, which is set as a whole: relatime is 0.
  if (op.change.set.with(op.change.clear).has(MountFlag::noatime)) {
    attributes.clear |= mount_api::attribute_atime_mask;
  }
  if (op.change.propagation) attributes.propagation = propagation_bits(*op.change.propagation);
  unsigned flags = 0;
  if (op.recursive.on) flags |= mount_api::at_recursive;
  if (is_bare_handle(op.path)) flags |= mount_api::at_empty_path;
  const AtPath at = at_path(actor, op.path);
  return answer_of(mount_api::mount_setattr(at.directory, at.text, flags, attributes));
}

Answer perform(Actor& actor, const Fsmount& op) {
  const char* type = op.type == FilesystemType::tmpfs ? "tmpfs" : "ramfs";
  const UniqueFd context(mount_api::fsopen(type, mount_api::fsopen_close_on_exec));
  if (!context) return answer_of(-1);
  // As with mount(2), `ro` is about the filesystem and the mount.
  if (op.flags.has(MountFlag::ro) &&
      mount_api::fsconfig(context.get(), mount_api::fsconfig_set_flag, "ro") != 0) {
    return answer_of(-1);
  }
  if (mount_api::fsconfig(context.get(), mount_api::fsconfig_create, nullptr) != 0) {
    return answer_of(-1);
  }
  const auto attributes = static_cast<unsigned>(attribute_bits(op.flags));
  return keep(actor, op.handle,
              UniqueFd(mount_api::fsmount(context.get(), mount_api::fsmount_close_on_exec,
                                          attributes)));
}

}  // namespace

Answer perform(Actor& actor, const Op& op, int subject) {
  return std::visit(
      Overloaded{
          [&](const Spawn&) { return perform_spawn(actor, subject); },
          [&](const Exit&) -> Answer { perform_exit(actor); },
          [&](const Setns& setns) { return perform_setns(actor, setns, subject); },
          [&](const auto& other) { return perform(actor, other); },
      },
      op);
}

}  // namespace pivotcheck::kernel
