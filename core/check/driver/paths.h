// SPDX-License-Identifier: Apache-2.0
// paths.h: how a scenario's path, which may start at a handle, becomes an argument of a system
// call.
//
// A call that takes a descriptor (mkdirat, renameat, ...) gets the handle's:
//
//     /a/b, b, ""     AT_FDCWD and the text as it is
//     @h/sub          the handle's descriptor and "sub"
//     @h              the handle's descriptor and "": ENOENT, as such a call says of an empty name
//
// A call that takes none (mount, umount2, pivot_root, chmod) is done, if there is a handle, by a
// helper: a process that shares the task's memory and descriptors and has its namespaces,
// credentials and root, but stands in the task's directory of the machine's /proc. From there, with
// descriptor 7:
//
//     @h/sub -> fd/7/sub     @h -> fd/7     b -> cwd/b     /a/b and "" as they are
//
// The links in fd/ and cwd lead to exactly that mount and directory (proc(5)), and nothing is
// looked up below it but what the path says: a bare @h asks no permission to search the directory
// it shows.
//
// What the helper does not disturb. It holds no reference that could make a mount busy: its root's
// mount and its first current directory's are busy by the task's own. For the same reason it clears
// no MNT_EXPIRE mark: giving a reference back clears the mark of that mount, and a mount in which a
// task stands has none. pivot_root moves the task's root and current directory though the helper
// calls it, because it moves those of every process that has the old root.
//
// Left out: a link in fd/ counts as one of the 40 symbolic links that one path may have, and
// "fd/7/" as a few of its 4,095 bytes.
#pragma once

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <string>
#include <tuple>

#include "base/unique_fd.h"
#include "check/driver/task_context.h"

namespace pivotcheck::kernel {

// For calls that take a descriptor. Here and below every handle is open.
struct AtPath {
  int directory = AT_FDCWD;
  const char* text = "";
};
AtPath at_path(const TaskContext& context, const Path& path);

// The path as seen from the task's directory in /proc.
std::string proc_path(const TaskContext& context, const Path& path);
// That directory, O_PATH; -1 and errno.
int open_proc_directory();

// What a handle's path leads to, as an O_PATH descriptor of its own; empty and errno if refused.
UniqueFd open_path(const TaskContext& context, const Path& path);

// Runs `call(argument)` in a helper that stands in the task's directory of /proc, and waits for it.
// It must only make system calls: it shares the memory of the task. What it returns is 0 or an
// errno.
StepResult run_helper(int (*call)(void*), void* argument);

// 0 or an errno, from what a system call returned.
inline StepResult result_of(long result) { return {.outcome = {result < 0 ? errno : 0}}; }
inline StepResult answered(int error) { return {.outcome = {error}}; }
inline StepResult broken(SetupError what) {
  return {.outcome = {}, .descriptor = 0, .broken = what};
}

// `call(path...)`, by a helper if one of the paths starts at a handle.
template <class Call, class... Paths>
StepResult call_paths(const TaskContext& context, Call call, const Paths&... paths) {
  if ((paths.handle.empty() && ...)) return result_of(call(paths.text.c_str()...));
  struct Argument {
    std::array<std::string, sizeof...(paths)> texts;
    Call call;
  } argument{{proc_path(context, paths)...}, call};
  return run_helper(
      [](void* raw) {
        const auto& [texts, call_it] = *static_cast<const Argument*>(raw);
        const long result =
            std::apply([&](const auto&... text) { return call_it(text.c_str()...); }, texts);
        return result < 0 ? errno : 0;
      },
      &argument);
}

}  // namespace pivotcheck::kernel
