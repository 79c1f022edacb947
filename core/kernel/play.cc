// SPDX-License-Identifier: Apache-2.0
// play.cc: how a task takes its turns (stage.h has the picture).
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "kernel/actor.h"
#include "kernel/desk.h"
#include "kernel/world.h"

namespace pivotcheck::kernel {
namespace {

[[noreturn]] void stand_still() {
  for (;;) ::pause();  // until the executor kills it
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
  // Pid 1 of a PID namespace may not use CLONE_PARENT, and need not: it is the parent already.
  const pid_t child = sys_fork(actor.is_executor ? SIGCHLD : CLONE_PARENT);
  if (child < 0) return trouble("fork of a task");
  if (child == 0) {
    actor.number = number;
    actor.is_executor = false;
    play_new_task(actor, fresh_world, maker);
  }
  const auto entered = [&] {
    return actor.stage->has_entered(number) || actor.stage->is_over();
  };
  const bool alive = actor.stage->await(maker, actor.is_executor, entered);
  return alive ? no_trouble : Trouble{"a task died of itself", 0};
}

}  // namespace pivotcheck::kernel
