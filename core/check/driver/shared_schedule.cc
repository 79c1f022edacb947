// SPDX-License-Identifier: Apache-2.0
// shared_schedule.cc: turns, and what came of each step.
#include "check/driver/shared_schedule.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include <algorithm>
#include <new>

#include "base/check.h"

namespace pivotcheck::kernel {

TaskPlan plan_tasks(std::span<const ProgramStep> steps) {
  TaskPlan plan{.first_is_forked = false, .own_memory = {false}};
  std::vector<int> makers{0};
  for (const ProgramStep& step : steps) {
    switch (effect_of(step.op)) {
      case Effect::makes_task:
        makers.push_back(step.task);
        plan.own_memory.push_back(false);
        break;
      case Effect::makes_user_namespace:
        plan.own_memory[static_cast<std::size_t>(step.task)] = true;
        [[fallthrough]];
      case Effect::ends_task:
      case Effect::changes_credentials:  // there is no way back
        if (step.task == 0) plan.first_is_forked = true;
        break;
      case Effect::none:
      case Effect::opens_handle:
      case Effect::closes_handle: break;
    }
  }
  for (std::size_t i = 1; i < makers.size(); ++i) {  // a maker has a lower number
    if (plan.own_memory[static_cast<std::size_t>(makers[i])]) plan.own_memory[i] = true;
  }
  return plan;
}

SharedSchedule* SharedSchedule::make(std::size_t steps) {
  // Room for every list of ordinary length, so that few executors ever need a larger one.
  constexpr std::size_t steps_at_least = 1024;
  const std::size_t capacity = std::max(steps, steps_at_least);
  const std::size_t size = sizeof(SharedSchedule) + capacity * sizeof(Result);
  void* memory =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : new (memory) SharedSchedule(capacity);
}

void SharedSchedule::unmake(SharedSchedule* schedule) {
  if (schedule == nullptr) return;
  ::munmap(schedule, sizeof(SharedSchedule) + schedule->capacity_ * sizeof(Result));
}

void SharedSchedule::open(const Batch& batch, int executor) {
  PIVOTCHECK_CHECK(batch.request.steps.size() <= capacity_);
  tasks_ = static_cast<std::uint32_t>(batch.plan.own_memory.size());
  reported_ = 0;
  executor_ = executor;
  broken_ = no_setup_error;
  step_ = 0;
  over_after_ = batch.request.steps.empty() ? 0 : no_step;
  pause_before_ = batch.request.pauses && !is_over() ? 0 : no_step;
  leaving_ = -1;
  allocation_failed_ = false;
  for (TaskEntry& each : entries_) {
    each.pid = 0;
    each.outer_pid = 0;
  }
}

void SharedSchedule::finish(const Batch& batch, std::uint32_t index, const StepResult& result) {
  if (result.broken) return give_up(result.broken);
  const Request& request = batch.request;
  results()[index] = {result.outcome.error, result.descriptor};
  const std::uint32_t next = index + 1;
  const bool as_predicted =
      request.predicted.empty() || request.predicted[index] == result.outcome;
  const bool over = next == request.steps.size() || !as_predicted;
  // Before step_: it is nobody's turn yet.
  if (over) over_after_ = next;
  if (request.pauses && !over) pause_before_ = next;
  step_ = next;
  const int performer = request.steps[index].task;
  const int after = over || request.pauses ? executor_ : request.steps[next].task;
  if (after != performer) wake(after);
}

void SharedSchedule::resume(const Batch& batch) {
  pause_before_ = no_step;
  const int next = batch.request.steps[step_].task;
  if (next != executor_) wake(next);
}

Expected<Progress> SharedSchedule::progress() {
  if (broken_) return fail("step " + std::to_string(step_ + 1) + ": " + to_string(broken_));
  Progress progress;
  progress.paused = is_paused() && !is_over();
  progress.allocation_failed = allocation_failed_;
  for (; reported_ < step_; ++reported_) {
    progress.outcomes.push_back({results()[reported_].error});
    progress.descriptors.push_back(results()[reported_].descriptor);
  }
  for (std::uint32_t i = 0; i < tasks_; ++i) progress.pids.push_back(entries_[i].outer_pid);
  return progress;
}

bool SharedSchedule::some_child_is_dead() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

}  // namespace pivotcheck::kernel
