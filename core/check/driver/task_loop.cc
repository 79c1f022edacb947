// SPDX-License-Identifier: Apache-2.0
// play.cc: how a task takes its turns (stage.h has the picture), and how it comes to be.
//
// A task is a process of its own: it has a root, namespaces, credentials and descriptors of its
// own. Its memory it shares with the executor where it can (as after vfork, but that nobody waits):
// to copy and to destroy an address space costs more than all its steps do. That is possible
// because tasks take turns: only one of them, or the executor, does anything but wait. Whoever
// waits touches nothing but its own stack and the SharedSchedule: no allocation, no errno (sys_futex_wait).
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <optional>

#include "check/driver/task_context.h"
#include "check/driver/reserved_fds.h"
#include "check/driver/fresh_world.h"

namespace pivotcheck::kernel {
namespace {

[[noreturn]] void stand_still() {
  std::atomic<std::uint32_t> word = 0;
  for (;;) sys_futex_wait(word, 0, nullptr);  // until the executor kills it
}

// What a new task begins with. Those that share the executor's memory leave theirs behind when they
// are killed; it is freed when the next task of that number begins.
struct TaskArgs {
  TaskContext context;
  bool fresh_world;
  int maker;
};
std::optional<TaskArgs>& newborn_of(int number) {
  static std::array<std::optional<TaskArgs>, tasks_max> all;
  return all[static_cast<std::size_t>(number)];
}

// Used from one world to the next, so that their pages are there already. Nothing that a task calls
// goes deep.
constexpr std::size_t stack_bytes = 256 * 1024;
std::byte* end_of_stack(int number) {
  static std::byte* const all = [] {
    void* memory = ::mmap(nullptr, tasks_max * stack_bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    return memory == MAP_FAILED ? nullptr : static_cast<std::byte*>(memory);
  }();
  return all == nullptr ? nullptr : all + (static_cast<std::size_t>(number) + 1) * stack_bytes;
}

[[noreturn]] void play_new_task(TaskContext& context, bool fresh_world, int maker) {
  SharedSchedule& schedule = *context.schedule;
  if (fresh_world) {
    if (const SetupError refused = enter_fresh_world()) {
      schedule.give_up(refused);
      stand_still();
    }
  }
  const pid_t outer = outer_pid();
  if (outer == 0) {
    schedule.give_up(trouble("reading /proc/self"));
    stand_still();
  }
  schedule.enter(context.number, ::getpid(), outer);
  schedule.wake(maker);
  task_loop(context);
  stand_still();
}

int begin(void* raw) {
  auto* newborn = static_cast<TaskArgs*>(raw);
  play_new_task(newborn->context, newborn->fresh_world, newborn->maker);
}

// A process for it, or -1 and errno.
pid_t make_process(TaskArgs& newborn, unsigned long flags) {
  const int number = newborn.context.number;
  const auto& own_memory = newborn.context.script->cast.own_memory;
  const bool shares = tasks_may_share_memory && !own_memory[static_cast<std::size_t>(number)];
  std::byte* stack = shares ? end_of_stack(number) : nullptr;
  if (stack != nullptr) return ::clone(begin, stack, static_cast<int>(flags) | CLONE_VM, &newborn);
  const pid_t child = sys_fork(flags);
  if (child == 0) begin(&newborn);
  return child;
}

// A task has said it ends: wait until it has, and then go on in its stead.
void see_off(TaskContext& context) {
  SharedSchedule& schedule = *context.schedule;
  const int number = schedule.leaving();
  const std::uint32_t index = schedule.step();
  if (::waitpid(schedule.pid(number), nullptr, __WALL) < 0) return schedule.give_up(trouble("waitpid"));
  schedule.has_left(number);
  schedule.finish(*context.script, index, {});
  // finish() rings nobody if the next step is by the same task: there is none, it has ended.
}

}  // namespace

pid_t outer_pid() {
  std::array<char, 16> text{};
  const ssize_t size = ::readlinkat(reserved_fds::proc, "self", text.data(), text.size() - 1);
  return size <= 0 ? 0 : std::atoi(text.data());
}

void task_loop(TaskContext& context) {
  SharedSchedule& schedule = *context.schedule;
  const Script& script = *context.script;
  const auto my_turn = [&] {
    const std::uint32_t index = schedule.step();  // past the end where the list became over just now
    return index < script.cast.performer.size() && script.cast.performer[index] == context.number;
  };
  const auto wanted = [&] {
    if (schedule.is_over()) return true;
    if (schedule.leaving() >= 0) return context.is_executor;
    return my_turn();
  };
  for (;;) {
    if (!schedule.await(context.number, context.is_executor, wanted)) {
      return schedule.give_up({"a task died of itself", 0});
    }
    if (schedule.is_over()) return;
    if (schedule.leaving() >= 0) {
      see_off(context);
      continue;
    }
    const std::uint32_t index = schedule.step();
    const Answer answer = perform(context, script.order.steps[index].op, script.cast.subject[index]);
    schedule.finish(script, index, answer);
  }
}

SetupError fork_task(TaskContext& context, int number, bool fresh_world) {
  const int maker = context.number;
  TaskArgs& newborn = newborn_of(number).emplace(context, fresh_world, maker);
  newborn.context.number = number;
  newborn.context.is_executor = false;
  // Pid 1 of a PID namespace may not use CLONE_PARENT, and need not: it is the parent already.
  const pid_t child = make_process(newborn, context.is_executor ? SIGCHLD : CLONE_PARENT);
  if (child < 0) return trouble("fork of a task");
  const auto entered = [&] {
    return context.schedule->has_entered(number) || context.schedule->is_over();
  };
  const bool alive = context.schedule->await(maker, context.is_executor, entered);
  return alive ? no_setup_error : SetupError{"a task died of itself", 0};
}

}  // namespace pivotcheck::kernel
