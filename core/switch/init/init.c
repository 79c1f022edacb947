/* SPDX-License-Identifier: Apache-2.0
 * init.c: the first process of a new PID namespace. It lives as long as the command does and reaps
 * orphans. When it ends, the kernel kills every other process of the namespace.
 *
 * It is a program of its own, of a few kilobytes, executed from a sealed memory file, because every
 * process in the namespace can try to take its init over:
 *   - /proc/1/exe is that memory file, not the program that links the library;
 *   - its memory holds nothing of the caller's, and belongs to the user namespace of the caller,
 *     because it was executed before the new one was made: with PR_SET_DUMPABLE 0, ptrace(2) asks
 *     for CAP_SYS_PTRACE there ("Ptrace access mode checking", 3), which a command in the new one
 *     lacks;
 *   - root without a user namespace can trace it, if it keeps CAP_SYS_PTRACE, but gains nothing by
 *     that: init has the root and the namespaces of the command, its seccomp filters, no
 *     capability, no_new_privs, and no descriptor but one for the command.
 *
 * It links no library: nothing of one runs with the rights that it has in the beginning.
 *
 * The same program also executes the command of a confined switch (protocol.h, STAGE_NAME): a
 * command or an interpreter that is a link to /proc/self/exe leads to whatever program executes it
 * (CVE-2019-5736), and so to this one, never to a file of the caller's. */
#include "protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

enum { COMMAND = 1, LOST = 125 };

/* The result of the system call: what it returns, or a negative errno. */
static long call(long number, long a, long b, long c, long d, long e) {
#if defined(__x86_64__)
  register long fourth __asm__("r10") = d;
  register long fifth __asm__("r8") = e;
  __asm__ volatile("syscall"
                   : "+a"(number)
                   : "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
                   : "rcx", "r11", "memory");
  return number;
#elif defined(__aarch64__)
  register long which __asm__("x8") = number;
  register long first __asm__("x0") = a;
  register long second __asm__("x1") = b;
  register long third __asm__("x2") = c;
  register long fourth __asm__("x3") = d;
  register long fifth __asm__("x4") = e;
  __asm__ volatile("svc 0"
                   : "+r"(first)
                   : "r"(which), "r"(second), "r"(third), "r"(fourth), "r"(fifth)
                   : "memory");
  return first;
#else
#error "init.c: how this architecture makes a system call must be added"
#endif
}

static void leave(int status) {
  for (;;) call(SYS_exit_group, status, 0, 0, 0, 0);
}

static void answer(int kind, long value, int what) {
  const struct init_answer message = {kind, (int32_t)value, what};
  call(SYS_write, INIT_CHANNEL, (long)&message, sizeof(message), 0, 0);
}

/* `result` is that of a system call. */
static void check(long result, int what) {
  if (result >= 0) return;
  answer(INIT_REFUSED, -result, what);
  leave(LOST);
}

/* Ends if the caller is gone. */
static void receive(void* message, size_t size) {
  if (call(SYS_read, INIT_CHANNEL, (long)message, (long)size, 0, 0) != (long)size) leave(LOST);
}

static struct init_orders orders;
static struct sock_filter instructions[INIT_INSTRUCTIONS_MAX];

static void receive_orders(void) {
  struct sock_filter* next = instructions;
  receive(&orders, sizeof(orders));
  for (unsigned i = 0; i < orders.filters; ++i) {
    receive(next, orders.instructions[i] * sizeof(*next));
    next += orders.instructions[i];
  }
}

/* Returns in init, which has the caller as its parent. */
static void enter_namespaces(void) {
  long pid;
  if (orders.unshare == 0) return;
  if (orders.enters_user_namespace) {
    check(call(SYS_setns, INIT_USER_NAMESPACE, CLONE_NEWUSER, 0, 0, 0), INIT_NAMESPACES);
  }
  check(call(SYS_unshare, orders.unshare, 0, 0, 0, 0), INIT_NAMESPACES);
  pid = call(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
  check(pid, INIT_NAMESPACES);
  if (pid == 0) return;
  answer(INIT_MADE, pid, 0);
  leave(0);
}

static void take_ids(void) {
  char go;
  if (!orders.takes_ids) return;
  receive(&go, sizeof(go));
  call(SYS_setgroups, 0, 0, 0, 0, 0); /* where setgroups is denied, the groups stay */
  check(call(SYS_setresgid, orders.gid, orders.gid, orders.gid, 0, 0), INIT_IDS);
  check(call(SYS_setresuid, orders.uid, orders.uid, orders.uid, 0, 0), INIT_IDS);
  answer(INIT_UP, 0, 0);
}

/* Goes where the command is. What remains is COMMAND, its pidfd. */
static void join(void) {
  struct init_join command;
  struct iovec text = {&command, sizeof(command)};
  _Alignas(struct cmsghdr) char rights[CMSG_SPACE(sizeof(int))];
  struct msghdr message = {0};
  int root;
  long pidfd;
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = rights;
  message.msg_controllen = sizeof(rights);
  if (call(SYS_recvmsg, INIT_CHANNEL, (long)&message, 0, 0, 0) != sizeof(command) ||
      message.msg_controllen < CMSG_LEN(sizeof(int))) {
    leave(LOST);
  }
  root = *(int*)(void*)CMSG_DATA((struct cmsghdr*)(void*)rights);
  pidfd = call(SYS_pidfd_open, command.pid, 0, 0, 0, 0);
  check(pidfd, INIT_JOIN);
  if (orders.join != 0) check(call(SYS_setns, pidfd, orders.join, 0, 0, 0), INIT_JOIN);
  check(call(SYS_fchdir, root, 0, 0, 0, 0), INIT_JOIN);
  check(call(SYS_chroot, (long)".", 0, 0, 0, 0), INIT_JOIN);
  if (orders.new_session) call(SYS_setsid, 0, 0, 0, 0, 0);
  if (pidfd != COMMAND) check(call(SYS_dup3, pidfd, COMMAND, 0, 0, 0), INIT_JOIN);
  check(call(SYS_close_range, COMMAND + 1, ~0U, 0, 0, 0), INIT_JOIN);
}

static void drop_everything(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  const struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
  check(call(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0), INIT_DROP);
  check(call(SYS_capset, (long)&header, (long)none, 0, 0, 0), INIT_DROP);
  check(call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), INIT_DROP);
  /* Last, because a change of ids takes it away (prctl(2)). */
  if (orders.dies_with_caller) {
    check(call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), INIT_DROP);
  }
}

