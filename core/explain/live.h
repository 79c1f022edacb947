// SPDX-License-Identifier: Apache-2.0
// live.h: a ProcessView of a running process, from /proc and from a child that resolves its paths.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/failure.h"
#include "explain/process_view.h"
#include "explain/resolved_paths.h"

namespace pivotcheck::explain {

// `pid` 0: the calling process. The two paths become the ProcessView's new_root and put_old.
// Failure::Kind::cannot_run where the caller may not look at the process, or act as it.
Expected<ProcessView> view_process(pid_t pid, const PathAsked& new_root, const PathAsked& put_old,
                                   const KernelTraits& traits);

}  // namespace pivotcheck::explain
