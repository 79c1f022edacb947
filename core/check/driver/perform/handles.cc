// SPDX-License-Identifier: Apache-2.0
// handles.cc: open, fchdir, close.
#include <unistd.h>

#include "base/unique_fd.h"
#include "check/driver/paths.h"
#include "check/driver/perform/perform.h"

namespace pivotcheck::kernel {

StepResult store_handle(TaskContext& context, const HandleName& handle, UniqueFd opened) {
  if (!opened) return result_of(-1);
  const int descriptor = opened.release();
  const UniqueFd replaced(context.find(handle.slot));
  context.set(handle.slot, descriptor);
  return {.outcome = {}, .descriptor = descriptor, .broken = {}};
}

StepResult perform(TaskContext& context, const Open& op) {
  if (!handles_are_open(context, op.path)) return answered(EBADF);
  return store_handle(context, op.handle, open_path(context, op.path));
}

StepResult perform(TaskContext& context, const Fchdir& op) {
  const int descriptor = context.find(op.handle.slot);
  return descriptor < 0 ? answered(EBADF) : result_of(::fchdir(descriptor));
}

StepResult perform(TaskContext& context, const Close& op) {
  const int descriptor = context.find(op.handle.slot);
  if (descriptor < 0) return answered(EBADF);
  context.set(op.handle.slot, -1);
  return result_of(::close(descriptor));
}

}  // namespace pivotcheck::kernel
