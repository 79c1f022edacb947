// SPDX-License-Identifier: Apache-2.0
// stage.cc: what stage.h says.
#include "check/driver/shared_schedule.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include <algorithm>
#include <new>

#include "base/check.h"

namespace pivotcheck::kernel {

SharedSchedule* SharedSchedule::make(std::size_t steps) {
  // Room for every list of ordinary length, so that few executors ever need a second stage.
  constexpr std::size_t steps_at_least = 1024;
  const std::size_t capacity = std::max(steps, steps_at_least);
  const std::size_t size = sizeof(SharedSchedule) + capacity * sizeof(Result);
  void* memory =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : new (memory) SharedSchedule(capacity);
}

void SharedSchedule::unmake(SharedSchedule* schedule) {
  if (schedule != nullptr) ::munmap(schedule, sizeof(SharedSchedule) + schedule->capacity_ * sizeof(Result));
}

void SharedSchedule::open(const Script& script, int executor) {
  PIVOTCHECK_CHECK(script.order.steps.size() <= capacity_);
  tasks_ = static_cast<std::uint32_t>(script.cast.names.size());
  executor_ = executor;
  trouble_ = no_setup_error;
  step_ = 0;
  over_ = script.order.steps.empty() ? 1 : 0;
  leaving_ = -1;
  for (Slot& each : slots_) {
    each.pid = 0;
    each.outer_pid = 0;
  }
}

void SharedSchedule::enter(int number, pid_t pid, pid_t outer_pid) {
  slot(number).pid = pid;
  slot(number).outer_pid = outer_pid;
}

void SharedSchedule::finish(const Script& script, std::uint32_t index, const Answer& answer) {
  if (answer.trouble) return give_up(answer.trouble);
  const Order& order = script.order;
  results()[index] = {answer.outcome.error, answer.detail};
  const std::uint32_t next = index + 1;
  const bool as_predicted = order.predicted.empty() || order.predicted[index] == answer.outcome;
  const bool over = next == order.steps.size() || !as_predicted;
  if (over) over_ = 1;
  step_ = next;
  const int performer = script.cast.performer[index];
  const int after = over ? executor_ : script.cast.performer[next];
  if (after != performer) wake(after);
}

void SharedSchedule::leave(int number) {
  leaving_ = number;
  wake(executor_);
}

void SharedSchedule::has_left(int number) {
  slot(number).pid = 0;
  leaving_ = -1;
}

void SharedSchedule::give_up(SetupError why) {
  trouble_ = why;
  over_ = 1;
  wake(executor_);
}

Report SharedSchedule::report() const {
  Report report;
  if (trouble_) {
    report.failure = "step " + std::to_string(step_ + 1) + ": " + to_string(trouble_);
    return report;
  }
  for (std::uint32_t i = 0; i < step_; ++i) {
    report.outcomes.push_back({results()[i].error});
    report.details.push_back(results()[i].detail);
  }
  for (std::uint32_t i = 0; i < tasks_; ++i) report.pids.push_back(slots_[i].outer_pid);
  return report;
}

void SharedSchedule::wake(int number) {
  slot(number).futex.fetch_add(1);
  sys_futex_wake_all(slot(number).futex);
}

bool SharedSchedule::some_child_is_dead() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

}  // namespace pivotcheck::kernel
