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
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <ctime>

namespace pivotcheck::kernel {

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
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

// The same with what only clone3 can do, such as a pidfd, and handlers of signals reset.
inline pid_t sys_clone3(clone_args& args) {
  return static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof(args)));
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

inline int sys_openat2(int directory, const char* path, const open_how& how) {
  return static_cast<int>(::syscall(SYS_openat2, directory, path, &how, sizeof(how)));
}

// Closes every descriptor from `first` on.
inline int sys_close_from(unsigned first) {
  return static_cast<int>(::syscall(SYS_close_range, first, ~0U, 0U));
}

// Tasks may share the executor's memory (play.cc): then they have one errno, and who only waits
// must not touch what another one is about to read. The C library's syscall() writes it. So waiting
// takes a system call of our own, on the architectures that this knows; on others, and under
// sanitizers, which take a shared memory for threads, tasks are forks.
#ifdef __SANITIZE_THREAD__
#define PIVOTCHECK_THREAD_SANITIZER
#endif
#ifdef __SANITIZE_ADDRESS__
#define PIVOTCHECK_ADDRESS_SANITIZER
#endif
#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define PIVOTCHECK_THREAD_SANITIZER
#endif
#if __has_feature(address_sanitizer)
#define PIVOTCHECK_ADDRESS_SANITIZER
#endif
#endif

#if (defined(__x86_64__) && defined(__LP64__)) || defined(__aarch64__)
#if !defined(PIVOTCHECK_THREAD_SANITIZER) && !defined(PIVOTCHECK_ADDRESS_SANITIZER)
#define PIVOTCHECK_SHARED_MEMORY
#endif
#endif
#ifdef PIVOTCHECK_SHARED_MEMORY
inline constexpr bool tasks_may_share_memory = true;
#else
inline constexpr bool tasks_may_share_memory = false;
#endif

// futex(2) with FUTEX_WAIT; leaves errno alone where that matters.
inline void quiet_futex_wait(const void* word, std::uint32_t expected, const timespec* limit) {
#if !defined(PIVOTCHECK_SHARED_MEMORY)
  ::syscall(SYS_futex, word, FUTEX_WAIT, expected, limit, nullptr, 0);
#elif defined(__x86_64__)
  long result = SYS_futex;
  register const timespec* fourth __asm__("r10") = limit;
  __asm__ volatile("syscall"
                   : "+a"(result)
                   : "D"(word), "S"(FUTEX_WAIT), "d"(expected), "r"(fourth)
                   : "rcx", "r11", "memory");
#else
  register const void* first __asm__("x0") = word;
  register long second __asm__("x1") = FUTEX_WAIT;
  register long third __asm__("x2") = expected;
  register const timespec* fourth __asm__("x3") = limit;
  register long number __asm__("x8") = SYS_futex;
  __asm__ volatile("svc 0"
                   : "+r"(first)
                   : "r"(second), "r"(third), "r"(fourth), "r"(number)
                   : "memory");
#endif
}

// clone3 with CLONE_VM and a stack for the child, which runs `begin(argument)` there; it must not
// return. -1 and ENOSYS where memory can't be shared (above); otherwise as sys_clone3.
inline pid_t sys_clone3_on_stack([[maybe_unused]] clone_args& args,
                                 [[maybe_unused]] void (*begin)(void*),
                                 [[maybe_unused]] void* argument) {
  long result = -ENOSYS;
#if defined(PIVOTCHECK_SHARED_MEMORY) && defined(__x86_64__)
  result = SYS_clone3;
  __asm__ volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "mov %[argument], %%rdi\n\t"
      "call *%[begin]\n\t"
      "ud2\n"
      "1:"
      : "+a"(result)
      : "D"(&args), "S"(sizeof(args)), [begin] "r"(begin), [argument] "r"(argument)
      : "rcx", "r11", "memory", "cc");
#elif defined(PIVOTCHECK_SHARED_MEMORY)
  register clone_args* first __asm__("x0") = &args;
  register long second __asm__("x1") = sizeof(args);
  register long number __asm__("x8") = SYS_clone3;
  __asm__ volatile(
      "svc 0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x0, %[argument]\n\t"
      "blr %[begin]\n\t"
      "brk 0\n"
      "1:"
      : "+r"(first)
      : "r"(second), "r"(number), [begin] "r"(begin), [argument] "r"(argument)
      : "x30", "memory", "cc");
  result = reinterpret_cast<long>(first);
#endif
  if (result >= 0) return static_cast<pid_t>(result);
  errno = static_cast<int>(-result);
  return -1;
}

// Sleeps until `word` is woken, unless it is no longer `expected`; at most `limit`, if there is
// one. The word may lie in memory shared between processes.
inline void sys_futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                           const timespec* limit) {
  static_assert(sizeof(word) == 4 && std::atomic<std::uint32_t>::is_always_lock_free);
  quiet_futex_wait(&word, expected, limit);
}

inline void sys_futex_wake_all(std::atomic<std::uint32_t>& word) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, 0x7fffffff, nullptr, nullptr, 0);
}

}  // namespace pivotcheck::kernel
