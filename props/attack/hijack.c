/* SPDX-License-Identifier: Apache-2.0
 * hijack.c: takes PID 1 over, as far as the kernel lets it, and has it do what this process may
 * not.
 *
 * If PID 1 waits in a system call, the instruction that made it lies right before its program
 * counter, and can make any other. */
#include "hijack.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#if defined(__x86_64__)
typedef struct user_regs_struct Registers;
enum { INSTRUCTION = 2 };
static void prepare(Registers* its, long number, const long arguments[5]) {
  its->rip -= INSTRUCTION;
  its->rax = (unsigned long long)number;
  its->orig_rax = ~0ULL; /* so that the kernel does not restart the old call */
  its->rdi = (unsigned long long)arguments[0];
  its->rsi = (unsigned long long)arguments[1];
  its->rdx = (unsigned long long)arguments[2];
  its->r10 = (unsigned long long)arguments[3];
  its->r8 = (unsigned long long)arguments[4];
}
static long result(const Registers* its) { return (long)its->rax; }
static unsigned long free_stack(const Registers* its) { return its->rsp - 8192; }
#elif defined(__aarch64__)
typedef struct user_regs_struct Registers;
enum { INSTRUCTION = 4 };
static void prepare(Registers* its, long number, const long arguments[5]) {
  its->pc -= INSTRUCTION;
  its->regs[8] = (unsigned long long)number;
  for (int i = 0; i < 5; ++i) its->regs[i] = (unsigned long long)arguments[i];
}
static long result(const Registers* its) { return (long)its->regs[0]; }
static unsigned long free_stack(const Registers* its) { return its->sp - 8192; }
#else
#error "hijack.c: how this architecture makes a system call must be added"
#endif

static int stopped(void) {
  int status = 0;
  return waitpid(1, &status, __WALL) == 1 && WIFSTOPPED(status);
}

int hijack_init(void) {
  return ptrace(PTRACE_SEIZE, 1, 0, 0) == 0 && ptrace(PTRACE_INTERRUPT, 1, 0, 0) == 0 && stopped();
}

long init_calls(long number, long first, const char* path, long third, long fourth) {
  Registers its;
  struct iovec all = {&its, sizeof(its)};
  if (ptrace(PTRACE_GETREGSET, 1, (void*)NT_PRSTATUS, &all) != 0) return -ESRCH;
  const unsigned long at = free_stack(&its);
  for (size_t i = 0; i <= strlen(path); i += sizeof(long)) {
    long word = 0;
    strncpy((char*)&word, path + i, sizeof(word));
    ptrace(PTRACE_POKEDATA, 1, (void*)(at + i), (void*)word);
  }
  const long arguments[5] = {first, (long)at, third, fourth, 0};
  prepare(&its, number, arguments);
  ptrace(PTRACE_SETREGSET, 1, (void*)NT_PRSTATUS, &all);
  /* To the entry of the call, and to its exit. There it stays. */
  for (int i = 0; i < 2; ++i) {
    if (ptrace(PTRACE_SYSCALL, 1, 0, 0) != 0 || !stopped()) return -ESRCH;
  }
  ptrace(PTRACE_GETREGSET, 1, (void*)NT_PRSTATUS, &all);
  return result(&its);
}
