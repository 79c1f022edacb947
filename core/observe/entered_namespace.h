// SPDX-License-Identifier: Apache-2.0
// entered_namespace.h: mountinfo as a process reads it that has entered a mount namespace by setns(2).
//
// Its root is then the topmost mount at the root of that namespace, wherever the roots of the tasks
// in it are: mountinfo shows all but what that mount covers, and what has no path. It needs no
// listmount, and sees what a listmount from outside may miss (FINDINGS.md). If a task stands in the
// root directory of what is covered, the process can go there. (From a directory below, `..` leads to
// what covers the root.)
#pragma once

#include "base/failure.h"
#include "base/unique_fd.h"

namespace pivotcheck {

// Of the namespace that the descriptor shows (/proc/PID/ns/mnt). `proc` is /proc of the caller's PID
// namespace. A child of the caller enters, opens the file and has ended when this returns; the file
// holds the mount that was its root until it is closed. `start`, if given, is a descriptor of the
// directory that becomes its root instead.
Expected<UniqueFd> open_mountinfo_inside(int proc, int mount_namespace, int start = -1);

}  // namespace pivotcheck
