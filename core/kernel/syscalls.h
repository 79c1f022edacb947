// SPDX-License-Identifier: Apache-2.0
// syscalls.h: the system calls that the C library has no wrapper for, or only in a newer version
// than the oldest supported one. Each returns what the kernel does, as a wrapper of the C library
// would: -1 and errno for a refusal. Nothing else in pivotcheck that changes a world calls
// syscall(2).
//
// The numbers come from the kernel's own headers (<asm/unistd.h> by way of <sys/syscall.h>); where
// those may be older than the call, the number stands here, from
// include/uapi/asm-generic/unistd.h of Linux. From 424 on it is the same on every architecture.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <ctime>

namespace pivotcheck::kernel {

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

inline int sys_pivot_root(const char* new_root, const char* put_old) {
  return static_cast<int>(::syscall(SYS_pivot_root, new_root, put_old));
}

// A fork with namespace flags: returns twice, on the same stack. Unlike the C library's fork() it
// runs no handlers of it, so it is for processes with one thread. (Stack, thread ids and TLS are
// all zero, hence the order in which architectures take them does not matter but for the flags on
// s390.)
inline pid_t sys_fork(unsigned long flags) {
#ifdef __s390x__
  return static_cast<pid_t>(::syscall(SYS_clone, 0L, flags, 0L, 0L, 0L));
#else
  return static_cast<pid_t>(::syscall(SYS_clone, flags, 0L, 0L, 0L, 0L));
#endif
}

// Ends the process, and nothing else: under ThreadSanitizer the C library's _exit would write out
// what the owner's stdout had buffered at the fork.
[[noreturn]] inline void sys_exit(int status) {
  for (;;) ::syscall(SYS_exit_group, status);
}

// The calls alone. The C library's change the ids of every thread it knows of, and so wait for ever
// for those that a bare fork left behind in its lists.
inline bool sys_become_root() {
  return ::syscall(SYS_setresgid, 0, 0, 0) == 0 && ::syscall(SYS_setresuid, 0, 0, 0) == 0;
}

inline int sys_pidfd_open(pid_t pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U));
}

inline int sys_pidfd_send_signal(int pidfd, int signal) {
  return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0U));
}

// Closes every descriptor from `first` on.
inline int sys_close_from(unsigned first) {
  return static_cast<int>(::syscall(SYS_close_range, first, ~0U, 0U));
}

// Sleeps until `word` is woken, unless it is no longer `expected`; at most `limit`, if there is
// one. The word may lie in memory shared between processes.
inline void sys_futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                           const timespec* limit) {
  static_assert(sizeof(word) == 4 && std::atomic<std::uint32_t>::is_always_lock_free);
  ::syscall(SYS_futex, &word, FUTEX_WAIT, expected, limit, nullptr, 0);
}

inline void sys_futex_wake_all(std::atomic<std::uint32_t>& word) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, 0x7fffffff, nullptr, nullptr, 0);
}

}  // namespace pivotcheck::kernel
