// SPDX-License-Identifier: Apache-2.0
// perform.h: every operation as system calls, one function for each, in the files and in the order
// of op/op.h. model/apply/ has the same files with what the operations should do; a reader compares
// two files by eye.
//
// An operation is the call of its name and nothing else: the only check of ours before it is that
// every handle in it is open (EBADF otherwise). What its paths become is in paths.h.
#pragma once

#include "base/unique_fd.h"
#include "check/driver/task_context.h"
#include "scenario/program.h"

namespace pivotcheck::kernel {

StepResult perform(TaskContext& context, const ProgramStep& step);

StepResult perform(TaskContext& context, const Mkdir& op);
StepResult perform(TaskContext& context, const Rmdir& op);
StepResult perform(TaskContext& context, const Touch& op);
StepResult perform(TaskContext& context, const Unlink& op);
StepResult perform(TaskContext& context, const Rename& op);
StepResult perform(TaskContext& context, const Symlink& op);
StepResult perform(TaskContext& context, const Chmod& op);

StepResult perform(TaskContext& context, const Mount& op);
StepResult perform(TaskContext& context, const Bind& op);
StepResult perform(TaskContext& context, const Move& op);
StepResult perform(TaskContext& context, const ChangePropagation& op);
StepResult perform(TaskContext& context, const Remount& op);
StepResult perform(TaskContext& context, const Umount& op);

StepResult perform(TaskContext& context, const PivotRoot& op);
StepResult perform(TaskContext& context, const Chroot& op);
StepResult perform(TaskContext& context, const Chdir& op);

StepResult perform(TaskContext& context, const Open& op);
StepResult perform(TaskContext& context, const Fchdir& op);
StepResult perform(TaskContext& context, const Close& op);

// `subject`: the task that is made or entered.
StepResult perform(TaskContext& context, const Spawn& op, int subject);
[[noreturn]] StepResult perform(TaskContext& context, const Exit& op);
StepResult perform(TaskContext& context, const Unshare& op);
StepResult perform(TaskContext& context, const Setns& op, int subject);
StepResult perform(TaskContext& context, const DropCapabilities& op);

StepResult perform(TaskContext& context, const OpenTree& op);
StepResult perform(TaskContext& context, const MoveMount& op);
StepResult perform(TaskContext& context, const MountSetattr& op);
StepResult perform(TaskContext& context, const Fsmount& op);

// The descriptor becomes the task's handle in that slot; the one that was there is closed last. An
// empty one is a refusal, errno says which.
StepResult store_handle(TaskContext& context, const HandleName& handle, UniqueFd opened);

}  // namespace pivotcheck::kernel
