// SPDX-License-Identifier: Apache-2.0
// refusal.cc: see refusal.h.
#include "rootswitch/refusal.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "model/rules.h"

namespace pivotcheck::rootswitch {
namespace {

std::atomic<RuleFinder> finder_set{nullptr};

// The name under which the table of rules has the call of a step; "" for one that it does not have.
std::string_view call_of(const strategy::Step& step) {
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
bool is_about(const RuleInfo& rule, const strategy::Step& step) {
  const auto* op = std::get_if<Op>(&step.action);
  const auto* unshare = op == nullptr ? nullptr : std::get_if<Unshare>(op);
  if (unshare == nullptr) return true;
  return (rule.rule == Rule::unshare_user_chrooted) == unshare->kinds.has(NamespaceKind::user);
}

// What to do about it, where that does not depend on the machine's state; "" otherwise.
std::string_view advice(const strategy::Step& step, int error, const SwitchOptions& options) {
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

}  // namespace

void set_rule_finder(RuleFinder finder) { finder_set = finder; }

std::string only_rule(const strategy::Step& step, int error) {
  const std::string_view call = call_of(step);
  std::string found;
  if (call.empty()) return found;
  for (const RuleInfo& rule : rule_table()) {
    if (rule.error != error || !is_rule_of(rule, call)) continue;
    if (!is_about(rule, step)) continue;
    if (!found.empty()) return "";
    found = rule.name;
  }
  return found;
}

std::string error_text(int error) {
  return std::string(strerror(error)) + " (" + errno_name(error) + ")";
}

SwitchFailure refusal(pid_t process, const strategy::Step& step, int error,
                      const SwitchOptions& options) {
  SwitchFailure failure;
  failure.kind = SwitchFailure::Kind::refused;
  failure.step = strategy::describe(step);
  failure.error = error;
  if (const RuleFinder finder = finder_set) failure.rule = finder(process, step, error);
  if (failure.rule.empty()) failure.rule = only_rule(step, error);
  failure.message = step.about.empty() ? "" : step.about + ": ";
  failure.message += failure.step + ": ";
  const Rule rule = failure.rule.empty() ? Rule::none : find_rule(failure.rule);
  if (rule != Rule::none) {
    failure.message += errno_name(error) + " " + failure.rule + ": ";
    failure.message += info(rule).reason;
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

}  // namespace pivotcheck::rootswitch
