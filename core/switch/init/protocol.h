/* SPDX-License-Identifier: Apache-2.0
 * protocol.h: what the small init (init.c) and the library that starts it (init_process.h) say to
 * each other, over a pair of SOCK_SEQPACKET sockets. It is C, because init.c is.
 *
 *     caller                  first process   init                  command, not yet executed
 *       | -- orders, filters -------> |          .
 *       |                 makes the namespaces, forks
 *       | <----- INIT_MADE, pid ----- |--------->|
 *       | -- go: its ids are mapped ------------>|
 *       | <--------------------------- INIT_UP --|
 *       |   clones a child; that enters the namespaces, forks, and performs the strategy's steps
 *       |                                        | <-- join: its pid, its root directory -- |
 *       |                        moves there, drops all, loads the filters                  |
 *       |                                        | ---- INIT_CONFINED --------------------> |
 *
 * A first process that has no namespaces to make is init itself, and neither it nor an init that takes
 * no ids (takes_ids) is waited for. Instead of each answer INIT_REFUSED may come, and then init has ended. */
#pragma once

#include <stdint.h>

#define INIT_NAME "pivotcheck-init" /* argument 0 of the program, as init */

enum {
  INIT_CHANNEL = 0,        /* the descriptor of the socket */
  INIT_USER_NAMESPACE = 1, /* the one to enter, if orders say so */
  INIT_FILTERS_MAX = 16,
  INIT_INSTRUCTIONS_MAX = 32768, /* of all filters: the kernel's MAX_INSNS_PER_PATH */
};

enum { INIT_MADE = 1, INIT_UP, INIT_CONFINED, INIT_REFUSED };

/* What was refused. */
enum { INIT_NAMESPACES = 1, INIT_IDS, INIT_JOIN, INIT_DROP, INIT_FILTER, INIT_WORK };

struct init_orders {
  uint32_t unshare; /* CLONE_...; 0: the first process is init, it is in its PID namespace already */
  uint32_t join;    /* CLONE_...: the namespaces of the command that init enters later */
  uint32_t enters_user_namespace;
  uint32_t takes_ids; /* it waits for go, and answers INIT_UP */
  uint32_t uid;
  uint32_t gid;
  uint32_t dies_with_caller;
  uint32_t new_session; /* as the command: it leaves the caller's terminal */
  uint32_t filters;                         /* how many; each follows as a message of its own */
  uint32_t instructions[INIT_FILTERS_MAX];  /* of each */
};

struct init_join {
  int32_t pid; /* of the command, in the new PID namespace; its root comes as SCM_RIGHTS */
};

struct init_answer {
  int32_t kind;
  int32_t value; /* INIT_MADE: the pid of init; INIT_REFUSED: the errno */
  int32_t what;  /* INIT_REFUSED: see above */
};

/* The same program as the stage that executes a confined command:
 *
 *     STAGE_NAME, number of a pipe, count, `count` paths, the command's arguments
 *
 * It executes the first path that can be, and the pipe is closed by that; or it writes the errno, an
 * int32_t, into the pipe, and waits to be looked at and killed. */
#define STAGE_NAME "pivotcheck-exec"
enum { STAGE_PIPE = 1, STAGE_COUNT, STAGE_PATHS };
