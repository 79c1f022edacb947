// SPDX-License-Identifier: Apache-2.0
// mounts.cc: mount, bind, move, change of propagation, remount, umount.
#include <sys/mount.h>

#include "check/driver/paths.h"
#include "check/driver/perform/perform.h"
#include "syscalls/op_flags.h"

namespace pivotcheck::kernel {

StepResult perform(TaskContext& context, const Mount& op) {
  return call_path(context, op.path, [&op](const char* path) {
    return ::mount("none", path, type_name(op.type), flags_of(op), nullptr);
  });
}

StepResult perform(TaskContext& context, const Bind& op) {
  return call_paths(context, op.source, op.target, [&op](const char* source, const char* target) {
    return ::mount(source, target, nullptr, flags_of(op), nullptr);
  });
}

StepResult perform(TaskContext& context, const Move& op) {
  return call_paths(context, op.source, op.target, [&op](const char* source, const char* target) {
    return ::mount(source, target, nullptr, flags_of(op), nullptr);
  });
}

StepResult perform(TaskContext& context, const ChangePropagation& op) {
  return call_path(context, op.path, [&op](const char* path) {
    return ::mount("none", path, nullptr, flags_of(op), nullptr);
  });
}

StepResult perform(TaskContext& context, const Remount& op) {
  return call_path(context, op.path, [&op](const char* path) {
    return ::mount("none", path, nullptr, flags_of(op), nullptr);
  });
}

StepResult perform(TaskContext& context, const Umount& op) {
  int flags = flags_of(op);
  // A bare @h is a link in /proc on the helper's way: not following it would be about that link.
  if (is_bare_handle(op.path)) flags &= ~UMOUNT_NOFOLLOW;
  return call_path(context, op.path, [flags](const char* path) { return ::umount2(path, flags); });
}

}  // namespace pivotcheck::kernel
