// SPDX-License-Identifier: Apache-2.0
// paths.cc: what paths.h says.
#include "kernel/paths.h"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>

#include "base/unique_fd.h"
#include "kernel/desk.h"

namespace pivotcheck::kernel {
namespace {

struct Errand {
  int directory;
  int (*call)(void*);
  void* argument;
  bool arrived;
  int error;
};

// Ends by returning, not by _exit: so every frame on the helper's stack is left in order, which
// AddressSanitizer, for which that stack is just memory, would otherwise hold against the next
// helper.
int run_errand(void* raw) {
  auto* errand = static_cast<Errand*>(raw);
  errand->arrived = ::fchdir(errand->directory) == 0;
  errand->error = errand->arrived ? errand->call(errand->argument) : errno;
  return 0;
}

}  // namespace

AtPath at_path(const Actor& actor, const Path& path) {
  if (path.handle.empty()) return {AT_FDCWD, path.text.c_str()};
  const std::size_t begin = path.text.find_first_not_of('/');
  const int directory = actor.find(path.handle);
  if (begin != std::string::npos) return {directory, path.text.c_str() + begin};
  return {directory, path.text.empty() ? "" : "./"};
}

std::string proc_path(const Actor& actor, const Path& path) {
  if (!path.handle.empty()) return "fd/" + std::to_string(actor.find(path.handle)) + path.text;
  if (path.text.empty() || path.text.front() == '/') return path.text;
  return "cwd/" + path.text;
}

int open_proc_directory() {
  return ::openat(desk::proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

Answer run_helper(int (*call)(void*), void* argument) {
  alignas(std::max_align_t) static std::array<std::byte, 64 * 1024> stack;
  const UniqueFd directory(open_proc_directory());
  if (!directory) return broken(trouble("opening /proc/self"));
  Errand errand{directory.get(), call, argument, false, 0};
  const pid_t helper = ::clone(run_errand, stack.data() + stack.size(),
                               CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, &errand);
  if (helper < 0) return broken(trouble("clone of a helper"));
  if (::waitpid(helper, nullptr, __WALL) != helper) return broken(trouble("waitpid for a helper"));
  if (!errand.arrived) return broken({"fchdir to /proc/self", errand.error});
  return refused(errand.error);
}

}  // namespace pivotcheck::kernel
