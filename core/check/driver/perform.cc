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
#include "check/driver/task_context.h"
#include "syscalls/capabilities.h"
#include "check/driver/reserved_fds.h"
#include "syscalls/mount_api.h"
#include "check/driver/paths.h"
#include "check/driver/fresh_world.h"

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

Answer perform(TaskContext& context, const Mkdir& op) {
  return call_at(context, op.path, [](int at, const char* path) {
    return ::mkdirat(at, path, 0755);
  });
}

Answer perform(TaskContext& context, const Rmdir& op) {
  return call_at(context, op.path,
                 [](int at, const char* path) { return ::unlinkat(at, path, AT_REMOVEDIR); });
}

Answer perform(TaskContext& context, const Touch& op) {
  return call_at(context, op.path, [](int at, const char* path) {
    const UniqueFd file(::openat(at, path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
    return file.get();  // closing it leaves errno alone: there is one only where there is no file
  });
}

Answer perform(TaskContext& context, const Unlink& op) {
  return call_at(context, op.path, [](int at, const char* path) { return ::unlinkat(at, path, 0); });
}

Answer perform(TaskContext& context, const Rename& op) {
  if (!handles_are_open(context, op.from) || !handles_are_open(context, op.to)) return refused(EBADF);
  const AtPath from = at_path(context, op.from);
  const AtPath to = at_path(context, op.to);
  return answer_of(::renameat(from.directory, from.text, to.directory, to.text));
}

Answer perform(TaskContext& context, const Symlink& op) {
  return call_at(context, op.path, [&](int at, const char* path) {
    return ::symlinkat(op.target.text.c_str(), at, path);
  });
}

Answer perform(TaskContext& context, const Chmod& op) {
  return call_path(context, op.path,
                   [mode = op.mode.bits](const char* path) { return ::chmod(path, mode); });
}

// --- mounts --------------------------------------------------------------------------------------

Answer perform(TaskContext& context, const Mount& op) {
  const char* type = op.type == FilesystemType::tmpfs ? "tmpfs" : "ramfs";
  return call_path(context, op.path, [type, flags = mount_bits(op.flags)](const char* path) {
    return ::mount("none", path, type, flags, nullptr);
  });
}

Answer perform(TaskContext& context, const Bind& op) {
  unsigned long flags = MS_BIND;
  if (op.recursive) flags |= MS_REC;
  return call_paths(context, op.source, op.target, [flags](const char* source, const char* target) {
    return ::mount(source, target, nullptr, flags, nullptr);
  });
}

Answer perform(TaskContext& context, const Move& op) {
  return call_paths(context, op.source, op.target, [](const char* source, const char* target) {
    return ::mount(source, target, nullptr, MS_MOVE, nullptr);
  });
}

Answer perform(TaskContext& context, const ChangePropagation& op) {
  unsigned long flags = propagation_bits(op.to);
  if (op.recursive) flags |= MS_REC;
  return call_path(context, op.path, [flags](const char* path) {
    return ::mount("none", path, nullptr, flags, nullptr);
  });
}

Answer perform(TaskContext& context, const Remount& op) {
  const unsigned long flags = MS_REMOUNT | MS_BIND | mount_bits(op.flags.flags);
  return call_path(context, op.path, [flags](const char* path) {
    return ::mount("none", path, nullptr, flags, nullptr);
  });
}

Answer perform(TaskContext& context, const Umount& op) {
  int flags = umount_bits(op.flags);
  // A bare @h is a link in /proc on the helper's way: not following it would be about that link.
  if (!op.path.handle.empty() && op.path.text.empty()) flags &= ~UMOUNT_NOFOLLOW;
  return call_path(context, op.path, [flags](const char* path) { return ::umount2(path, flags); });
}

// --- roots and directories -----------------------------------------------------------------------

Answer perform(TaskContext& context, const PivotRoot& op) {
  return call_paths(context, op.new_root, op.put_old, [](const char* new_root, const char* put_old) {
    return sys_pivot_root(new_root, put_old);
  });
}

// What a handle's path leads to, as an O_PATH descriptor of its own; empty and errno if refused.
UniqueFd open_path(const TaskContext& context, const Path& path) {
  if (path.handle.empty() || !path.text.empty()) {
    const AtPath at = at_path(context, path);
    return UniqueFd(::openat(at.directory, at.text, O_PATH | O_CLOEXEC));
  }
  const UniqueFd directory(open_proc_directory());
  return UniqueFd(::openat(directory.get(), proc_path(context, path).c_str(), O_PATH | O_CLOEXEC));
}

// Back to a directory in which the task was. If its mode denies that by now, to a task that gave up
// CAP_DAC_OVERRIDE, the mode changes for that moment: the task owns every file of its world.
SetupError go_back_to(const UniqueFd& directory) {
  if (::fchdir(directory.get()) == 0) return no_setup_error;
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
  return back && restored ? no_setup_error : trouble("returning to the current directory");
}

// chroot takes no descriptor, and no helper can call it in the task's stead: it is about the root
// of its caller. So the task goes there and returns. The errors come in chroot's own order: lookup,
// then ENOTDIR and EACCES from fchdir, then what chroot(".") says.
Answer chroot_from_handle(const TaskContext& context, const Path& path) {
  const UniqueFd target = open_path(context, path);
  if (!target) return answer_of(-1);
  // By the link in /proc: looking "." up would ask for the permission to search it.
  const UniqueFd before(::openat(reserved_fds::proc, "self/cwd", O_PATH | O_CLOEXEC));
  if (!before) return broken(trouble("opening /proc/self/cwd"));
  if (::fchdir(target.get()) != 0) return answer_of(-1);
  const Answer answer = answer_of(::chroot("."));
  const SetupError lost = go_back_to(before);
  return lost ? broken(lost) : answer;
}

Answer perform(TaskContext& context, const Chroot& op) {
  if (!handles_are_open(context, op.path)) return refused(EBADF);
  if (op.path.handle.empty()) return answer_of(::chroot(op.path.text.c_str()));
  return chroot_from_handle(context, op.path);
}

Answer perform(TaskContext& context, const Chdir& op) {
  if (!handles_are_open(context, op.path)) return refused(EBADF);
  if (op.path.handle.empty()) return answer_of(::chdir(op.path.text.c_str()));
  if (op.path.text.empty()) return answer_of(::fchdir(context.find(op.path.handle)));
  const UniqueFd target = open_path(context, op.path);
  return answer_of(target ? ::fchdir(target.get()) : -1);
}

// The descriptor becomes the task's handle of that name; the one that had it is closed last. An
// empty one is a refusal, errno says which.
Answer keep(TaskContext& context, const HandleName& name, UniqueFd opened) {
  if (!opened) return answer_of(-1);
  const int fd = opened.release();
  const auto old = std::ranges::find(context.handles, name.text, &OpenHandle::name);
  if (old == context.handles.end()) {
    context.handles.push_back({name.text, fd});
  } else {
    ::close(std::exchange(old->fd, fd));
  }
  return {.outcome = {}, .detail = fd, .trouble = {}};
}

Answer perform(TaskContext& context, const Open& op) {
  if (!handles_are_open(context, op.path)) return refused(EBADF);
  return keep(context, op.handle, open_path(context, op.path));
}

Answer perform(TaskContext& context, const Fchdir& op) {
  const int fd = context.find(op.handle.text);
  return fd < 0 ? refused(EBADF) : answer_of(::fchdir(fd));
}

Answer perform(TaskContext& context, const Close& op) {
  const auto handle = std::ranges::find(context.handles, op.handle.text, &OpenHandle::name);
  if (handle == context.handles.end()) return refused(EBADF);
  const int fd = handle->fd;
  context.handles.erase(handle);
  return answer_of(::close(fd));
}

// --- tasks ---------------------------------------------------------------------------------------

Answer perform_spawn(TaskContext& context, int subject) {
  return broken(fork_task(context, subject, false));  // no trouble, no errno: ok
}

[[noreturn]] void perform_exit(TaskContext& context) {
  context.schedule->leave(context.number);
  sys_exit(0);
}

Answer perform(TaskContext&, const Unshare& op) {
  if (::unshare(namespace_bits(op.kinds)) != 0) return answer_of(-1);
  if (!op.kinds.has(NamespaceKind::user)) return {};
  return broken(map_ids(0, 0));
}

// Where the root mount is not locked, a namespace may be left without it, and setns would lead to
// the kernel's own rootfs, which belongs to the machine. Scenarios don't do that; should one, this
// is where it ends, before anything is done there.
bool stands_in_rootfs(const TaskContext& context) {
  struct stat root {};
  return context.rootfs && (::stat("/", &root) != 0 || root.st_dev == *context.rootfs);
}

Answer perform_setns(TaskContext& context, const Setns& op, int subject) {
  const UniqueFd task(sys_pidfd_open(context.schedule->pid(subject)));
  if (!task) return broken(trouble("pidfd_open"));
  const Answer answer = answer_of(::setns(task.get(), namespace_bits(op.kinds)));
  ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);  // entering a user namespace may clear it
  if (answer.outcome.ok() && op.kinds.has(NamespaceKind::mnt) && stands_in_rootfs(context)) {
    return broken({"setns leaves the world for rootfs", 0});
  }
  return answer;
}

Answer perform(TaskContext&, const DropCapabilities& op) {
  return refused(drop_capabilities(op.capabilities));
}

// --- the mount API by descriptors ----------------------------------------------------------------

// A bare @h is the descriptor itself; an empty path without a handle is an empty path.
bool is_bare_handle(const Path& path) { return !path.handle.empty() && path.text.empty(); }

Answer perform(TaskContext& context, const OpenTree& op) {
  if (!handles_are_open(context, op.path)) return refused(EBADF);
  unsigned flags = mount_api::open_tree_close_on_exec;
  if (op.flags.has(OpenTreeFlag::clone)) flags |= mount_api::open_tree_clone;
  if (op.flags.has(OpenTreeFlag::recursive)) flags |= mount_api::at_recursive;
  if (is_bare_handle(op.path)) flags |= mount_api::at_empty_path;
  const AtPath at = at_path(context, op.path);
  return keep(context, op.handle, UniqueFd(mount_api::open_tree(at.directory, at.text, flags)));
}

Answer perform(TaskContext& context, const MoveMount& op) {
  if (!handles_are_open(context, op.source) || !handles_are_open(context, op.target)) {
    return refused(EBADF);
  }
  unsigned flags = mount_api::move_mount_source_symlinks | mount_api::move_mount_target_symlinks;
  if (is_bare_handle(op.source)) flags |= mount_api::move_mount_source_empty_path;
  if (is_bare_handle(op.target)) flags |= mount_api::move_mount_target_empty_path;
  if (op.flags.has(MoveMountFlag::beneath)) flags |= mount_api::move_mount_beneath;
  if (op.flags.has(MoveMountFlag::set_group)) flags |= mount_api::move_mount_set_group;
  const AtPath from = at_path(context, op.source);
  const AtPath to = at_path(context, op.target);
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

Answer perform(TaskContext& context, const MountSetattr& op) {
  if (!handles_are_open(context, op.path)) return refused(EBADF);
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
  const AtPath at = at_path(context, op.path);
  return answer_of(mount_api::mount_setattr(at.directory, at.text, flags, attributes));
}

Answer perform(TaskContext& context, const Fsmount& op) {
  const char* type = op.type == FilesystemType::tmpfs ? "tmpfs" : "ramfs";
  const UniqueFd configuration(mount_api::fsopen(type, mount_api::fsopen_close_on_exec));
  if (!configuration) return answer_of(-1);
  // As with mount(2), `ro` is about the filesystem and the mount.
  if (op.flags.has(MountFlag::ro) &&
      mount_api::fsconfig(configuration.get(), mount_api::fsconfig_set_flag, "ro") != 0) {
    return answer_of(-1);
  }
  if (mount_api::fsconfig(configuration.get(), mount_api::fsconfig_create, nullptr) != 0) {
    return answer_of(-1);
  }
  const auto attributes = static_cast<unsigned>(attribute_bits(op.flags));
  return keep(context, op.handle,
              UniqueFd(mount_api::fsmount(configuration.get(), mount_api::fsmount_close_on_exec,
                                          attributes)));
}

}  // namespace

Answer perform(TaskContext& context, const Op& op, int subject) {
  return std::visit(
      Overloaded{
          [&](const Spawn&) { return perform_spawn(context, subject); },
          [&](const Exit&) -> Answer { perform_exit(context); },
          [&](const Setns& setns) { return perform_setns(context, setns, subject); },
          [&](const auto& other) { return perform(context, other); },
      },
      op);
}

}  // namespace pivotcheck::kernel
