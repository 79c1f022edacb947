// SPDX-License-Identifier: Apache-2.0
// syscalls.h: system calls for which the oldest supported C library has no wrapper. Each returns
// what a wrapper would: -1 and errno for a refusal.
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

inline int sys_pivot_root(const char* new_root, const char* put_old) {
  return static_cast<int>(::syscall(SYS_pivot_root, new_root, put_old));
}

// A fork with namespace flags: returns twice, on the same stack. It runs no pthread_atfork
// handlers, so it is for processes with one thread. (Stack, thread ids and TLS are all zero: their
// order, which depends on the architecture, does not matter; only s390 has the flags in another
// place.)
inline pid_t sys_fork(unsigned long flags) {
#ifdef __s390x__
  return static_cast<pid_t>(::syscall(SYS_clone, 0L, flags, 0L, 0L, 0L));
#else
  return static_cast<pid_t>(::syscall(SYS_clone, flags, 0L, 0L, 0L, 0L));
#endif
}

// The same, with what only clone3 can do: a pidfd, signal handlers reset.
inline pid_t sys_clone3(clone_args& args) {
  return static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof(args)));
}

// Only ends the process: under ThreadSanitizer the C library's _exit would write out what the
// parent's stdout had buffered at the fork.
[[noreturn]] inline void sys_exit(int status) {
  for (;;) ::syscall(SYS_exit_group, status);
}

// Bare calls. The C library's change the ids of every thread in its list, and so would wait for
// ever for threads that a bare fork did not copy.
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

// Tasks may share the executor's memory (check/driver/task_loop.cc), and then they share one errno:
// a task that only waits must not change it, because another one may be about to read it. The C
// library's syscall() writes errno, so waiting is a system call of our own, on the architectures
// below. On others, and under sanitizers, which take shared memory for threads, tasks are forks.
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

// futex(2) with FUTEX_WAIT; leaves errno alone if tasks may share memory.
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

// clone3 with CLONE_VM and a stack for the child, which runs `begin(argument)` there; begin must
// not return. -1 and ENOSYS if memory can't be shared (above); otherwise as sys_clone3.
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

// Sleeps until `word` is woken, unless it is no longer `expected`; at most `limit`, if that is not
// null. The word may lie in memory shared between processes.
inline void sys_futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                           const timespec* limit) {
  static_assert(sizeof(word) == 4 && std::atomic<std::uint32_t>::is_always_lock_free);
  quiet_futex_wait(&word, expected, limit);
}

inline void sys_futex_wake_all(std::atomic<std::uint32_t>& word) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, 0x7fffffff, nullptr, nullptr, 0);
}

}  // namespace pivotcheck::kernel
