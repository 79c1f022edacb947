// SPDX-License-Identifier: Apache-2.0
// explain.cc: see explain.h.
#include "explain/explain.h"

#include <algorithm>
#include <utility>

#include "explain/evaluate.h"
#include "explain/hypothesis.h"
#include "explain/remedy.h"
#include "explain/shell.h"
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

// All different ones, in the order in which they were found.
std::vector<Possibility> different(const std::vector<Possibility>& all) {
  std::vector<Possibility> result;
  for (const Possibility& one : all) {
    if (std::ranges::count(result, one) == 0) result.push_back(one);
  }
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

// The filter comes first; what the mounts say would come next.
Answer refused_by_seccomp(const ProcessView& process, Answer answer) {
  if (answer.first.reason != nullptr) answer.further.push_back(answer.first.reason);
  answer.conclusion = Conclusion::refused;
  answer.first = {.outcome = *process.seccomp_answer, .reason = &seccomp_filter};
  answer.possible = {answer.first};
  answer.cannot_tell.clear();
  answer.no_fix_for = &seccomp_filter;
  answer.advice = seccomp_filter.advice;
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
  answer.possible = is_open ? different(by_assumption) : std::vector{answer.first};
  answer.cannot_tell = deciding(questions, by_assumption);
  if (is_open) {
    answer.conclusion = Conclusion::cannot_tell;
  } else if (answer.first.reason != nullptr) {
    answer.conclusion = Conclusion::refused;
  } else if (!process.unseen_refusals.empty()) {
    answer.conclusion = Conclusion::cannot_tell;
    answer.cannot_tell = process.unseen_refusals;
  } else {
    answer.conclusion = Conclusion::would_succeed;
  }
  return answer;
}

}  // namespace

std::string_view name(Conclusion conclusion) {
  switch (conclusion) {
    case Conclusion::would_succeed: return "would succeed";
    case Conclusion::refused: return "refused";
    case Conclusion::cannot_tell: return "cannot tell";
  }
  return "";
}

Answer explain(const ProcessView& process, bool with_remedies) {
  const std::vector<OpenQuestion> questions = open_questions(process);
  const std::vector<Assumption> all = assumptions(questions);
  Answer answer = conclude(process, questions, all);
  if (process.seccomp_answer) return refused_by_seccomp(process, std::move(answer));
  Hypothesis hypothesis = build_world(process, all.front());
  answer.mounts = involved_mounts(process, hypothesis, answer.first.reason);
  if (with_remedies && (answer.possible.size() > 1 || answer.first.reason != nullptr)) {
    RemedyPlan plan = suggest_fixes(process, all);
    answer.further = std::move(plan.further);
    answer.no_fix_for = plan.no_fix_for;
    answer.commands = shell_lines(plan.remedies, process);
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

}  // namespace pivotcheck::explain
