// SPDX-License-Identifier: Apache-2.0
// play.cc: how a task takes its turns (stage.h has the picture), and how it comes to be.
//
// A task is a process of its own: it has a root, namespaces, credentials and descriptors of its
// own. Its memory it shares with the executor where it can (as after vfork, but that nobody waits):
// to copy and to destroy an address space costs more than all its steps do. That is possible
// because tasks take turns: only one of them, or the executor, does anything but wait. Whoever
// waits touches nothing but its own stack and the Stage: no allocation, no errno (sys_futex_wait).
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

#include "check/driver/actor.h"
#include "check/driver/desk.h"
#include "check/driver/world.h"

namespace pivotcheck::kernel {
namespace {

[[noreturn]] void stand_still() {
  std::atomic<std::uint32_t> word = 0;
  for (;;) sys_futex_wait(word, 0, nullptr);  // until the executor kills it
}

// What a new task begins with. Those that share the executor's memory leave theirs behind when they
// are killed; it is freed when the next task of that number begins.
struct Newborn {
  Actor actor;
  bool fresh_world;
  int maker;
};
std::optional<Newborn>& newborn_of(int number) {
  static std::array<std::optional<Newborn>, tasks_max> all;
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

[[noreturn]] void play_new_task(Actor& actor, bool fresh_world, int maker) {
  Stage& stage = *actor.stage;
  if (fresh_world) {
    if (const Trouble refused = enter_fresh_world()) {
      stage.give_up(refused);
      stand_still();
    }
  }
  const pid_t outer = outer_pid();
  if (outer == 0) {
    stage.give_up(trouble("reading /proc/self"));
    stand_still();
  }
  stage.enter(actor.number, ::getpid(), outer);
  stage.ring(maker);
  play(actor);
  stand_still();
}

int begin(void* raw) {
  auto* newborn = static_cast<Newborn*>(raw);
  play_new_task(newborn->actor, newborn->fresh_world, newborn->maker);
}

// A process for it, or -1 and errno.
pid_t make_process(Newborn& newborn, unsigned long flags) {
  const int number = newborn.actor.number;
  const auto& own_memory = newborn.actor.script->cast.own_memory;
  const bool shares = tasks_may_share_memory && !own_memory[static_cast<std::size_t>(number)];
  std::byte* stack = shares ? end_of_stack(number) : nullptr;
  if (stack != nullptr) return ::clone(begin, stack, static_cast<int>(flags) | CLONE_VM, &newborn);
  const pid_t child = sys_fork(flags);
  if (child == 0) begin(&newborn);
  return child;
}

// A task has said it ends: wait until it has, and then go on in its stead.
void see_off(Actor& actor) {
  Stage& stage = *actor.stage;
  const int number = stage.leaving();
  const std::uint32_t index = stage.step();
  if (::waitpid(stage.pid(number), nullptr, __WALL) < 0) return stage.give_up(trouble("waitpid"));
  stage.has_left(number);
  stage.finish(*actor.script, index, {});
  // finish() rings nobody if the next step is by the same task: there is none, it has ended.
}

}  // namespace

pid_t outer_pid() {
  std::array<char, 16> text{};
  const ssize_t size = ::readlinkat(desk::proc, "self", text.data(), text.size() - 1);
  return size <= 0 ? 0 : std::atoi(text.data());
}

void play(Actor& actor) {
  Stage& stage = *actor.stage;
  const Script& script = *actor.script;
  const auto my_turn = [&] {
    const std::uint32_t index = stage.step();  // past the end where the list became over just now
    return index < script.cast.performer.size() && script.cast.performer[index] == actor.number;
  };
  const auto wanted = [&] {
    if (stage.is_over()) return true;
    if (stage.leaving() >= 0) return actor.is_executor;
    return my_turn();
  };
  for (;;) {
    if (!stage.await(actor.number, actor.is_executor, wanted)) {
      return stage.give_up({"a task died of itself", 0});
    }
    if (stage.is_over()) return;
    if (stage.leaving() >= 0) {
      see_off(actor);
      continue;
    }
    const std::uint32_t index = stage.step();
    const Answer answer = perform(actor, script.order.steps[index].op, script.cast.subject[index]);
    stage.finish(script, index, answer);
  }
}

Trouble fork_task(Actor& actor, int number, bool fresh_world) {
  const int maker = actor.number;
  Newborn& newborn = newborn_of(number).emplace(actor, fresh_world, maker);
  newborn.actor.number = number;
  newborn.actor.is_executor = false;
  // Pid 1 of a PID namespace may not use CLONE_PARENT, and need not: it is the parent already.
  const pid_t child = make_process(newborn, actor.is_executor ? SIGCHLD : CLONE_PARENT);
  if (child < 0) return trouble("fork of a task");
  const auto entered = [&] {
    return actor.stage->has_entered(number) || actor.stage->is_over();
  };
  const bool alive = actor.stage->await(maker, actor.is_executor, entered);
  return alive ? no_trouble : Trouble{"a task died of itself", 0};
}

}  // namespace pivotcheck::kernel
