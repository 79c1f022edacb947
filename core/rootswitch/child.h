// SPDX-License-Identifier: Apache-2.0
// child.h: what happens between clone and exec, in the child; and the init that stays behind in a new
// PID namespace. The child takes no memory and no lock: everything it needs was laid out before.
//
//     caller                         child                             (PID namespace: command)
//       | -- clone ------------------> |
//       | <---- maps_wanted ---------- |  new user namespace
//       | ----- go ------------------> |
//       |                              |  the strategy's steps
//       |                              | -- fork ------------------------> |
//       |                              |  init: reaps, passes signals on   |  confine, exec
//       | <---- refused, exec_refused: the first that says no --- or end of file: started
//       | <------------------------ how it ended ------ |
//
// The one socket between them is close-on-exec: its end of file is what tells that all went well.
#pragma once

#include <linux/filter.h>
#include <signal.h>
#include <sys/types.h>

#include <cstdint>
#include <span>

#include "strategy/step.h"

namespace pivotcheck::rootswitch {

struct Message {
  enum class Kind : std::int32_t { maps_wanted, refused, exec_refused };
  Kind kind = Kind::refused;
  std::int32_t step = 0;   // the index of the one that was refused
  std::int32_t error = 0;  // its errno
};

// Everything the child needs, in memory that it shares with its maker until it writes.
struct Script {
  const strategy::Steps* steps = nullptr;
  std::span<char* const> paths;  // where the command may be, in the order in which to try them
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  uid_t uid = 0;  // in the new user namespace
  gid_t gid = 0;
  std::uint64_t dropped_capabilities = 0;
  bool user_namespace = false;
  bool pid_namespace = false;
  bool no_new_privileges = false;
  bool die_with_caller = true;
  bool reset_handlers = false;  // clone did not do it
  sock_fprog seccomp{};         // no instructions: none
  std::span<const int> keep_descriptors;  // in ascending order, without doubles
  sigset_t mask{};                        // the caller's
  pid_t caller = 0;
  int socket = -1;  // to the caller
  int ended = -1;   // where init writes how the command ended, as waitpid has it
};

[[noreturn]] void run_child(const Script& script);

}  // namespace pivotcheck::rootswitch
