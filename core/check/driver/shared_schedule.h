// SPDX-License-Identifier: Apache-2.0
// shared_schedule.h: the memory that the tasks of a world share, and the turns they take on it. All
// of them hold the same list of steps; only what happens is here.
//
//     step          0         1             2             3             4 exit
//     A             performs  performs      .             performs      .
//     B             .         .             performs      .             says it leaves, ends
//     executor      .         .             .             .             reaps B; the end
//     wakes                   A wakes B     B wakes A     A wakes B     B wakes the executor
//
// Each task has a futex, on which it sleeps until something has changed that it waits for. Steps
// of one task that follow each other need no waking, so most scenarios need none at all.
//
// Where a request wants pauses, the turn goes to the executor before the first step and after each,
// while all tasks wait; resume() hands it on.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "syscalls/syscalls.h"
#include "syscalls/setup_error.h"
#include "check/driver/wire.h"

namespace pivotcheck::kernel {

// What came of one step.
struct StepResult {
  Outcome outcome;
  int descriptor = 0;   // of a step that opens a handle
  SetupError broken{};  // if set, there is no outcome: the harness could not do its work
};

struct TaskPlan {
  // The executor can't be A itself: A ends, or takes credentials on that the executor could not
  // put off again.
  bool first_is_forked = false;
  // By task: it, or a task from which it was forked, makes a user namespace. The kernel refuses
  // that to a task that shares its memory with others.
  std::vector<bool> own_memory;
};

TaskPlan plan_tasks(std::span<const ProgramStep> steps);

// What is known before the first step is performed.
struct Batch {
  Request request;
  TaskPlan plan;
};

class SharedSchedule {
 public:
  // The number of the executor while it is no task of the scenario.
  static constexpr int no_task = static_cast<int>(tasks_max);

  // In shared memory, for at least `steps`; nullptr (and errno) if there is no memory.
  static SharedSchedule* make(std::size_t steps);
  static void unmake(SharedSchedule* schedule);
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

  // Before the first step. `executor` is the executor's number: 0 if it is A, or no_task.
  void open(const Batch& batch, int executor);
  // A task is there: its pid in the executor's PID namespace, and as the machine's /proc has it.
  void enter(int number, pid_t pid, pid_t outer_pid) {
    entry(number).pid = pid;
    entry(number).outer_pid = outer_pid;
  }
  // Writes down what came of step `index` and passes the turn on.
  void finish(const Batch& batch, std::uint32_t index, const StepResult& result);
  // After a pause, for the executor: the turn goes to the next step's task, or all is over.
  void resume(const Batch& batch);
  void end() { over_after_ = 0; }
  void note_failed_allocation() { allocation_failed_ = true; }
  // The task says that it ends; the executor reaps it and finishes the step for it.
  void leave(int number) {
    leaving_ = number;
    wake(executor_);
  }
  void has_left(int number) {
    entry(number).pid = 0;
    leaving_ = -1;
  }
  // The harness can't go on; nothing more is performed.
  void give_up(SetupError why) {
    broken_ = why;
    end();
    wake(executor_);
  }

  // Neither before the last step is counted: the executor may look at any time.
  [[nodiscard]] bool is_over() const { return over_after_ <= step_; }
  [[nodiscard]] bool is_paused() const { return pause_before_ == step_; }
  [[nodiscard]] std::uint32_t step() const { return step_; }
  [[nodiscard]] int leaving() const { return leaving_; }
  [[nodiscard]] pid_t pid(int number) const { return entry(number).pid; }
  [[nodiscard]] pid_t outer_pid(int number) const { return entry(number).outer_pid; }
  [[nodiscard]] bool has_entered(int number) const { return entry(number).outer_pid != 0; }
  // What was performed since the last call; a Failure once the harness could not go on.
  Expected<Progress> progress();

  // For the executor: a task has ended, and its status was not taken yet.
  static bool some_child_is_dead();

  void wake(int number) {
    entry(number).futex.fetch_add(1);
    sys_futex_wake_all(entry(number).futex);
  }
  // Sleeps on the futex of `number` until `ready()`. With `watch`, which only the executor can do:
  // false if a task has died meanwhile that had not said it would end.
  template <class Ready>
  bool await(int number, bool watch, Ready ready) {
    for (;;) {
      const std::uint32_t seen = entry(number).futex;
      if (ready()) return true;
      sys_futex_wait(entry(number).futex, seen, watch ? &watch_interval : nullptr);
      // A task that leaves says so before it ends: so ask again before it counts as dead.
      if (watch && !ready() && some_child_is_dead() && !ready()) return false;
    }
  }

 private:
  static constexpr std::uint32_t no_step = UINT32_MAX;
  static constexpr timespec watch_interval{.tv_sec = 0, .tv_nsec = 50'000'000};

  struct TaskEntry {
    std::atomic<std::uint32_t> futex;
    std::atomic<pid_t> pid;
    std::atomic<pid_t> outer_pid;
  };
  struct Result {
    int error;
    int descriptor;
  };

  explicit SharedSchedule(std::size_t capacity) : capacity_(capacity) {}
  [[nodiscard]] TaskEntry& entry(int number) { return entries_[static_cast<std::size_t>(number)]; }
  [[nodiscard]] const TaskEntry& entry(int number) const {
    return entries_[static_cast<std::size_t>(number)];
  }
  [[nodiscard]] Result* results() { return reinterpret_cast<Result*>(this + 1); }
  [[nodiscard]] const Result* results() const {
    return reinterpret_cast<const Result*>(this + 1);
  }

  std::size_t capacity_;
  std::uint32_t tasks_ = 0;
  std::uint32_t reported_ = 0;  // steps of which progress() has told
  int executor_ = no_task;
  SetupError broken_;           // its text is a literal: at one address in every fork
  std::atomic<std::uint32_t> step_ = 0;  // whose turn it is; at the end, how many were performed
  std::atomic<std::uint32_t> over_after_ = 0;  // so many steps
  std::atomic<std::uint32_t> pause_before_ = no_step;
  std::atomic<int> leaving_ = -1;
  std::atomic<bool> allocation_failed_ = false;
  std::array<TaskEntry, tasks_max + 1> entries_{};
};

}  // namespace pivotcheck::kernel
