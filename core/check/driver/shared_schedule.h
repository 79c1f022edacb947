// SPDX-License-Identifier: Apache-2.0
// stage.h: the memory that the tasks of a world share, and the turns they take on it. All of them
// hold the same list of steps; only what happens is here.
//
//     step          0     1     2            3            4 exit
//     A             does  does  .            does         .
//     B             .     .     does         .            "I am leaving", ends
//     executor      .     .     .            .            reaps B, the list is over
//     rings                  A rings B  B rings A   A rings B  B rings the executor
//
// Each task has a bell, a futex: it sleeps there until somebody changed something that it waits
// for. Steps of one task that follow each other need no ringing, so most scenarios need none at
// all.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

#include "check/driver/cast.h"
#include "syscalls/syscalls.h"
#include "syscalls/setup_error.h"
#include "check/driver/wire.h"

namespace pivotcheck::kernel {

// What a task has to say of a step.
struct Answer {
  Outcome outcome;
  int detail = 0;     // of an `open`: the descriptor
  SetupError trouble{};  // if set, there is no outcome: the harness could not do its work
};

// Everything that is known before the first step is performed.
struct Script {
  Order order;
  Cast cast;
};

class SharedSchedule {
 public:
  // The number of the executor while it plays no task.
  static constexpr int no_part = static_cast<int>(tasks_max);

  // A stage in shared memory for at least `steps`; nullptr (and errno) if there is no memory.
  static SharedSchedule* make(std::size_t steps);
  static void unmake(SharedSchedule* schedule);
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

  // Before the first step. `executor` is the executor's number: 0 if it plays A, or no_part.
  void open(const Script& script, int executor);
  // A task is there: its pid in the executor's PID namespace, and as the machine's /proc has it.
  void enter(int number, pid_t pid, pid_t outer_pid);
  // Writes down the answer to step `index` and passes the turn on.
  void finish(const Script& script, std::uint32_t index, const Answer& answer);
  // The task says it ends; the executor reaps it and finishes the step in its stead.
  void leave(int number);
  void has_left(int number);
  // The harness can't go on; nothing more is performed.
  void give_up(SetupError why);

  [[nodiscard]] bool is_over() const { return over_ != 0; }
  [[nodiscard]] std::uint32_t step() const { return step_; }
  [[nodiscard]] int leaving() const { return leaving_; }
  [[nodiscard]] pid_t pid(int number) const { return slot(number).pid; }
  [[nodiscard]] pid_t outer_pid(int number) const { return slot(number).outer_pid; }
  [[nodiscard]] bool has_entered(int number) const { return slot(number).outer_pid != 0; }
  [[nodiscard]] Report report() const;

  // For the executor: a task has ended, and nobody has taken its status yet.
  static bool some_child_is_dead();

  void wake(int number);
  // Sleeps at the bell of `number` until `ready()`. With `watch`, what only the executor can do:
  // false if a task has died meanwhile though nobody asked it to.
  template <class Ready>
  bool await(int number, bool watch, Ready ready) {
    for (;;) {
      const std::uint32_t seen = slot(number).futex;
      if (ready()) return true;
      sys_futex_wait(slot(number).futex, seen, watch ? &watch_interval : nullptr);
      // A task that leaves says so before it ends: so ask again before it counts as dead.
      if (watch && !ready() && some_child_is_dead() && !ready()) return false;
    }
  }

 private:
  static constexpr timespec watch_interval{.tv_sec = 0, .tv_nsec = 50'000'000};

  struct Slot {
    std::atomic<std::uint32_t> futex;
    std::atomic<pid_t> pid;
    std::atomic<pid_t> outer_pid;
  };
  struct Result {
    int error;
    int detail;
  };

  explicit SharedSchedule(std::size_t capacity) : capacity_(capacity) {}
  [[nodiscard]] Slot& slot(int number) { return slots_[static_cast<std::size_t>(number)]; }
  [[nodiscard]] const Slot& slot(int number) const {
    return slots_[static_cast<std::size_t>(number)];
  }
  [[nodiscard]] Result* results() { return reinterpret_cast<Result*>(this + 1); }
  [[nodiscard]] const Result* results() const {
    return reinterpret_cast<const Result*>(this + 1);
  }

  std::size_t capacity_;
  std::uint32_t tasks_ = 0;
  int executor_ = no_part;
  SetupError trouble_;                    // its text is a literal: at one address in every fork
  std::atomic<std::uint32_t> step_ = 0;  // whose turn it is; at the end, how many were performed
  std::atomic<std::uint32_t> over_ = 0;
  std::atomic<int> leaving_ = -1;
  std::array<Slot, tasks_max + 1> slots_{};
};

}  // namespace pivotcheck::kernel
