// SPDX-License-Identifier: Apache-2.0
// clone.h: ways to start a child, and the wait for its end. The child has everything as the caller
// has it, except signal handlers, which are reset. The caller blocks all signals before.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/unique_fd.h"

namespace pivotcheck::rootswitch {

// Runs `begin(argument)`, which must not return. Both give -1 and errno for a refusal.
struct ChildStart {
  void (*begin)(void*);
  void* argument;
};

// A copy of the caller, in new namespaces: CLONE_NEW... bits.
pid_t clone_copy(unsigned long namespaces, ChildStart start, UniqueFd& pidfd);

// A child in the caller's memory, while the caller is suspended until its exec or exit: no page is
// copied, which is most of what a fork costs. Only for a child that has the caller's rights until
// exec. If it had fewer capabilities, or were in a new user namespace, a process that may trace the
// child could write to the caller's memory.
pid_t clone_in_our_memory(ChildStart start, UniqueFd& pidfd, unsigned long namespaces = 0);
// The same, in the PID namespace of `init`, a pidfd: the calling thread enters it for its children,
// and goes back. ENOSYS: the way back would be refused, or can't be known, so it was not tried.
pid_t clone_in_our_memory_beside(int init, ChildStart start, UniqueFd& pidfd);

// For a child: makes another child of its own parent (CLONE_PARENT). The kernel writes the new one's
// pid to `number` before it starts: it is known even if the caller is killed.
pid_t clone_sibling(ChildStart start, std::uint32_t& number);

// What waitpid(2) says of the child's end. If the child made this process its tracer
// (PTRACE_TRACEME), it stops at each signal: it is detached, and the wait goes on.
struct Waited {
  pid_t pid = -1;  // 0: it still runs (only with WNOHANG in `options`); -1: errno
  int status = 0;
};
Waited wait_for_end(pid_t pid, int options);
// A thread of a command that made this process its tracer keeps the end of the command from being
// seen until the thread is reaped. This reaps those that have ended, and does not wait for any.
void reap_traced_threads(pid_t process);
// Waits for the end of a command, which may have such threads.
Waited wait_for_command(pid_t pid, int pidfd);

}  // namespace pivotcheck::rootswitch
