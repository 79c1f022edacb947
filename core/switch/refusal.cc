// SPDX-License-Identifier: Apache-2.0
// refusal.cc: names the rule, from what inspection finds or from the table, and adds advice.
#include "switch/refusal.h"

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/file.h"
#include "explain/explain.h"
#include "explain/resolved_paths.h"
#include "model/rules.h"

namespace pivotcheck::rootswitch {
namespace {

// Steps whose refusal the rule explains well enough.
template <class T>
concept NeedsNoAdvice = OneOf<T, Mkdir, Rmdir, Touch, Unlink, Rename, Symlink, Chmod, Mount, Bind,
                              Move, Remount, Umount, PivotRoot, Chdir, Open, Fchdir, Close, Spawn,
                              Exit, Setns, DropCapabilities, Limit, OpenTree, MountSetattr,
                              Fsmount, strategy::EnterRoot, strategy::MapIds, strategy::UnshareOthers,
                              strategy::NewPts, strategy::AttachNew, strategy::SetHostname,
                              strategy::NewSession, strategy::KeepNamespace,
                              strategy::LockMounts, strategy::ForbidUserNamespaces,
                              strategy::DropPrivileges, strategy::Execute>;

// For a step that takes capabilities: what gives them. The caller is asked to try.
std::string user_namespace_advice(std::string_view without, bool has_one) {
  const Expected<std::string> why_not = try_own_namespaces();
  if (!why_not || why_not->empty()) {
    if (has_one) return "";
    return "without " + std::string(without) +
           " it takes a user namespace (--unshare user --map root)";
  }
  const bool mapped = read_file("/proc/self/uid_map") != "";
  return "a user namespace can't be made here: " +
         (mapped ? *why_not : "no id of this process is mapped in the one that it is in");
}

// What to do about it; "" if there is no advice. `named`: the rule, "" if it is unknown.
std::string advice(const strategy::SwitchStep& step, int error, std::string_view named,
                   const SwitchOptions& options) {
  using Text = std::string;
  if (named == "root-is-rootfs") return "--strategy move-chroot works there";
  if (error == ENOSPC && std::holds_alternative<Op>(step.action)) {
    return "a limit in /proc/sys/user is reached";
  }
  return strategy::visit(
      Overloaded{
          [&]<OneOf<Unshare, Chroot> T>(const T&) -> Text {
            if (error != EPERM || named == "unshare-user-chrooted") return "";
            return user_namespace_advice("CAP_SYS_ADMIN and CAP_SYS_CHROOT",
                                         options.user_namespace);
          },
          [&](const MoveMount&) -> Text {
            const bool kinds = error == EINVAL || error == ENOTDIR;
            return kinds ? "a file goes on a file, a directory on a directory" : "";
          },
          [&](const ChangePropagation& change) -> Text {
            if (error != EINVAL || change.path != Path("/")) return "";
            return "a root that is a plain directory, as in a chroot, can't be pivoted either "
                   "(root-not-mount-point); there, as root, --strategy chroot works";
          },
          [&](const strategy::NewPidNamespace&) -> Text {
            if (error != EPERM) return "";
            return user_namespace_advice("CAP_SYS_ADMIN", options.user_namespace);
          },
          [&](const strategy::OpenInRoot&) -> Text {
            if (error == EXDEV) return "that is the new root itself";
            if (error != ENOENT) return "";
            return "it must be there in the new root; no link is followed out of it";
          },
          [&](const strategy::OpenTreeNoLinks&) -> Text {
            return error == ELOOP ? "a symbolic link has come in since the path was checked" : "";
          },
          [](const strategy::MakePrivateDirectory&) -> Text {
            return "this strategy makes a directory in the new root; dot-dot needs none";
          },
          [](const OneOf<strategy::CloneNull, strategy::MaskProc> auto&) -> Text {
            return "it is to hide what in /proc is the whole machine's; --open-proc hides nothing";
          },
          [&](const strategy::NewProc&) -> Text {
            if (error != EPERM) return "";
            return "the kernel lets a user namespace mount /proc only if it has its own PID "
                   "namespace and can see a /proc that nothing is mounted on";
          },
          [](const NeedsNoAdvice auto&) -> Text { return ""; },
      },
      step);
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

// If inspection finds no rule, the table is not asked: a seccomp filter or an LSM refused. A step
// is performed by the calls of the first operation that it stands for to the model.
explain::Reason reason_of(const Refused& refused, const strategy::SwitchStep& step, int error) {
  const std::vector<Op> ops = strategy::modelled(step);
  if (ops.empty()) return nullptr;
  const auto why = explain::why_refused(refused.process, ops.front(), error, refused.starts);
  if (why) return *why;
  // By the descriptor of a namespace: no task is inspected.
  const bool setns = std::holds_alternative<Setns>(ops.front());
  return only_rule(setns ? Calls{Call::setns} : calls_of(ops.front()), error);
}

}  // namespace

std::string error_text(int error) {
  return std::string(strerror(error)) + " (" + errno_name(error) + ")";
}

SwitchFailure refusal(const Refused& refused, const strategy::SwitchStep& step, int error,
                      const SwitchOptions& options) {
  SwitchFailure failure{SwitchFailure::Kind::refused, strategy::describe(step), error, "", ""};
  const explain::Reason reason = reason_of(refused, step, error);
  failure.message = (step.about.empty() ? "" : step.about + ": ") + failure.step + ": ";
  if (reason != nullptr) {
    failure.rule = reason->name;
    failure.message += errno_name(error) + " " + failure.rule + ": ";
    failure.message += reason->reason;
  } else {
    failure.message += error_text(error);
  }
  const std::string more = advice(step, error, failure.rule, options);
  if (!more.empty()) failure.message.append("; ").append(more);
  return failure;
}

SwitchFailure init_refusal(const InitRefusal& refused) {
  switch (refused.what) {
    case INIT_IDS: return refused_before("the init of the new PID namespace: ids", refused.error);
    case INIT_JOIN:
      return refused_before("the init of the new PID namespace: entering the new root",
                            refused.error);
    case INIT_DROP:
      return refused_before("the init of the new PID namespace: capabilities", refused.error);
    default:
      return refused_before(
          "the seccomp filters stop the init of the new PID namespace, which has them as well (it "
          "needs seccomp, ppoll, write, close and exit_group)",
          refused.error);
  }
}

SwitchFailure deceived(const char* call) {
  return refused_before("no confinement here: " + std::string(call) +
                            "() succeeds whatever it is asked for, so a seccomp filter of whoever "
                            "started this answers in place of the kernel",
                        0);
}

SwitchFailure filter_refusal(std::uint32_t number) {
  return refused_before("seccomp filter " + std::to_string(number) +
                            " can't be loaded: an earlier one kills the process that tries",
                        0);
}

SwitchFailure refused_before(std::string message, int error) {
  if (error != 0) message += ": " + error_text(error);
  return {SwitchFailure::Kind::refused, "", error, "", std::move(message)};
}

}  // namespace pivotcheck::rootswitch
