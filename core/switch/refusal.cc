// SPDX-License-Identifier: Apache-2.0
// refusal.cc: names the rule, from what inspection finds or from the table, and adds advice.
#include "switch/refusal.h"

#include <cerrno>
#include <cstring>
#include <vector>

#include "explain/explain.h"
#include "model/rules.h"

namespace pivotcheck::rootswitch {
namespace {

// The calls by which a step is performed: the first operation that it stands for to the model.
Calls calls_of_step(const std::vector<Op>& ops) {
  if (ops.empty()) return {};
  // By the descriptor of a namespace: no task is inspected.
  if (std::holds_alternative<Setns>(ops.front())) return {Call::setns};
  return calls_of(ops.front());
}

// Operations whose refusal the rule explains well enough.
template <class T>
concept NeedsNoAdvice =
    OneOf<T, Mkdir, Rmdir, Touch, Unlink, Rename, Symlink, Chmod, Mount, Bind, Move, Remount, Umount,
          PivotRoot, Chdir, Open, Fchdir, Close, Spawn, Exit, Setns, DropCapabilities, OpenTree,
          MountSetattr, Fsmount>;

// Advice that follows from the step and its errno alone; "" if there is none.
std::string_view advice(const Op& op, int error, const SwitchOptions& options) {
  using Text = std::string_view;
  if (error == ENOSPC) return "a limit in /proc/sys/user is reached";
  const auto privileged = [&]<OneOf<Unshare, Chroot> T>(const T&) -> Text {
    if (error != EPERM || options.user_namespace) return "";
    return "without CAP_SYS_ADMIN and CAP_SYS_CHROOT it takes a user namespace (--unshare user "
           "--map root)";
  };
  const auto move_mount = [&](const MoveMount&) -> Text {
    const bool kinds = error == EINVAL || error == ENOTDIR;
    return kinds ? "a file goes on a file, a directory on a directory" : "";
  };
  const auto propagation = [&](const ChangePropagation& change) -> Text {
    if (error != EINVAL || change.path != Path("/")) return "";
    return "a root that is a plain directory, as in a chroot, can't be pivoted either "
           "(root-not-mount-point)";
  };
  const auto others = [](const NeedsNoAdvice auto&) -> Text { return ""; };
  return std::visit(Overloaded{privileged, move_mount, propagation, others}, op);
}

std::string_view advice(const strategy::SwitchStep& step, int error,
                        const SwitchOptions& options) {
  if (const auto* op = std::get_if<Op>(&step.action)) return advice(*op, error, options);
  if (std::holds_alternative<strategy::NewPidNamespace>(step.action) && error == EPERM) {
    return "without CAP_SYS_ADMIN it takes a user namespace (--unshare user --map root)";
  }
  if (std::holds_alternative<strategy::OpenInRoot>(step.action)) {
    if (error == ENOENT) return "it must be there in the new root; no link is followed out of it";
    if (error == EXDEV) return "that is the new root itself";
  }
  if (std::holds_alternative<strategy::MakePrivateDirectory>(step.action)) {
    return "this strategy makes a directory in the new root; dot-dot needs none";
  }
  if (std::holds_alternative<strategy::NewProc>(step.action) && error == EPERM) {
    return "the kernel lets a user namespace mount /proc only if it has its own PID namespace and "
           "can see a /proc that nothing is mounted on";
  }
  return "";
}

// The only rule of these calls with that errno; nullptr if there are more, or none.
explain::Reason only_rule(Calls calls, int error) {
  explain::Reason found = nullptr;
  for (const RuleInfo& rule : rule_table()) {
    if (rule.error != error || !rule.calls.overlaps(calls)) continue;
    if (found != nullptr) return nullptr;
    found = &rule;
  }
  return found;
}

// If inspection finds no rule, the table is not asked: a seccomp filter or an LSM refused.
explain::Reason reason_of(const Refused& refused, const strategy::SwitchStep& step, int error) {
  const std::vector<Op> ops = strategy::modelled(step);
  if (!ops.empty()) {
    const auto why = explain::why_refused(refused.process, ops.front(), error, refused.starts);
    if (why) return *why;
  }
  return only_rule(calls_of_step(ops), error);
}

}  // namespace

std::string error_text(int error) {
  return std::string(strerror(error)) + " (" + errno_name(error) + ")";
}

SwitchFailure refusal(const Refused& refused, const strategy::SwitchStep& step, int error,
                      const SwitchOptions& options) {
  SwitchFailure failure;
  failure.kind = SwitchFailure::Kind::refused;
  failure.step = strategy::describe(step);
  failure.error = error;
  const explain::Reason reason = reason_of(refused, step, error);
  failure.message = step.about.empty() ? "" : step.about + ": ";
  failure.message += failure.step + ": ";
  if (reason != nullptr) {
    failure.rule = reason->name;
    failure.message += errno_name(error) + " " + failure.rule + ": ";
    failure.message += reason->reason;
  } else {
    failure.message += error_text(error);
  }
  const std::string_view more = advice(step, error, options);
  if (!more.empty()) failure.message.append("; ").append(more);
  return failure;
}

SwitchFailure bad_options(std::string message) {
  return {SwitchFailure::Kind::bad_options, "", 0, "", std::move(message)};
}

SwitchFailure refused_before(std::string message, int error) {
  return {SwitchFailure::Kind::refused, "", error, "", std::move(message)};
}

std::string rule_of_name(int error) {
  switch (error) {
    case ENOENT: return std::string(info(Rule::name_missing).name);
    case ENOTDIR: return std::string(info(Rule::not_a_directory).name);
    case EACCES: return std::string(info(Rule::search_denied).name);
    case ELOOP: return std::string(info(Rule::too_many_links).name);
    default: return "";
  }
}

}  // namespace pivotcheck::rootswitch
