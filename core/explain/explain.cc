// SPDX-License-Identifier: Apache-2.0
// explain.cc: see explain.h.
#include "explain/explain.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "explain/hypothesis.h"
#include "explain/remedy.h"
#include "model/apply.h"
#include "observe/proc.h"
#include "syscalls/op_flags.h"
#include "view/draw.h"

namespace pivotcheck::explain {
namespace {

using model::MountIndex;

Subjects about(Reason reason) {
  return reason == nullptr ? Subjects{Subject::root, Subject::new_root, Subject::put_old}
                           : reason->about;
}

std::vector<InvolvedMount> involved_mounts(const ProcessView& process, Hypothesis& hypothesis,
                                           Reason reason) {
  std::vector<InvolvedMount> result;
  const auto add = [&](std::string what, MountIndex mount) {
    if (!mount.exists()) return;
    InvolvedMount& involved = result.emplace_back(InvolvedMount{std::move(what), {}});
    for (const auto& [id, index] : hypothesis.mounts) {
      if (index != mount) continue;
      if (const SeenMount* seen = process.find(id)) involved.seen = *seen;
      return;
    }
  };
  const Subjects which = about(reason);
  const auto& world = hypothesis.world;
  const MountIndex root = task_of(hypothesis).root.mount;
  const auto new_root = new_root_in(hypothesis);
  const auto put_old = put_old_in(hypothesis);
  if (which.has(Subject::root)) add("the root of the process", root);
  if (which.has(Subject::root_parent)) add("what that is mounted on", world[root].parent);
  if (which.has(Subject::new_root) && new_root) add("new_root", new_root->mount);
  if (which.has(Subject::new_root_parent) && new_root) {
    add("what that is mounted on", world[new_root->mount].parent);
  }
  if (which.has(Subject::put_old) && put_old) add("put_old", put_old->mount);
  return result;
}

// The open questions whose answer changes the outcome. Bit i of an index is the answer to
// question i.
std::vector<std::string> deciding(const std::vector<OpenQuestion>& questions,
                                  const std::vector<Possibility>& by_assumption) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    for (std::size_t bits = 0; bits < by_assumption.size(); ++bits) {
      const Possibility& other = by_assumption[bits ^ (std::size_t{1} << i)];
      if (by_assumption[bits].outcome == other.outcome) continue;
      texts.push_back(questions[i].text);
      break;
    }
  }
  return texts;
}

void draw_success(const ProcessView& process, const Assumption& assumption, Answer& answer) {
  Hypothesis hypothesis = build_world(process, assumption);
  answer.before = draw(canonical(snapshot(hypothesis.world)));
  evaluate(hypothesis);
  answer.after = draw(canonical(snapshot(hypothesis.world)));
}

// A filter comes first; a module after the lookup, before all that the mounts say.
Answer refused_by(Possibility refuser, Answer answer) {
  if (answer.first.reason != nullptr) answer.further.push_back(answer.first.reason);
  answer.conclusion = Conclusion::refused;
  answer.first = refuser;
  answer.possible = {answer.first};
  answer.cannot_tell.clear();
  answer.no_fix_for = refuser.reason;
  answer.advice = refuser.reason->advice;
  return answer;
}

// The outcome under each assumption, and what follows from them.
Answer conclude(const ProcessView& process, const std::vector<OpenQuestion>& questions,
                const std::vector<Assumption>& all) {
  std::vector<Possibility> by_assumption;
  for (const Assumption& assumption : all) {
    Hypothesis hypothesis = build_world(process, assumption);
    by_assumption.push_back(evaluate(hypothesis));
  }
  Answer answer;
  answer.first = by_assumption.front();
  const bool is_open = std::ranges::any_of(
      by_assumption, [&](const Possibility& one) { return one.outcome != answer.first.outcome; });
  // Several rules with the same errno: the first assumption names one.
  answer.possible = {answer.first};
  for (const Possibility& one : by_assumption) {
    if (is_open && std::ranges::count(answer.possible, one) == 0) answer.possible.push_back(one);
  }
  answer.cannot_tell = deciding(questions, by_assumption);
  if (is_open) {
    answer.conclusion = Conclusion::cannot_tell;
  } else if (answer.first.reason != nullptr) {
    answer.conclusion = Conclusion::refused;
  } else if (!process.unseen_refusals.empty()) {
    answer.conclusion = Conclusion::cannot_tell;
    answer.cannot_tell = process.unseen_refusals;
    return answer;
  } else {
    answer.conclusion = Conclusion::would_succeed;
  }
  answer.may_refuse = process.unseen_refusals;
  return answer;
}

// A put_old is often still to be made: only a name like another is a reason to ask.
void add_questions(const ProcessView& process, Answer& answer) {
  for (const ResolvedPath* path : {&process.new_root, &process.put_old}) {
    if (path->error != ENOENT || path->missing.empty()) continue;
    if (path == &process.put_old && path->similar.empty()) continue;
    const std::string name = path->missing.substr(0, path->missing.find('/'));
    std::string text = path->asked + ": there is no " + name + " in " + path->path;
    if (!path->similar.empty()) text += ", but " + path->similar;
    if (std::ranges::count(answer.questions, text) == 0) answer.questions.push_back(text);
  }
}

// --- a step that was refused

// What decides the outcome: mounts, roots and credentials alone, or also files and modes, which are
// not in a ProcessView. Of an open, only the lookup is explained. Every operation is in one list.
template <class T>
concept DecidedByMore = OneOf<T, Mkdir, Rmdir, Touch, Unlink, Rename, Symlink, Chmod, Chdir, Fchdir,
                              Close, Spawn, Exit, Setns, DropCapabilities, Limit>;
