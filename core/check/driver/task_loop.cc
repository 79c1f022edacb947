// SPDX-License-Identifier: Apache-2.0
// task_loop.cc: how a task takes its turns (shared_schedule.h has the picture), and how it is made.
//
// A task is a process of its own: it has a root, namespaces, credentials and descriptors of its
// own. It shares its memory with the executor where it can (as after vfork, without the waiting):
// copying and destroying an address space costs more than all its steps do. That is possible
// because tasks take turns: only one of them, or the executor, does anything but wait. A process
// that waits touches only its own stack and the SharedSchedule: no allocation, no errno
// (sys_futex_wait).
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

#include "check/driver/fresh_world.h"
#include "check/driver/kernel_coverage.h"
#include "check/driver/task_context.h"
#include "check/driver/wire.h"

namespace pivotcheck::kernel {
namespace {

[[noreturn]] void stand_still() {
  std::atomic<std::uint32_t> word = 0;
  for (;;) sys_futex_wait(word, 0, nullptr);  // until the executor kills it
}

// What a new task begins with. A task that shares the executor's memory leaves its own behind when
// it is killed; it is freed when the next task of that number begins.
struct TaskArgs {
  TaskContext context;
  bool fresh_world;
  int maker;
};
std::optional<TaskArgs>& args_of(int number) {
  static std::array<std::optional<TaskArgs>, tasks_max> all;
  return all[static_cast<std::size_t>(number)];
}

// Used from one world to the next, so that their pages are there already. No call of a task's goes
// deep.
constexpr std::size_t stack_bytes = 256 * 1024;
std::byte* end_of_stack(int number) {
  static std::byte* const all = [] {
    void* memory = ::mmap(nullptr, tasks_max * stack_bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    return memory == MAP_FAILED ? nullptr : static_cast<std::byte*>(memory);
  }();
  return all == nullptr ? nullptr : all + (static_cast<std::size_t>(number) + 1) * stack_bytes;
}

int run_new_task(void* raw) {
  auto& [context, fresh_world, maker] = *static_cast<TaskArgs*>(raw);
  SharedSchedule& schedule = *context.schedule;
  SetupError refused = fresh_world ? enter_fresh_world() : no_setup_error;
  const pid_t outer = outer_pid();
  if (!refused && outer == 0) refused = setup_error("reading /proc/self");
  if (refused) {
    schedule.give_up(refused);
  } else {
    schedule.enter(context.number, ::getpid(), outer);
    schedule.wake(maker);
    task_loop(context);
  }
  stand_still();
}

// A process for it, or -1 and errno.
pid_t make_process(TaskArgs& args, unsigned long flags) {
  const int number = args.context.number;
  const auto& own_memory = args.context.batch->plan.own_memory;
  const bool shares = tasks_may_share_memory && !own_memory[static_cast<std::size_t>(number)];
  std::byte* stack = shares ? end_of_stack(number) : nullptr;
  if (stack != nullptr)
    return ::clone(run_new_task, stack, static_cast<int>(flags) | CLONE_VM, &args);
  const pid_t child = sys_fork(flags);
  if (child == 0) run_new_task(&args);
  return child;
}

// A task has said that it ends: waits until it has, and finishes its step.
void reap_leaving_task(TaskContext& context) {
  SharedSchedule& schedule = *context.schedule;
  const int number = schedule.leaving();
  const std::uint32_t index = schedule.step();
  if (::waitpid(schedule.pid(number), nullptr, __WALL) < 0) {
    return schedule.give_up(setup_error("waitpid"));
  }
  schedule.has_left(number);
  schedule.finish(*context.batch, index, {});
  // finish() wakes no task if the next step is by the same one; that can't be, it has ended.
}

// Shows the owner what was done, and waits for its word whether to go on. Ends with the owner.
void pause(TaskContext& context) {
  Bytes go_on;
  if (send_frame(reserved_fds::owner, encode(context.schedule->progress()), {}) != IoStatus::ok ||
      receive_frame(reserved_fds::owner, go_on, {}) != IoStatus::ok) {
    sys_exit(0);
  }
  if (go_on == continue_word) return context.schedule->resume(*context.batch);
  context.schedule->end();
}

// The step, with one of its allocations failing where the request wants that.
StepResult perform_step(TaskContext& context, std::uint32_t index) {
  const auto& [steps, predicted, pauses, failing] = context.batch->request;
  const auto broken = [](SetupError what) { return StepResult{.outcome = {}, .broken = what}; };
  if (failing.number > 0 && failing.step == index) {
    if (const SetupError refused = begin_failing(context, failing.number)) return broken(refused);
  }
  const FollowedCall followed;
  const StepResult result = perform(context, steps[index]);
  const SetupError refused = end_failing(context);
  return refused ? broken(refused) : result;
}

}  // namespace

pid_t outer_pid() {
  std::array<char, 16> text{};
  const ssize_t size = ::readlinkat(reserved_fds::proc, "self", text.data(), text.size() - 1);
  return size <= 0 ? 0 : std::atoi(text.data());
}

void task_loop(TaskContext& context) {
  SharedSchedule& schedule = *context.schedule;
  const std::vector<ProgramStep>& steps = context.batch->request.steps;
  const auto wanted = [&] {
    if (schedule.is_over()) return true;
    if (schedule.leaving() >= 0) return context.is_executor;
    const std::uint32_t index = schedule.step();  // past the end where it became over just now
    const bool my_turn = index < steps.size() && steps[index].task == context.number;
    return schedule.is_paused() ? context.is_executor : my_turn;
  };
  for (;;) {
    if (!schedule.await(context.number, context.is_executor, wanted)) {
      return schedule.give_up({"a task died of itself", 0});
    }
    if (schedule.is_over()) return;
    if (schedule.leaving() >= 0) {
      reap_leaving_task(context);
    } else if (schedule.is_paused()) {
      pause(context);
    } else {
      const std::uint32_t index = schedule.step();
      schedule.finish(*context.batch, index, perform_step(context, index));
    }
  }
}

SetupError fork_task(TaskContext& context, int number, bool fresh_world) {
  const int maker = context.number;
  TaskArgs& args = args_of(number).emplace(context, fresh_world, maker);
  args.context.number = number;
  args.context.is_executor = false;
  // Pid 1 of a PID namespace may not use CLONE_PARENT, and need not: it is the parent already.
  const pid_t child = make_process(args, context.is_executor ? SIGCHLD : CLONE_PARENT);
  if (child < 0) return setup_error("fork of a task");
  const auto entered = [&] {
    return context.schedule->has_entered(number) || context.schedule->is_over();
  };
  const bool alive = context.schedule->await(maker, context.is_executor, entered);
  return alive ? no_setup_error : SetupError{"a task died of itself", 0};
}

}  // namespace pivotcheck::kernel
