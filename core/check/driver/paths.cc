// SPDX-License-Identifier: Apache-2.0
// paths.cc: arguments of system calls, and the helper that stands in /proc.
#include "check/driver/paths.h"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstddef>

#include "base/unique_fd.h"
#include "check/driver/fresh_world.h"
#include "syscalls/op_flags.h"
#include "syscalls/syscalls.h"

namespace pivotcheck::kernel {
namespace {

// The status of a helper that could not go to its directory. Every other is an errno: they are
// below 255 on all architectures.
constexpr int helper_not_placed = 255;

struct HelperCall {
  int directory;
  int (*call)(void*);
  void* argument;
};

// Ends by returning, not by an exit, so that every frame on the helper's stack is left in order:
// AddressSanitizer takes that stack for plain memory, and would blame the next helper otherwise.
int run_helper_call(void* raw) {
  const auto* helper_call = static_cast<const HelperCall*>(raw);
  if (::fchdir(helper_call->directory) != 0) return helper_not_placed;
  return helper_call->call(helper_call->argument);
}

// With shared memory a helper costs about as much as three system calls, without it about as much
// as a task. ThreadSanitizer takes every clone for a fork.
#ifdef PIVOTCHECK_THREAD_SANITIZER
pid_t start_helper(HelperCall& helper_call) {
  const pid_t helper = sys_fork(CLONE_FILES | SIGCHLD);
  if (helper == 0) sys_exit(run_helper_call(&helper_call));
  return helper;
}
#else
pid_t start_helper(HelperCall& helper_call) {
  alignas(std::max_align_t) static std::array<std::byte, 64 * 1024> stack;
  return ::clone(run_helper_call, stack.data() + stack.size(),
                 CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, &helper_call);
}
#endif

}  // namespace

AtPath at_path(const TaskContext& context, const Path& path) {
  return {path.handle.empty() ? AT_FDCWD : context.find(path.slot), text_for_at(path)};
}

std::string proc_path(const TaskContext& context, const Path& path) {
  if (!path.handle.empty()) return "fd/" + std::to_string(context.find(path.slot)) + path.text;
  if (path.text.empty() || path.text.front() == '/') return path.text;
  return "cwd/" + path.text;
}

int open_proc_directory() {
  return ::openat(reserved_fds::proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

UniqueFd open_path(const TaskContext& context, const Path& path) {
  if (path.handle.empty() || !path.text.empty()) {
    const AtPath at = at_path(context, path);
    return UniqueFd(::openat(at.directory, at.text, O_PATH | O_CLOEXEC));
  }
  const UniqueFd directory(open_proc_directory());
  return UniqueFd(::openat(directory.get(), proc_path(context, path).c_str(), O_PATH | O_CLOEXEC));
}

StepResult run_helper(int (*call)(void*), void* argument) {
  const UniqueFd directory(open_proc_directory());
  if (!directory) return broken(setup_error("opening /proc/self"));
  HelperCall helper_call{directory.get(), call, argument};
  const pid_t helper = start_helper(helper_call);
  if (helper < 0) return broken(setup_error("clone of a helper"));
  int status = 0;
  if (::waitpid(helper, &status, __WALL) != helper) {
    return broken(setup_error("waitpid for a helper"));
  }
  if (!WIFEXITED(status)) return broken({"a helper died", 0});
  if (WEXITSTATUS(status) == helper_not_placed) return broken({"fchdir to /proc/self", 0});
  return answered(WEXITSTATUS(status));
}

}  // namespace pivotcheck::kernel
