// SPDX-License-Identifier: Apache-2.0
// perform.cc: to the function of an operation.
#include "check/driver/perform/perform.h"

#include <type_traits>

namespace pivotcheck::kernel {

StepResult perform(TaskContext& context, const ProgramStep& step) {
  return std::visit(
      [&]<class Operation>(const Operation& op) {
        if constexpr (std::is_same_v<Operation, Spawn> || std::is_same_v<Operation, Setns>) {
          return perform(context, op, step.subject);
        } else {
          return perform(context, op);
        }
      },
      step.op);
}

}  // namespace pivotcheck::kernel
