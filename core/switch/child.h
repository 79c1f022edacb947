// SPDX-License-Identifier: Apache-2.0
// child.h: what happens between clone and exec, in the child; and the init that stays behind in a
// new PID namespace. The child takes no memory and no lock: everything it needs was laid out
// before.
//
//     caller                         child                             (PID namespace: command)
//       | -- clone ------------------> |
//       | ----- go ------------------> |  in a new user namespace it waits for this: mapped
//       | <---- handed_on ------------ |  a PID namespace that the clone could not make: another
//       | ----- go ------------------> |  child of the caller's goes on
//       |                              |  the strategy's steps
//       | <---- keep ----------------- |  template only, when it is made
//       | ----- go ------------------> |
//       |                              | -- vfork -----------------------> |  confine, exec
//       | <---- refused, exec_refused: the first that says no ------------- |
//       | <---- started ---------------|  init: reaps, passes signals on   |
//       | <---- ended -----------------|                                   |
//
// What the child says it writes into a pipe, which is close-on-exec: without a PID namespace its
// end of file is what tells that the command was started. `go` is a word in memory that both have.
// Where nothing has to be answered there is neither: the child has the caller's memory, who stands
// still until it has started the command, and leaves its one report there.
#pragma once

#include <linux/filter.h>
#include <signal.h>
#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

#include "switch/step_executor.h"
#include "switch/strategy/step.h"

namespace pivotcheck::rootswitch {

struct ChildMessage {
  enum class Kind : std::int32_t {
    none,
    reparented,
    keep,
    refused,
    exec_refused,
    started,
    ended,
  };
  Kind kind = Kind::none;
  std::int32_t step = 0;   // the index of the one that this is about
  std::int32_t value = 0;  // its errno; of handed_on, the process that goes on; of ended, the
                           // status of the command as waitpid has it
  std::array<std::int32_t, 2> starts{-1, -1};  // of refused: StepExecutor::starts()
};

// Everything the child needs, in memory that it shares with its maker until it writes.
struct ChildArgs {
  const strategy::Steps* steps = nullptr;
  std::size_t first_step = 0;  // those before it were the clone's
  StepExecutor* executor = nullptr;
  int user_namespace = -1;     // to enter, for `setns user`
  std::span<char* const> paths;  // where the command may be, in the order in which to try them
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  uid_t uid = 0;  // in the new user namespace
  gid_t gid = 0;
  std::uint64_t dropped_capabilities = 0;
  bool pid_namespace = false;
  bool no_new_privileges = false;
  bool die_with_caller = true;
  bool reset_handlers = false;  // clone did not do it
  // Not null: the memory is the caller's, who stands still until exec or exit, and reads here what
  // else would be said by the pipe.
  ChildMessage* report = nullptr;
  sock_fprog seccomp{};         // no instructions: none
  std::span<const int> keep_descriptors;  // in ascending order, without doubles
  sigset_t mask{};                        // of the command; without has_mask, the caller's
  bool has_mask = false;
  pid_t caller = 0;
  std::atomic<std::uint32_t>* go = nullptr;  // set by the caller; taken back by the child
  int pipe = -1;          // to the caller
  int callers_pipe = -1;  // his end: while the child has it open too, it never sees him go
};

// The stack of a child in its maker's memory, from clone to exec.
inline constexpr std::size_t child_stack_size = 64 * 1024;

[[noreturn]] void run_child(const ChildArgs& child_args);

}  // namespace pivotcheck::rootswitch
