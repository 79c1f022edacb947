// SPDX-License-Identifier: Apache-2.0
// mount_api.cc: the mount API by descriptors: open_tree, move_mount, mount_setattr, fsmount.
#include <utility>

#include "base/unique_fd.h"
#include "check/driver/paths.h"
#include "check/driver/perform/perform.h"
#include "syscalls/mount_api.h"
#include "syscalls/op_flags.h"

namespace pivotcheck::kernel {

StepResult perform(TaskContext& context, const OpenTree& op) {
  if (!handles_are_open(context, op.path)) return answered(EBADF);
  const AtPath at = at_path(context, op.path);
  return store_handle(context, op.handle,
                      UniqueFd(mount_api::open_tree(at.directory, at.text, flags_of(op))));
}

StepResult perform(TaskContext& context, const MoveMount& op) {
  if (!handles_are_open(context, op.source) || !handles_are_open(context, op.target)) {
    return answered(EBADF);
  }
  const AtPath from = at_path(context, op.source);
  const AtPath to = at_path(context, op.target);
  return result_of(
      mount_api::move_mount(from.directory, from.text, to.directory, to.text, flags_of(op)));
}

StepResult perform(TaskContext& context, const MountSetattr& op) {
  if (!handles_are_open(context, op.path)) return answered(EBADF);
  const AtPath at = at_path(context, op.path);
  return result_of(mount_api::mount_setattr(at.directory, at.text, flags_of(op),
                                            attributes_of(op.change)));
}

StepResult perform(TaskContext& context, const Fsmount& op) {
  UniqueFd mount(mount_api::new_mount(type_name(op.type), attribute_flags(op.flags)));
  return store_handle(context, op.handle, std::move(mount));
}

}  // namespace pivotcheck::kernel
