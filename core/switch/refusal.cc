// SPDX-License-Identifier: Apache-2.0
// refusal.cc: see refusal.h.
#include "switch/refusal.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "explain/refused_step.h"
#include "model/rules.h"

namespace pivotcheck::rootswitch {
namespace {

// The name under which the table of rules has the call of a step; "" for one that it does not have.
std::string_view call_of(const strategy::SwitchStep& step) {
  if (std::holds_alternative<strategy::MakePrivateDirectory>(step.action)) return "mkdir";
  if (std::holds_alternative<strategy::OpenInRoot>(step.action)) return "open";
  const auto* op = std::get_if<Op>(&step.action);
  if (op == nullptr) return "";
  return std::visit(Overloaded{
                        [](const Bind&) -> std::string_view { return "mount"; },
                        [](const Mount&) -> std::string_view { return "mount"; },
                        [](const Move&) -> std::string_view { return "mount"; },
                        [](const ChangePropagation&) -> std::string_view { return "mount"; },
                        [](const Remount&) -> std::string_view { return "mount"; },
                        [&](const auto&) -> std::string_view { return verb(*op); },
                    },
                    *op);
}

// The table names several calls where they share a rule: "mount, open_tree".
bool is_rule_of(const RuleInfo& rule, std::string_view call) {
  std::string_view calls = rule.syscall;
  while (!calls.empty()) {
    const std::size_t end = std::min(calls.find(','), calls.size());
    const std::string_view one = calls.substr(0, end);
    if (one == call || one == "*path*") return true;
    calls.remove_prefix(std::min(end + 2, calls.size()));
  }
  return false;
}

// Rules of one call that are about another form of it.
bool is_about(const RuleInfo& rule, const strategy::SwitchStep& step) {
  const auto* op = std::get_if<Op>(&step.action);
  if (op == nullptr || rule.syscall == "*path*") return true;
  const auto begins = [&](std::string_view word) { return rule.name.starts_with(word); };
  const bool new_mount = begins("mount-type");
  const bool any_mount = begins("mount-") && !new_mount;
  return std::visit(
      Overloaded{
          [&](const Mount&) { return new_mount || (any_mount && !begins("mount-source")); },
          [&](const Bind&) { return any_mount || begins("bind-"); },
          [&](const Move&) { return any_mount || begins("move-"); },
          [&](const ChangePropagation&) {
            return rule.rule == Rule::mount_no_capability || begins("propagation-");
          },
          [&](const Remount&) {
            return rule.rule == Rule::mount_no_capability || begins("remount-");
          },
          [&](const Umount& umount) {
            return umount.flags.has(UmountFlag::expire) || !begins("umount-expire");
          },
          [&](const MoveMount& move) {
            return (move.flags.has(MoveMountFlag::beneath) || !begins("beneath-")) &&
                   (move.flags.has(MoveMountFlag::set_group) || !begins("set-group-"));
          },
          [&](const Unshare& unshare) {
            return (rule.rule == Rule::unshare_user_chrooted) ==
                   unshare.kinds.has(NamespaceKind::user);
          },
          // By the descriptor of a namespace: no task is inspected.
          [&](const Setns&) { return rule.rule != Rule::setns_may_not_inspect; },
          [](const auto&) { return true; },
      },
      *op);
}

// What to do about it, where that does not depend on the machine's state; "" otherwise.
std::string_view advice(const strategy::SwitchStep& step, int error, const SwitchOptions& options) {
  if (const auto* op = std::get_if<Op>(&step.action)) {
    const bool denied = error == EPERM && !options.user_namespace;
    if (denied && (std::holds_alternative<Unshare>(*op) || std::holds_alternative<Chroot>(*op))) {
      return "without CAP_SYS_ADMIN and CAP_SYS_CHROOT it takes a user namespace (--unshare user "
             "--map root)";
    }
    const bool kinds = error == EINVAL || error == ENOTDIR;
    if (kinds && std::holds_alternative<MoveMount>(*op)) {
      return "a file goes on a file, a directory on a directory";
    }
    const auto* change = std::get_if<ChangePropagation>(op);
    if (change != nullptr && error == EINVAL && change->path == Path("/")) {
      return "a root that is a plain directory, as in a chroot, can't be pivoted either "
             "(root-not-mount-point)";
    }
    if (error == ENOSPC) return "a limit in /proc/sys/user is reached";
  }
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

// What the table alone says: the only rule that fits; nullptr if there are more, or none.
explain::Reason only_rule(const strategy::SwitchStep& step, int error) {
  const std::string_view call = call_of(step);
  if (call.empty()) return nullptr;
  explain::Reason found = nullptr;
  for (const RuleInfo& rule : rule_table()) {
    if (rule.error != error || !is_rule_of(rule, call) || !is_about(rule, step)) continue;
    if (found != nullptr) return nullptr;
    found = &rule;
  }
  return found;
}

// What was looked at decides, even if it explains nothing: then it was somebody else who refused
// (a filter, a security module), and the only rule in the table is not it.
explain::Reason reason_of(const Refused& refused, const strategy::SwitchStep& step, int error) {
  const std::vector<Op> ops = strategy::modelled(step);
  if (!ops.empty()) {
    const auto why = explain::why_refused(refused.process, {ops.front(), error, refused.starts});
    if (why) return *why;
  }
  return only_rule(step, error);
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
