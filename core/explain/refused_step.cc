// SPDX-License-Identifier: Apache-2.0
// refused_step.cc: performs the step in each possible World, and keeps the rules with its errno.
#include "explain/refused_step.h"

#include <unistd.h>

#include <vector>

#include "explain/evaluate.h"
#include "explain/process_view.h"
#include "model/apply.h"
#include "observe/proc.h"

namespace pivotcheck::explain {
namespace {

// What decides the outcome: mounts, roots and credentials alone, or also files and modes, which are
// not in a ProcessView. Of an open, only the lookup is explained. `trees`: a bare handle may be
// that of a detached tree, which the process has made. Every operation is in one of the lists.
enum class DecidedBy : unsigned char { more, mounts, trees };
template <class T>
concept ByMore = OneOf<T, Mkdir, Rmdir, Touch, Unlink, Rename, Symlink, Chmod, Chdir, Fchdir, Close,
                       Spawn, Exit, Setns, DropCapabilities>;
template <class T>
concept ByMounts = OneOf<T, Mount, Bind, Move, ChangePropagation, Remount, Umount, PivotRoot,
                         Chroot, Open, Unshare, OpenTree, Fsmount>;
template <class T>
concept ByTrees = OneOf<T, MoveMount, MountSetattr>;

DecidedBy decided_by(const Op& op) {
  return std::visit(Overloaded{[](const ByMore auto&) { return DecidedBy::more; },
                               [](const ByMounts auto&) { return DecidedBy::mounts; },
                               [](const ByTrees auto&) { return DecidedBy::trees; }},
                    op);
}

std::vector<Path*> paths_of(Op& op) {
  std::vector<Path*> paths;
  const auto collect = Overloaded{[&](Path& path) { paths.push_back(&path); }, [](auto&) {}};
  std::visit([&]<class T>(T& one) { T::fields(one, collect); }, op);
  return paths;
}

bool may_be_tree(const Op& op, const std::vector<Path*>& paths) {
  return decided_by(op) == DecidedBy::trees && !paths.front()->handle.empty() &&
         paths.front()->text.empty();
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
  const Verdict verdict = apply(hypothesis.world, {.op = op});
  if (verdict.rule == Rule::none) return {};
  return {.outcome = verdict.outcome, .reason = &info(verdict.rule)};
}

}  // namespace

Expected<Reason> why_refused(pid_t pid, const RefusedStep& step) {
  if (decided_by(step.op) == DecidedBy::more) return fail("not only mounts and roots decide it");
  const auto proc = open_proc();
  if (pid != 0 && (!proc || own_number(proc->get()) != ::getpid())) {
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
