/* SPDX-License-Identifier: Apache-2.0
 * hijack.h: PID 1 of the own PID namespace, taken over with ptrace(2). */
#pragma once

/* 1: PID 1 is stopped, and makes the calls that init_calls() asks for. 0: the kernel refuses. */
int hijack_init(void);

/* The second argument of the call is `path`, the fifth is 0. What it returns, or a negative errno. */
long init_calls(long number, long first, const char* path, long third, long fourth);
