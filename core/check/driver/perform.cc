// SPDX-License-Identifier: Apache-2.0
// perform.cc: every operation as system calls, one function for each, or for those that are alike,
// in the order of op/op.h. The files of model/apply/ have what the operations should do, under the
// same headings; a reader compares the two by eye.
//
// An operation is the call of its name and nothing else: the only check of ours before it is that
// every handle its paths start at is open (EBADF otherwise). What its paths become is in paths.h.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <type_traits>
#include <utility>

#include "base/unique_fd.h"
#include "check/driver/fresh_world.h"
#include "check/driver/paths.h"
#include "check/driver/task_context.h"
#include "syscalls/capabilities.h"
#include "syscalls/mount_api.h"
#include "syscalls/op_flags.h"
#include "syscalls/syscalls.h"

namespace pivotcheck::kernel {
namespace {

// --- names ---------------------------------------------------------------------------------------

StepResult perform(TaskContext& context, const Mkdir& op) {
  const AtPath at = at_path(context, op.path);
  return result_of(::mkdirat(at.directory, at.text, 0755));
}

StepResult perform(TaskContext& context, const Rmdir& op) {
  const AtPath at = at_path(context, op.path);
  return result_of(::unlinkat(at.directory, at.text, AT_REMOVEDIR));
}

StepResult perform(TaskContext& context, const Touch& op) {
  const AtPath at = at_path(context, op.path);
  const UniqueFd file(
      ::openat(at.directory, at.text, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
  return result_of(file.get());
}

StepResult perform(TaskContext& context, const Unlink& op) {
  const AtPath at = at_path(context, op.path);
  return result_of(::unlinkat(at.directory, at.text, 0));
}

StepResult perform(TaskContext& context, const Rename& op) {
  const AtPath from = at_path(context, op.from);
  const AtPath to = at_path(context, op.to);
  return result_of(::renameat(from.directory, from.text, to.directory, to.text));
}

StepResult perform(TaskContext& context, const Symlink& op) {
  const AtPath at = at_path(context, op.path);
  return result_of(::symlinkat(op.target.text.c_str(), at.directory, at.text));
}

StepResult perform(TaskContext& context, const Chmod& op) {
  const auto call = [&op](const char* path) { return ::chmod(path, op.mode.bits); };
  return call_paths(context, call, op.path);
}

// --- mounts --------------------------------------------------------------------------------------

StepResult perform(TaskContext& context, const Mount& op) {
  const auto call = [&op](const char* path) {
    return ::mount("none", path, type_name(op.type), flags_of(op), nullptr);
  };
  return call_paths(context, call, op.path);
}

StepResult perform(TaskContext& context, const OneOf<Bind, Move> auto& op) {
  const auto call = [&op](const char* source, const char* target) {
    return ::mount(source, target, nullptr, flags_of(op), nullptr);
  };
  return call_paths(context, call, op.source, op.target);
}

StepResult perform(TaskContext& context, const OneOf<ChangePropagation, Remount> auto& op) {
  const auto call = [&op](const char* path) {
    return ::mount("none", path, nullptr, flags_of(op), nullptr);
  };
  return call_paths(context, call, op.path);
}

StepResult perform(TaskContext& context, const Umount& op) {
  int flags = flags_of(op);
  // A bare @h is a link in /proc on the helper's way: not following it would be about that link.
  if (is_bare_handle(op.path)) flags &= ~UMOUNT_NOFOLLOW;
  const auto call = [flags](const char* path) { return ::umount2(path, flags); };
  return call_paths(context, call, op.path);
}

// --- roots ---------------------------------------------------------------------------------------

StepResult perform(TaskContext& context, const PivotRoot& op) {
  return call_paths(context, sys_pivot_root, op.new_root, op.put_old);
}

// Back to a directory in which the task was. If its mode denies that by now, to a task that gave up
// CAP_DAC_OVERRIDE, the mode changes for that moment: the task owns every file of its world.
SetupError go_back_to(const UniqueFd& directory) {
  if (::fchdir(directory.get()) == 0) return no_setup_error;
  struct stat status {};
  const std::string path = "fd/" + std::to_string(directory.get());
  const UniqueFd proc(open_proc_directory());
  if (::fstat(directory.get(), &status) != 0 ||
      ::fchmodat(proc.get(), path.c_str(), 0700, 0) != 0) {
    return setup_error("chmod of the current directory, to return to it after chroot @handle");
  }
  const bool back = ::fchdir(directory.get()) == 0;
  const bool restored = ::fchmodat(proc.get(), path.c_str(), status.st_mode & 07777U, 0) == 0;
  return back && restored ? no_setup_error : setup_error("returning to the current directory");
}

// chroot takes no descriptor, and no helper can call it in the task's stead: it is about the root
// of its caller. So the task goes there and returns. The errors come in chroot's own order: lookup,
// then ENOTDIR and EACCES from fchdir, then what chroot(".") says.
StepResult perform(TaskContext& context, const Chroot& op) {
  if (op.path.handle.empty()) return result_of(::chroot(op.path.text.c_str()));
  const UniqueFd target = open_path(context, op.path);
  if (!target) return result_of(-1);
  // By the link in /proc: looking "." up would ask for the permission to search it.
  const UniqueFd before(::openat(reserved_fds::proc, "self/cwd", O_PATH | O_CLOEXEC));
  if (!before) return broken(setup_error("opening /proc/self/cwd"));
  if (::fchdir(target.get()) != 0) return result_of(-1);
  const StepResult result = result_of(::chroot("."));
  const SetupError not_back = go_back_to(before);
  return not_back ? broken(not_back) : result;
}

StepResult perform(TaskContext& context, const Chdir& op) {
  if (op.path.handle.empty()) return result_of(::chdir(op.path.text.c_str()));
  if (op.path.text.empty()) return result_of(::fchdir(context.find(op.path.slot)));
  const UniqueFd target = open_path(context, op.path);
  return result_of(target ? ::fchdir(target.get()) : -1);
}

// --- handles -------------------------------------------------------------------------------------

// The descriptor becomes the task's handle in that slot; the one that was there is closed last. An
// empty one is a refusal, errno says which.
StepResult store_handle(TaskContext& context, const HandleName& handle, UniqueFd opened) {
  if (!opened) return result_of(-1);
  const int descriptor = opened.release();
  const UniqueFd replaced(context.find(handle.slot));
  context.set(handle.slot, descriptor);
  return {.outcome = {}, .descriptor = descriptor, .broken = {}};
}

StepResult perform(TaskContext& context, const Open& op) {
  return store_handle(context, op.handle, open_path(context, op.path));
}

// Of a handle that is not open the descriptor is -1: EBADF.
StepResult perform(TaskContext& context, const Fchdir& op) {
  return result_of(::fchdir(context.find(op.handle.slot)));
}

StepResult perform(TaskContext& context, const Close& op) {
  const int descriptor = context.find(op.handle.slot);
  context.set(op.handle.slot, -1);
  return result_of(::close(descriptor));
}

// --- tasks ---------------------------------------------------------------------------------------

// `subject`: the task that is made or entered.
StepResult perform(TaskContext& context, const Spawn&, int subject) {
  return broken(fork_task(context, subject, false));
}

StepResult perform(TaskContext& context, const Exit&) {
  context.schedule->leave(context.number);
  sys_exit(0);
}

StepResult perform(TaskContext& context, const Unshare& op) {
  if (::unshare(flags_of(op)) != 0) return result_of(-1);
  if (!op.kinds.has(NamespaceKind::user)) return {};
  // What follows is no part of the call: nothing fails in it.
  if (const SetupError refused = end_failing(context)) return broken(refused);
  context.is_in_user_ns_of_world = true;
  return broken(map_ids(0, 0));
}

// Where the root mount is not locked, a namespace may be left without it, and setns would lead to
// the kernel's own rootfs, which belongs to the machine. Scenarios don't do that; should one, this
// is where it ends, before anything is done there.
bool stands_in_rootfs(const TaskContext& context) {
  struct stat root {};
  return context.rootfs && (::stat("/", &root) != 0 || root.st_dev == *context.rootfs);
}

StepResult perform(TaskContext& context, const Setns& op, int subject) {
  const UniqueFd task(sys_pidfd_open(context.schedule->pid(subject)));
  // The descriptor is a part of the step, as far as failing goes.
  if (!task) return context.fail_nth >= 0 ? result_of(-1) : broken(setup_error("pidfd_open"));
  const StepResult result = result_of(::setns(task.get(), flags_of(op)));
  if (const SetupError refused = end_failing(context)) return broken(refused);
  if (result.outcome.ok() && op.kinds.has(NamespaceKind::user)) {
    context.is_in_user_ns_of_world = true;
  }
  ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);  // entering a user namespace may clear it
  if (result.outcome.ok() && op.kinds.has(NamespaceKind::mnt) && stands_in_rootfs(context)) {
    return broken({"setns leaves the world for rootfs", 0});
  }
  return result;
}

StepResult perform(TaskContext&, const DropCapabilities& op) {
  return answered(drop_capabilities(capability_bits(op.capabilities)));
}

// 0, so that nothing depends on when the kernel has forgotten a namespace that ended. Scenarios limit
// nothing in the user namespace in which their world began, which is the executor's or the machine's;
// should one, because a step before it went otherwise than predicted, this is where it ends.
StepResult perform(TaskContext& context, const Limit& op) {
  if (!context.is_in_user_ns_of_world) {
    return broken({"limit in a user namespace that the world did not make", 0});
  }
  for (const auto& [kind, file] : {std::pair{NamespaceKind::mnt, "sys/user/max_mnt_namespaces"},
                                   std::pair{NamespaceKind::user, "sys/user/max_user_namespaces"}}) {
    if (!op.kinds.has(kind)) continue;
    const UniqueFd opened(::openat(reserved_fds::proc, file, O_WRONLY | O_CLOEXEC));
    if (!opened) return broken(setup_error("opening a limit in /proc/sys/user"));
    if (::write(opened.get(), "0", 1) != 1) return broken(setup_error("writing /proc/sys/user"));
  }
  return {};
}

// --- the mount API by descriptors ----------------------------------------------------------------

StepResult perform(TaskContext& context, const OpenTree& op) {
  const AtPath at = at_path(context, op.path);
  UniqueFd tree(mount_api::open_tree(at.directory, at.text, flags_of(op)));
  return store_handle(context, op.handle, std::move(tree));
}

StepResult perform(TaskContext& context, const MoveMount& op) {
  const AtPath from = at_path(context, op.source);
  const AtPath to = at_path(context, op.target);
  return result_of(
      mount_api::move_mount(from.directory, from.text, to.directory, to.text, flags_of(op)));
}

StepResult perform(TaskContext& context, const MountSetattr& op) {
  const AtPath at = at_path(context, op.path);
  return result_of(
      mount_api::mount_setattr(at.directory, at.text, flags_of(op), attributes_of(op.change)));
}

StepResult perform(TaskContext& context, const Fsmount& op) {
  UniqueFd mount(mount_api::new_mount(type_name(op.type), attribute_flags(op.flags)));
  return store_handle(context, op.handle, std::move(mount));
}

}  // namespace

StepResult perform(TaskContext& context, const ProgramStep& step) {
  bool all_open = true;
  const auto look = [&]<class Field>(const Field& field) {
    if constexpr (std::is_same_v<Field, Path>) {
      all_open = all_open && (field.handle.empty() || context.find(field.slot) >= 0);
    }
  };
  return std::visit(
      [&]<class Operation>(const Operation& op) {
        op.fields(op, look);
        if (!all_open) return answered(EBADF);
        if constexpr (OneOf<Operation, Spawn, Setns>) {
          return perform(context, op, step.subject);
        } else {
          return perform(context, op);
        }
      },
      step.op);
}

}  // namespace pivotcheck::kernel
