// SPDX-License-Identifier: Apache-2.0
// kernel_driver.h: performs scenarios on the running kernel; only this and the library
// (core/switch) change anything. A KernelDriver owns one persistent executor process, in which (and
// in children of which) every operation of a scenario is performed, each scenario in a fresh world:
// a mount namespace of its own whose only visible mount is an empty tmpfs. The process that owns
// the KernelDriver never enters a world.
//
//     owner (fuzzer, test, command)        executor, pid 1 of its own PID namespace
//       KernelDriver::start(privilege) -->   [user namespace,] mount namespace, template world
//       perform(program, predicted)    -->   setns(template), unshare(mnt), clean; is task A,
//                                            forks B, C...; they take turns on shared memory
//                                      <--   one outcome per step performed; all tasks stand still
//       observe/ reads /proc/PID of the tasks (LiveTask), from outside
//       perform(...) again             -->   the tasks end, the namespaces go, and so on
//
// When the owner ends, for whatever reason, the executor is killed (PDEATHSIG); it is the init of
// its PID namespace, so every task is killed with it, and namespaces and mounts go with them.
// Nothing has a name in any filesystem of the machine.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/failure.h"
#include "base/live_task.h"
#include "check/driver/failing_allocation.h"
#include "op/outcome.h"
#include "op/privilege.h"
#include "scenario/program.h"

namespace pivotcheck {

// What the executor did with a program.
struct ExecutionResult {
  std::vector<Outcome> outcomes;  // of the steps performed, in order; shorter than the list when it
                                  // stopped at the first step whose outcome was not as predicted
  std::vector<LiveTask> tasks;    // those alive at the end, in the order of their making. They
                                  // stand still until the next call on this KernelDriver
  bool allocation_failed = false;  // the FailingAllocation was met
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
  // the executor stops after the first step whose outcome is another, so that nothing is done in a
  // world that is not as it was thought to be. Failure::Kind::deadline when `limit` passes, broke
  // when the executor died; it has been ended and reaped then, and a later call starts a new one by
  // itself.
  //
  // With pauses: while all tasks stand still, before the first step and after each but the last,
  // `at_pause` is called with what was done so far. It ends the run by returning false. `limit` is
  // for each step then.
  using AtPause = std::function<bool(const ExecutionResult& so_far)>;
  Expected<ExecutionResult> perform(const Program& program, std::span<const Outcome> predicted,
                                    std::chrono::milliseconds limit, const AtPause& at_pause = {},
                                    FailingAllocation failing = {});

 private:
  struct Impl;
  explicit KernelDriver(Privilege privilege);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pivotcheck
