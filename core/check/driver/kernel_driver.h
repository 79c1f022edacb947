// SPDX-License-Identifier: Apache-2.0
// kernel_driver.h: the only code of pivotcheck that changes anything. A KernelDriver owns one persistent
// executor process, in which (and in children of which) every operation of a scenario is performed,
// each scenario in a fresh world: a mount namespace of its own whose only visible mount is an empty
// tmpfs. The process that owns the KernelDriver never enters a world.
//
//     owner (fuzzer, test, command)        executor, pid 1 of its own PID namespace
//       KernelDriver::start(privilege)  -->    [user namespace,] mount namespace, template world
//       perform(steps, predicted)     -->    setns(template), unshare(mnt), clean; plays task A,
//                                            forks B, C...; they take turns on shared memory
//                                     <--    one outcome per step performed; all tasks stand still
//       observe/ reads /proc/PID of the tasks (LiveTask), from outside
//       perform(...) again            -->    the tasks end, the namespaces go, and so on
//
// When the owner dies, however it dies, the executor dies (PDEATHSIG), and with it, as the init of
// its PID namespace, every task, and with them every namespace and mount. Nothing has a name in any
// filesystem of the machine.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <vector>

#include "base/failure.h"
#include "base/live_task.h"
#include "op/op.h"
#include "op/privilege.h"

namespace pivotcheck {

// What the executor did with a list of steps.
struct ExecutionResult {
  std::vector<Outcome> outcomes;  // of the steps performed, in order; shorter than the list when it
                                  // stopped at the first step that did not answer as predicted
  std::vector<LiveTask> tasks;    // those alive at the end, in the order of their making. They
                                  // stand still until the next call on this KernelDriver
};

class KernelDriver {
 public:
  // Starts the executor. Failure::Kind::cannot_run with the call, the errno and what to change when
  // this machine can't do it (user namespaces forbidden, not root for Privilege::root, ...). The
  // thread that starts it, here or again in perform(), must outlive it: the kernel sends PDEATHSIG
  // when that thread ends. A fork of the owner has no say: perform() fails there.
  static Expected<KernelDriver> start(Privilege privilege);

  KernelDriver(KernelDriver&&) noexcept;
  KernelDriver& operator=(KernelDriver&&) noexcept;
  ~KernelDriver();  // ends the executor and everything in it, and reaps it

  // Performs the steps in a fresh world. `predicted`, where not empty, holds an outcome per step:
  // the executor stops behind the first step whose answer is another, so that nothing is done in a
  // world that is not as it was thought to be. Failure::Kind::deadline when `limit` passes, broke
  // when the executor died; it has been ended and reaped then, and a later call starts a new one by
  // itself.
  Expected<ExecutionResult> perform(std::span<const Step> steps, std::span<const Outcome> predicted,
                                std::chrono::milliseconds limit);

 private:
  struct Impl;
  explicit KernelDriver(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pivotcheck
