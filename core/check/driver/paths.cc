// SPDX-License-Identifier: Apache-2.0
// paths.cc: what paths.h says.
#include "check/driver/paths.h"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstddef>

#include "base/unique_fd.h"
#include "check/driver/reserved_fds.h"
#include "syscalls/op_flags.h"
#include "syscalls/syscalls.h"

namespace pivotcheck::kernel {
namespace {

// The status of a helper that did not get where it should stand. Every other is an errno: they are
// below 255 on all architectures.
constexpr int lost = 255;

struct HelperCall {
  int directory;
  int (*call)(void*);
  void* argument;
};

// Ends by returning, not by an exit: so every frame on the helper's stack is left in order, which
// AddressSanitizer, for which that stack is just memory, would otherwise hold against the next
// helper.
int run_errand(void* raw) {
  const auto* errand = static_cast<const HelperCall*>(raw);
  return ::fchdir(errand->directory) == 0 ? errand->call(errand->argument) : lost;
}

// With the memory shared a helper costs about as much as three system calls, without it about as
// much as a task; but ThreadSanitizer takes every clone for a fork.
#ifdef PIVOTCHECK_THREAD_SANITIZER
pid_t start_helper(HelperCall& errand) {
  const pid_t helper = sys_fork(CLONE_FILES | SIGCHLD);
  if (helper == 0) sys_exit(run_errand(&errand));
  return helper;
}
#else
pid_t start_helper(HelperCall& errand) {
  alignas(std::max_align_t) static std::array<std::byte, 64 * 1024> stack;
  return ::clone(run_errand, stack.data() + stack.size(),
                 CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, &errand);
}
#endif

}  // namespace

AtPath at_path(const TaskContext& context, const Path& path) {
  return {path.handle.empty() ? AT_FDCWD : context.find(path.handle), text_for_at(path)};
}

std::string proc_path(const TaskContext& context, const Path& path) {
  if (!path.handle.empty()) return "fd/" + std::to_string(context.find(path.handle)) + path.text;
  if (path.text.empty() || path.text.front() == '/') return path.text;
  return "cwd/" + path.text;
}

int open_proc_directory() {
  return ::openat(reserved_fds::proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

Answer run_helper(int (*call)(void*), void* argument) {
  const UniqueFd directory(open_proc_directory());
  if (!directory) return broken(trouble("opening /proc/self"));
  HelperCall errand{directory.get(), call, argument};
  const pid_t helper = start_helper(errand);
  if (helper < 0) return broken(trouble("clone of a helper"));
  int status = 0;
  if (::waitpid(helper, &status, __WALL) != helper) return broken(trouble("waitpid for a helper"));
  if (!WIFEXITED(status)) return broken({"a helper died", 0});
  if (WEXITSTATUS(status) == lost) return broken({"fchdir to /proc/self", 0});
  return refused(WEXITSTATUS(status));
}

}  // namespace pivotcheck::kernel
