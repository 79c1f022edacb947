// SPDX-License-Identifier: Apache-2.0
// step.cc: from a strategy's name to its steps, and what a step is to the model and to people.
#include "switch/strategy/step.h"

#include <array>

#include "op/quote.h"
#include "scenario/scenario.h"

namespace pivotcheck::strategy {

std::string_view name(Phase phase) {
  constexpr std::array<std::string_view, 8> names{"prepare", "namespace", "propagation", "bind",
                                                  "pivot", "detach", "start", "teardown"};
  return names[static_cast<std::size_t>(phase)];
}

std::vector<Op> modelled(const SwitchStep& step) {
  using Ops = std::vector<Op>;
  return std::visit(
      Overloaded{
          [](const Op& op) { return Ops{op}; },
          [](const EnterRoot& enter) { return Ops{Chdir{enter.path}}; },
          [](const OpenTreeNoLinks& open) { return Ops{open.call}; },
          [](const MakePrivateDirectory& made) {
            return Ops{Mkdir{made.path}, Chmod{made.path, {0700}}, Open{made.lock, made.path}};
          },
          [](const OpenInRoot& open) {
            return Ops{Open{open.handle, Path(open.root.text, open.path)}};
          },
          [](const KeepNamespace& keep) { return Ops{Spawn{keep.name}}; },
          []<OneOf<NewPidNamespace, MapIds, UnshareOthers, NewProc, NewPts, AttachNew,
                   CloneNull, MaskProc, LockMounts, ForbidUserNamespaces, SetHostname, NewSession,
                   DropPrivileges,
                   Execute> T>(const T&) { return Ops{}; },
      },
      step.action);
}

std::string describe(const SwitchStep& step) {
  return std::visit(
      Overloaded{
          [](const Op& op) { return print(Step{{"A"}, op}); },
          [](const EnterRoot& enter) { return print(Step{{"A"}, Chdir{enter.path}}); },
          [](const OpenTreeNoLinks& open) { return print(Step{{"A"}, open.call}); },
          [](const MakePrivateDirectory& made) { return "mkdir -m 0700 " + print(made.path); },
          [](const OpenInRoot& open) { return "open " + open.path + " in the new root"; },
          [](const NewPidNamespace&) { return std::string("new PID namespace"); },
          [](const MapIds&) { return std::string("id maps"); },
          [](const UnshareOthers&) { return std::string("unshare other namespaces"); },
          [](const NewProc&) { return std::string("new proc filesystem"); },
          [](const CloneNull&) { return std::string("clone of /dev/null"); },
          [](const MaskProc&) { return std::string("mask what is the machine's in proc"); },
          [](const NewPts&) { return std::string("new devpts filesystem"); },
          [](const AttachNew& attach) { return "move_mount @" + attach.mount.text; },
          [](const LockMounts&) { return std::string("lock the mounts"); },
          [](const ForbidUserNamespaces&) { return std::string("forbid user namespaces"); },
          [](const SetHostname& set) { return "set the host name " + quoted_if_needed(set.name); },
          [](const NewSession&) { return std::string("new session"); },
          [](const KeepNamespace&) { return std::string("keep this mount namespace"); },
          [](const DropPrivileges&) { return std::string("capabilities and seccomp"); },
          [](const Execute&) { return std::string("exec"); },
      },
      step.action);
}

namespace {

// Through a descriptor: a link of the new root could lead through /proc/self/fd to a directory that
// is still open, of the host's (CVE-2024-21626).
void change_directory(const std::string& directory, Steps& steps) {
  const HandleName root{"newroot"};
  const HandleName start{"start"};
  const std::size_t first = steps.size();
  add(steps, Phase::start, Open{root, "/"}, OpenInRoot{start, root, directory}, Fchdir{start},
      Close{start}, Close{root});
  for (SwitchStep& step : std::span(steps).subspan(first)) step.about = "the current directory";
}

}  // namespace

Steps steps(Strategy strategy, const Plan& plan) {
  Steps all;
  switch (strategy) {
    case Strategy::put_old: all = put_old(plan); break;
    case Strategy::dot_dot: all = dot_dot(plan); break;
    case Strategy::manual: all = manual(plan); break;
    case Strategy::proc_first: all = proc_first(plan); break;
    case Strategy::tmpfs_sandbox: all = tmpfs_sandbox(plan); break;
    case Strategy::move_chroot: all = move_chroot(plan); break;
    case Strategy::chroot: all = chroot(plan); break;
    case Strategy::template_: all = template_(plan); break;
  }
  for (SwitchStep& step : all) {
    if (step.about.empty() && step.phase >= Phase::bind) step.about = "new root " + plan.new_root;
  }
  // A process that has changed its root by chroot(2) may not make a user namespace: there it was
  // done before that.
  if (plan.lock_mounts && strategy != Strategy::chroot) add(all, Phase::start, LockMounts{});
  if (plan.confine) add(all, Phase::start, ForbidUserNamespaces{});
  if (!plan.hostname.empty()) add(all, Phase::start, SetHostname{plan.hostname});
  if (plan.new_session) add(all, Phase::start, NewSession{});
  if (plan.directory != "/") change_directory(plan.directory, all);
  add(all, Phase::start, DropPrivileges{}, Execute{});
  return all;
}

}  // namespace pivotcheck::strategy
