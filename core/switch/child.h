// SPDX-License-Identifier: Apache-2.0
// child.h: what happens between clone and exec, in the child. It allocates nothing and takes no
// lock: everything it needs is prepared before the clone.
//
//     caller                         child
//       | -- clone ------------------> |  or run_usher(), which makes the child in the PID
//       |                              |  namespace of an init that was started before
//       | ----- release -------------> |  in a new user namespace: its ids are mapped now
//       |                              |  the strategy's steps
//       | <---- keep ----------------- |  only when `template` is prepared
//       | ----- release -------------> |
//       |                              |  brings the init of its PID namespace here
//       |                              |  drops privileges, executes the command
//       | <---- refused, init_refused, exec_refused: the first refusal
//
// The child writes its messages into a close-on-exec pipe: the end of file says that the command
// was started. `release` is a futex in memory that both share. A child that may share all memory
// with its caller needs neither (launch.cc says when that is): the caller is suspended until exec or
// exit, and then reads the one report; the pipe, if any, only tells the child that the caller is
// gone; and it is cloned without an usher (clone_in_our_memory_beside()). What init is,
// init_process.h says.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
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
    keep,
    refused,
    init_refused,
    deceived,
    exec_refused,
  };
  Kind kind = Kind::none;
  std::int32_t step = 0;   // the index of the step it is about
  std::int32_t value = 0;  // the errno
  std::array<std::int32_t, 2> starts{-1, -1};  // refused: StepExecutor::starts(); init_refused:
                                               // InitRefusal::what; deceived: pretended_call()
};

// A futex, and three numbers, that stay shared after a fork.
class SharedFutex {
 public:
  SharedFutex() = default;
  ~SharedFutex();
  SharedFutex(const SharedFutex&) = delete;
  SharedFutex& operator=(const SharedFutex&) = delete;

  void reset() { new (page_) Page; }
  // Before a fork; a child in the same memory needs none of it. Throws std::bad_alloc.
  void share();
  void release();  // lets the waiter go on, now or later, once
  bool wait();     // true: released; false: not within 100 ms
  // What the child is about, if a seccomp filter can end it without a word: loading the filter of
  // that number, from 1 on, or having init confined; else 0.
  static constexpr std::uint32_t confining_init = ~0U;
  std::atomic<std::uint32_t>& in_danger() { return page_->in_danger; }
  // The pid of the child that the usher made, as the caller sees it; or a negative errno; 0: the
  // usher was killed before. The kernel writes it, and the caller reads it when the usher has ended.
  std::uint32_t& ushered() { return page_->ushered; }
  // Why the mounts are not locked: an errno; 0 if they are, or were not to be.
  std::atomic<std::uint32_t>& not_locked() { return page_->not_locked; }

 private:
  struct Page {
    std::atomic<std::uint32_t> word = 0;
    std::atomic<std::uint32_t> in_danger = 0;
    std::atomic<std::uint32_t> not_locked = 0;
    std::uint32_t ushered = 0;
  };
  Page own_;
  Page* page_ = &own_;
};

// Everything about a switch that does not depend on the command. It serves one switch at a time,
// because its put_old is one directory.
struct PreparedSwitch {
  std::string put_old;  // the name in the new root that a refused switch may leave; "" for none
  strategy::Steps steps;
  StepExecutor executor{steps};
  SharedFutex released{};
};

// What `template` keeps as long as its RootSwitch lives.
struct TemplateNamespaces {
  UniqueFd user;  // without privileges: the user namespace, and in it a copy of the caller's tree
  UniqueFd copy;
  UniqueFd root;  // the new root, in the copy
  UniqueFd template_;
};

// Everything the child needs, in memory that it shares with the caller until it writes.
struct ChildArgs {
  const SwitchOptions& options;  // keep_descriptors: ascending, each once, none below 3
  PreparedSwitch& prepared;
  const TemplateNamespaces& entered;  // for `setns`
  int root = -1;                      // the new root, as the caller has it
  int init_image = -1;                // make_init_image(), if there is to be a new PID namespace

  // The command.
  std::span<char* const> paths{};  // where it may be, in the order in which to try them
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  const sigset_t* mask = nullptr;  // nullptr: the caller's
  // For a confined command, which init/init.c executes: the arguments of that program. Empty: none.
  std::span<char*> stage{};

  // What launch() fills in.
  std::array<char, 12> pipe_text{};  // the number of `pipe`, for `stage`
  int proc = -1;                   // the caller's /proc, for the steps that need one
  std::size_t first_step = 0;      // the clone itself did those before it
  int init = -1;                   // pidfd of the init of the new PID namespace
  int init_channel = -1;           // the socket to it
  unsigned long init_has = 0;      // the namespaces to enter with it, as CLONE_... bits
  sigset_t callers_mask{};
  pid_t caller = 0;
  int pipe = -1;          // to the caller
  int callers_pipe = -1;  // the caller's end: the child closes it, or it never sees the caller end
  // Not null if the child shares the caller's memory: the message goes here, not into the pipe.
  ChildMessage* report = nullptr;
};

// The ids that the command gets in a new user namespace: 0 if it is mapped, else the first of the
// map.
std::uint32_t id_inside(const std::vector<IdRange>& map);

[[noreturn]] void run_child(const ChildArgs& args);

// Enters the namespaces of init, makes the child there, as one of the caller's, and ends. (A process
// never changes its PID namespace: only its children are in the one that it enters.)
[[noreturn]] void run_usher(const ChildArgs& args);

}  // namespace pivotcheck::rootswitch
