// SPDX-License-Identifier: Apache-2.0
// child.h: what happens between clone and exec, in the child; and the init of a new PID namespace.
// The child allocates nothing and takes no lock: everything it needs is prepared before the clone.
//
//     caller                         child                             (PID namespace: command)
//       | -- clone ------------------> |
//       | ----- release -------------> |  in a new user namespace: its ids are mapped now
//       | <---- reparented ----------- |  a PID namespace that the clone could not make: another
//       | ----- release -------------> |  child of the caller goes on
//       |                              |  the strategy's steps
//       | <---- keep ----------------- |  only when `template` is prepared
//       | ----- release -------------> |
//       |                              | -- vfork -----------------------> |  drop privileges, exec
//       | <---- refused, exec_refused: the first refusal ------------------ |
//       | <---- started ---------------|  init: reaps, passes signals on   |
//       | <---- ended -----------------|                                   |
//
// The child writes its messages into a close-on-exec pipe: without a PID namespace the end of file
// says that the command was started. `release` is a futex in memory that both share. A child that
// may share all memory with its caller needs neither (launch.cc says when that is): the caller is
// suspended until exec or exit, and then reads the one report.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string>

#include "base/unique_fd.h"
#include "switch/root_switch.h"
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
  std::int32_t step = 0;   // the index of the step it is about
  std::int32_t value = 0;  // refused, exec_refused: the errno; reparented: the pid of the process
                           // that goes on; ended: the command's wait status
  std::array<std::int32_t, 2> starts{-1, -1};  // refused: StepExecutor::starts()
};

// A futex that stays shared after a fork.
class SharedFutex {
 public:
  SharedFutex();  // throws std::bad_alloc
  ~SharedFutex();
  SharedFutex(const SharedFutex&) = delete;
  SharedFutex& operator=(const SharedFutex&) = delete;

  void reset() { *word_ = 0; }
  void release();  // lets the waiter go on, now or later, once
  bool wait();     // true: released; false: not within 100 ms

 private:
  std::atomic<std::uint32_t>* word_;
};

// Everything about a switch that does not depend on the command. It serves one switch at a time,
// because its put_old is one directory.
struct PreparedSwitch {
  std::string put_old;  // the directory that a refused switch may leave behind; "" for none
  strategy::Steps steps;
  StepExecutor executor{steps};
  SharedFutex released{};
};

// What `template` keeps as long as its RootSwitch lives.
struct TemplateNamespaces {
  UniqueFd user;  // without privileges: the user namespace, and in it a copy of the caller's tree
  UniqueFd copy;
  UniqueFd template_;
};

// Everything the child needs, in memory that it shares with the caller until it writes.
struct ChildArgs {
  const SwitchOptions& options;  // keep_descriptors: ascending, each once, none below 3
  PreparedSwitch& prepared;
  const TemplateNamespaces& entered;  // for `setns`
  bool pid_namespace = false;

  // The command.
  std::span<char* const> paths{};  // where it may be, in the order in which to try them
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  const sigset_t* mask = nullptr;  // nullptr: the caller's

  // What launch() fills in.
  std::size_t first_step = 0;   // the clone itself did those before it
  bool reset_handlers = false;  // the clone did not reset them
  sigset_t callers_mask{};
  pid_t caller = 0;
  int pipe = -1;          // to the caller
  int callers_pipe = -1;  // the caller's end: the child closes it, or it never sees the caller end
  // Not null if the child shares the caller's memory: the message goes here, not into the pipe.
  ChildMessage* report = nullptr;
};

// Bytes of stack for a child that shares memory, from clone to exec.
inline constexpr std::size_t child_stack_size = 64 * 1024;

[[noreturn]] void run_child(const ChildArgs& args);

}  // namespace pivotcheck::rootswitch
