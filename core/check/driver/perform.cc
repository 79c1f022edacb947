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
#include "syscalls/op_flags.h"
#include "check/driver/paths.h"
#include "check/driver/fresh_world.h"

namespace pivotcheck::kernel {
namespace {

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
  return call_path(context, op.path, [&op](const char* path) {
    return ::mount("none", path, type_name(op.type), flags_of(op), nullptr);
  });
}

Answer perform(TaskContext& context, const Bind& op) {
  return call_paths(context, op.source, op.target, [&op](const char* source, const char* target) {
    return ::mount(source, target, nullptr, flags_of(op), nullptr);
  });
}

Answer perform(TaskContext& context, const Move& op) {
  return call_paths(context, op.source, op.target, [&op](const char* source, const char* target) {
    return ::mount(source, target, nullptr, flags_of(op), nullptr);
  });
}

Answer perform(TaskContext& context, const ChangePropagation& op) {
  return call_path(context, op.path, [&op](const char* path) {
    return ::mount("none", path, nullptr, flags_of(op), nullptr);
  });
}

Answer perform(TaskContext& context, const Remount& op) {
  return call_path(context, op.path, [&op](const char* path) {
    return ::mount("none", path, nullptr, flags_of(op), nullptr);
  });
}

Answer perform(TaskContext& context, const Umount& op) {
  int flags = flags_of(op);
  // A bare @h is a link in /proc on the helper's way: not following it would be about that link.
  if (is_bare_handle(op.path)) flags &= ~UMOUNT_NOFOLLOW;
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
  if (::unshare(flags_of(op)) != 0) return answer_of(-1);
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
  const Answer answer = answer_of(::setns(task.get(), flags_of(op)));
  ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);  // entering a user namespace may clear it
  if (answer.outcome.ok() && op.kinds.has(NamespaceKind::mnt) && stands_in_rootfs(context)) {
    return broken({"setns leaves the world for rootfs", 0});
  }
  return answer;
}

Answer perform(TaskContext&, const DropCapabilities& op) {
  return refused(drop_capabilities(capability_bits(op.capabilities)));
}

// --- the mount API by descriptors ----------------------------------------------------------------

Answer perform(TaskContext& context, const OpenTree& op) {
  if (!handles_are_open(context, op.path)) return refused(EBADF);
  const AtPath at = at_path(context, op.path);
  return keep(context, op.handle, UniqueFd(mount_api::open_tree(at.directory, at.text, flags_of(op))));
}

Answer perform(TaskContext& context, const MoveMount& op) {
  if (!handles_are_open(context, op.source) || !handles_are_open(context, op.target)) {
    return refused(EBADF);
  }
  const AtPath from = at_path(context, op.source);
  const AtPath to = at_path(context, op.target);
  return answer_of(
      mount_api::move_mount(from.directory, from.text, to.directory, to.text, flags_of(op)));
}

Answer perform(TaskContext& context, const MountSetattr& op) {
  if (!handles_are_open(context, op.path)) return refused(EBADF);
  const AtPath at = at_path(context, op.path);
  return answer_of(mount_api::mount_setattr(at.directory, at.text, flags_of(op),
                                            attributes_of(op.change)));
}

Answer perform(TaskContext& context, const Fsmount& op) {
  return keep(context, op.handle,
              UniqueFd(mount_api::new_mount(type_name(op.type), attribute_flags(op.flags))));
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