template <class T>
concept DecidedByMounts = OneOf<T, Mount, Bind, Move, ChangePropagation, Remount, Umount, PivotRoot,
                                Chroot, Open, Unshare, OpenTree, Fsmount, MoveMount, MountSetattr>;

bool mounts_decide(const Op& op) {
  return std::visit(Overloaded{[](const DecidedByMore auto&) { return false; },
                               [](const DecidedByMounts auto&) { return true; }},
                    op);
}

std::vector<Path*> paths_of(Op& op) {
  std::vector<Path*> paths;
  const auto collect = Overloaded{[&](Path& path) { paths.push_back(&path); }, [](auto&) {}};
  std::visit([&]<class T>(T& one) { T::fields(one, collect); }, op);
  return paths;
}

// A bare handle may be that of a detached tree, which the process has made.
bool may_be_tree(const Op& op) {
  const auto* move = std::get_if<MoveMount>(&op);
  const auto* change = std::get_if<MountSetattr>(&op);
  return (move != nullptr && kernel::is_bare_handle(move->source)) ||
         (change != nullptr && kernel::is_bare_handle(change->path));
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

std::string_view name(Conclusion conclusion) {
  constexpr std::array<std::string_view, 3> names{"would succeed", "refused", "cannot tell"};
  return names[static_cast<std::size_t>(conclusion)];
}

Answer explain(const ProcessView& process, bool with_remedies) {
  if (!process.gap.empty()) {
    Answer answer;
    answer.cannot_tell = {process.gap};
    return answer;
  }
  const std::vector<OpenQuestion> questions = open_questions(process);
  const std::vector<Assumption> all = assumptions(questions);
  Answer answer = conclude(process, questions, all);
  if (process.seccomp_answer) {
    return refused_by({.outcome = *process.seccomp_answer, .reason = &seccomp_filter},
                      std::move(answer));
  }
  const bool fails_before =
      answer.first.reason != nullptr && answer.first.reason->calls == any_path;
  if (process.module_refuses && !fails_before) {
    return refused_by({.outcome = {EPERM}, .reason = &security_module}, std::move(answer));
  }
  Hypothesis hypothesis = build_world(process, all.front());
  answer.mounts = involved_mounts(process, hypothesis, answer.first.reason);
  if (with_remedies && (answer.possible.size() > 1 || answer.first.reason != nullptr)) {
    answer.commands = shell_lines(suggest_fixes(process, all, answer), process);
    add_questions(process, answer);
  }
  if (answer.first.reason != nullptr) answer.advice = answer.first.reason->advice;
  if (answer.conclusion == Conclusion::would_succeed) {
    draw_success(process, all.front(), answer);
  }
  return answer;
}

void apply_trial_result(Answer& answer, const ProcessView& process, Outcome outcome) {
  std::erase_if(answer.possible, [&](const Possibility& one) { return one.outcome != outcome; });
  if (answer.possible.empty()) answer.possible = {{.outcome = outcome}};
  answer.first = answer.possible.front();
  answer.cannot_tell.clear();
  if (outcome.ok()) {
    answer.conclusion = Conclusion::would_succeed;
    answer.commands.clear();
    answer.further.clear();
    answer.no_fix_for = nullptr;
    answer.advice.clear();
    if (answer.before.empty()) draw_success(process, Assumption{}, answer);
    return;
  }
  answer.conclusion = Conclusion::refused;
  answer.before.clear();
  answer.after.clear();
  if (answer.first.reason == nullptr) return;
  answer.advice = answer.first.reason->advice;
  Hypothesis hypothesis = build_world(process, Assumption{});
  answer.mounts = involved_mounts(process, hypothesis, answer.first.reason);
}

Expected<Reason> why_refused(pid_t pid, Op op, int error, const std::array<int, 2>& descriptors) {
  if (!mounts_decide(op)) return fail("not only mounts and roots decide it");
  const auto proc = open_proc();
  if (pid != 0 && (!proc || own_number(proc->get()) != ::getpid())) {
    return fail("/proc is not that of this PID namespace");
  }
  const std::vector<Path*> paths = paths_of(op);
  std::array<PathAsked, 2> asked{{{"."}, {"."}}};
  for (std::size_t i = 0; i < paths.size(); ++i) {
    asked[i] = {paths[i]->text, descriptors[i]};
    if (!paths[i]->handle.empty() && descriptors[i] < 0) return fail("a handle is not open");
  }
  auto process =
      view_process(pid, asked[0], asked[1], KernelTraits::for_release(running_release()));
  if (!process) return std::unexpected(process.error());
  const bool is_pivot = std::holds_alternative<PivotRoot>(op);
  if (is_pivot && process->seccomp_answer == Outcome{error}) return &seccomp_filter;
  if (is_pivot && process->module_refuses && error == EPERM) return &security_module;
  process->new_root.is_detached_tree =
      may_be_tree(op) && process->find(process->new_root.mount) == nullptr;
  for (const bool locked : {false, true}) {
    Reason found = nullptr;
    for (const Assumption& assumption : assumptions(open_questions(*process))) {
      if (assumption.locked != locked) continue;
      const Possibility one = outcome_in(build_world(*process, assumption), op, paths);
      if (one.reason == nullptr || one.outcome != Outcome{error}) continue;
      if (found != nullptr && found != one.reason) return nullptr;
      found = one.reason;
    }
    if (found != nullptr) return found;
  }
  return nullptr;
}

}  // namespace pivotcheck::explain
