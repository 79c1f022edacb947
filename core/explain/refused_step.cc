// SPDX-License-Identifier: Apache-2.0
// refused_step.cc: see refused_step.h.
#include "explain/refused_step.h"

#include <fcntl.h>
#include <unistd.h>

#include <concepts>
#include <vector>

#include "base/unique_fd.h"
#include "explain/evaluate.h"
#include "explain/process_view.h"
#include "model/apply.h"
#include "observe/proc.h"

namespace pivotcheck::explain {
namespace {

// Of the others, the answer hangs on files and modes, which are not in a ProcessView; of an open
// only whether the path leads anywhere.
bool can_be_judged(const Op& op) {
  return std::visit(
      []<class T>(const T&) {
        return std::same_as<T, Mount> || std::same_as<T, Bind> || std::same_as<T, Move> ||
               std::same_as<T, ChangePropagation> || std::same_as<T, Remount> ||
               std::same_as<T, Umount> || std::same_as<T, PivotRoot> || std::same_as<T, Chroot> ||
               std::same_as<T, Unshare> || std::same_as<T, OpenTree> ||
               std::same_as<T, MoveMount> || std::same_as<T, MountSetattr> ||
               std::same_as<T, Fsmount> || std::same_as<T, Open>;
      },
      op);
}

std::vector<Path*> paths_of(Op& op) {
  std::vector<Path*> paths;
  const auto collect = Overloaded{[&](Path& path) { paths.push_back(&path); }, [](auto&) {}};
  std::visit([&]<class T>(T& one) { T::fields(one, collect); }, op);
  return paths;
}

// A bare handle of something to be attached or changed: the process has cloned it, or made it.
bool may_be_tree(const Op& op, const std::vector<Path*>& paths) {
  const bool takes_trees =
      std::holds_alternative<MoveMount>(op) || std::holds_alternative<MountSetattr>(op);
  return takes_trees && !paths.front()->handle.empty() && paths.front()->text.empty();
}

Possibility outcome_in(Hypothesis hypothesis, Op op, const std::vector<Path*>& paths) {
  if (std::holds_alternative<PivotRoot>(op)) return evaluate(hypothesis);
  const std::array<const ResolvedPath*, 2> places{&hypothesis.resolved_new_root,
                                                  &hypothesis.resolved_put_old};
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const Rule rule = rule_of_lookup(*places[i]);
    if (rule != Rule::none) return {.outcome = {info(rule).error}, .reason = &info(rule)};
    *paths_of(op)[i] = i == 0 ? hypothesis.new_root : hypothesis.put_old;
  }
  const Verdict verdict = apply(hypothesis.world, {{task_name}, op});
  if (verdict.rule == Rule::none) return {};
  return {.outcome = verdict.outcome, .reason = &info(verdict.rule)};
}

}  // namespace

Expected<Reason> why_refused(pid_t pid, const RefusedStep& step) {
  if (!can_be_judged(step.op)) return fail("it hangs on more than mounts and roots");
  const UniqueFd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (pid != 0 && (!proc || own_number(proc.get()) != ::getpid())) {
    return fail("/proc is not that of this PID namespace");
  }
  Op op = step.op;
  const std::vector<Path*> paths = paths_of(op);
  std::array<PathAsked, 2> asked{{{"."}, {"."}}};
  for (std::size_t i = 0; i < paths.size(); ++i) {
    asked[i] = {paths[i]->text, step.descriptors[i]};
    if (!paths[i]->handle.empty() && step.descriptors[i] < 0) return fail("a handle is not open");
  }
  auto process =
      view_process(pid, asked[0], asked[1], KernelTraits::for_release(running_release()));
  if (!process) return std::unexpected(process.error());
  const bool is_pivot = std::holds_alternative<PivotRoot>(op);
  if (is_pivot && process->seccomp_answer == Outcome{step.error}) return &seccomp_filter;
  process->new_root.is_detached_tree =
      may_be_tree(op, paths) && process->find(process->new_root.mount) == nullptr;
  for (const bool locked : {false, true}) {
    Reason found = nullptr;
    for (const Assumption& assumption : assumptions(open_questions(*process))) {
      if (assumption.locked != locked) continue;
      const Possibility one = outcome_in(build_world(*process, assumption), op, paths);
      if (one.reason == nullptr || one.outcome != Outcome{step.error}) continue;
      if (found != nullptr && found != one.reason) return nullptr;
      found = one.reason;
    }
    if (found != nullptr) return found;
  }
  return nullptr;
}

}  // namespace pivotcheck::explain
