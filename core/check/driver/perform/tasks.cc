// SPDX-License-Identifier: Apache-2.0
// tasks.cc: spawn, exit, unshare, setns, dropcap.
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/unique_fd.h"
#include "check/driver/fresh_world.h"
#include "check/driver/paths.h"
#include "check/driver/perform/perform.h"
#include "syscalls/capabilities.h"
#include "syscalls/op_flags.h"
#include "syscalls/syscalls.h"

namespace pivotcheck::kernel {

StepResult perform(TaskContext& context, const Spawn&, int subject) {
  return broken(fork_task(context, subject, false));
}

StepResult perform(TaskContext& context, const Exit&) {
  context.schedule->leave(context.number);
  sys_exit(0);
}

StepResult perform(TaskContext&, const Unshare& op) {
  if (::unshare(flags_of(op)) != 0) return result_of(-1);
  if (!op.kinds.has(NamespaceKind::user)) return {};
  return broken(map_ids(0, 0));
}

namespace {

// Where the root mount is not locked, a namespace may be left without it, and setns would lead to
// the kernel's own rootfs, which belongs to the machine. Scenarios don't do that; should one, this
// is where it ends, before anything is done there.
bool stands_in_rootfs(const TaskContext& context) {
  struct stat root {};
  return context.rootfs && (::stat("/", &root) != 0 || root.st_dev == *context.rootfs);
}

}  // namespace

StepResult perform(TaskContext& context, const Setns& op, int subject) {
  const UniqueFd task(sys_pidfd_open(context.schedule->pid(subject)));
  if (!task) return broken(setup_error("pidfd_open"));
  const StepResult result = result_of(::setns(task.get(), flags_of(op)));
  ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);  // entering a user namespace may clear it
  if (result.outcome.ok() && op.kinds.has(NamespaceKind::mnt) && stands_in_rootfs(context)) {
    return broken({"setns leaves the world for rootfs", 0});
  }
  return result;
}

StepResult perform(TaskContext&, const DropCapabilities& op) {
  return answered(drop_capabilities(capability_bits(op.capabilities)));
}

}  // namespace pivotcheck::kernel
