// SPDX-License-Identifier: Apache-2.0
// names.cc: files and directories: mkdir, rmdir, touch, unlink, rename, symlink, chmod.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "check/driver/paths.h"
#include "check/driver/perform/perform.h"

namespace pivotcheck::kernel {

StepResult perform(TaskContext& context, const Mkdir& op) {
  return call_at(context, op.path, [](int at, const char* path) {
    return ::mkdirat(at, path, 0755);
  });
}

StepResult perform(TaskContext& context, const Rmdir& op) {
  return call_at(context, op.path,
                 [](int at, const char* path) { return ::unlinkat(at, path, AT_REMOVEDIR); });
}

StepResult perform(TaskContext& context, const Touch& op) {
  return call_at(context, op.path, [](int at, const char* path) {
    const UniqueFd file(::openat(at, path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
    return file.get();  // closing it leaves errno alone: there is one only where there is no file
  });
}

StepResult perform(TaskContext& context, const Unlink& op) {
  return call_at(context, op.path,
                 [](int at, const char* path) { return ::unlinkat(at, path, 0); });
}

StepResult perform(TaskContext& context, const Rename& op) {
  if (!handles_are_open(context, op.from) || !handles_are_open(context, op.to)) {
    return answered(EBADF);
  }
  const AtPath from = at_path(context, op.from);
  const AtPath to = at_path(context, op.to);
  return result_of(::renameat(from.directory, from.text, to.directory, to.text));
}

StepResult perform(TaskContext& context, const Symlink& op) {
  return call_at(context, op.path, [&](int at, const char* path) {
    return ::symlinkat(op.target.text.c_str(), at, path);
  });
}

StepResult perform(TaskContext& context, const Chmod& op) {
  return call_path(context, op.path,
                   [mode = op.mode.bits](const char* path) { return ::chmod(path, mode); });
}

}  // namespace pivotcheck::kernel