static void load_filters(void) {
  struct sock_filter* next = instructions;
  for (unsigned i = 0; i < orders.filters; ++i) {
    const struct sock_fprog program = {(unsigned short)orders.instructions[i], next};
    check(call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&program, 0, 0), INIT_FILTER);
    next += orders.instructions[i];
  }
}

/* Has the command ended? Waits for it without a limit. */
static long poll_command(const struct timespec* limit) {
  struct pollfd command = {COMMAND, POLLIN, 0};
  return call(SYS_ppoll, (long)&command, 1, (long)limit, 0, 8);
}

/* Of digits only: they are the library's own. */
static int number(const char* digits) {
  int value = 0;
  for (; *digits != '\0'; ++digits) value = 10 * value + (*digits - '0');
  return value;
}

static int same(const char* a, const char* b) {
  while (*a == *b && *a != '\0') ++a, ++b;
  return *a == *b;
}

/* As execute() of child.cc: the next path if nothing is there; EACCES counts if all others fail. */
static int execute_command(char** words, char** environment) {
  const int count = number(words[STAGE_COUNT]);
  char** const paths = words + STAGE_PATHS;
  int error = ENOENT;
  for (int i = 0; i < count; ++i) {
    const int refused =
        (int)-call(SYS_execve, (long)paths[i], (long)(paths + count), (long)environment, 0, 0);
    if (refused != ENOENT && refused != ENOTDIR) error = refused;
    if (refused != ENOENT && refused != ENOTDIR && refused != EACCES) break;
  }
  return error;
}

static void run_stage(char** words, char** environment) {
  struct pollfd pipe = {number(words[STAGE_PIPE]), 0, 0};
  int32_t refused = (int32_t)-call(SYS_fcntl, pipe.fd, F_SETFD, FD_CLOEXEC, 0, 0);
  if (refused == 0) refused = execute_command(words, environment);
  call(SYS_write, pipe.fd, (long)&refused, sizeof(refused), 0, 0);
  /* Until the caller has looked at this process and ends it, or is gone. */
  while (call(SYS_ppoll, (long)&pipe, 1, 0, 0, 8) == -EINTR) continue;
  leave(LOST);
}

static void run_init(void) {
  static const struct {
    void* handler;
    unsigned long flags;
    void* restorer;
    unsigned long mask;
  } ignore = {(void*)1, 0, NULL, 0};
  static const unsigned long all = ~0UL;
  static const struct timespec no_time = {0, 0};
  call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, 0, sizeof(all), 0);
  /* Whoever ignores SIGCHLD need not reap (waitpid(2), "NOTES"). */
  call(SYS_rt_sigaction, SIGCHLD, (long)&ignore, 0, sizeof(all), 0);
  call(SYS_prctl, PR_SET_NAME, (long)INIT_NAME, 0, 0, 0);
  receive_orders();
  enter_namespaces();
  take_ids();
  join();
  drop_everything();
  load_filters();
  /* If a filter stops init, then here, where the library sees it. */
  check(poll_command(&no_time), INIT_WORK);
  answer(INIT_CONFINED, 0, 0);
  call(SYS_close, INIT_CHANNEL, 0, 0, 0, 0);
  while (poll_command(NULL) == -EINTR) continue;
  leave(0);
}

static const char link_text[] =
    "pivotcheck switch: the command leads to /proc/self/exe, the program that executes it\n";

/* `stack`: the number of arguments, the arguments, the environment (execve(2)). */
__attribute__((used)) void run(long* stack) {
  char** const words = (char**)(stack + 1);
  if (stack[0] > 0 && same(words[0], INIT_NAME)) run_init();
  if (stack[0] > STAGE_PATHS && same(words[0], STAGE_NAME)) run_stage(words, words + stack[0] + 1);
  call(SYS_write, 2, (long)link_text, sizeof(link_text) - 1, 0, 0);
  leave(LOST);
}

#if defined(__x86_64__)
__asm__(
    ".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n"
    "\tcall run\n");
#else
__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x30, #0\n\tmov x0, sp\n\tbl run\n");
#endif
