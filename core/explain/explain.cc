// SPDX-License-Identifier: Apache-2.0
// explain.cc: see explain.h.
#include "explain/explain.h"

#include <algorithm>
#include <utility>

#include "explain/evaluate.h"
#include "explain/remedy.h"
#include "view/draw.h"

namespace pivotcheck::explain {
namespace {

using model::MountIndex;

InvolvedMount involved(const ProcessView& process, const Hypothesis& hypothesis, std::string what,
                       MountIndex mount) {
  InvolvedMount result{.what = std::move(what), .seen = std::nullopt};
  const auto id =
      std::ranges::find(hypothesis.mounts, mount, &std::pair<const MountId, MountIndex>::second);
  if (id == hypothesis.mounts.end()) return result;
  if (const SeenMount* seen = process.find(id->first)) result.seen = *seen;
  return result;
}

// Which mounts a rule is about.
struct About {
  bool root = false;
  bool root_parent = false;
  bool new_root = false;
  bool new_root_parent = false;
  bool put_old = false;
};
About about(Reason reason) {
  if (reason == nullptr) return {.root = true, .new_root = true, .put_old = true};
  if (reason == &root_is_rootfs) return {.root = true};
  switch (reason->rule) {
    case Rule::put_old_mount_shared:
    case Rule::put_old_gone: return {.put_old = true};
    case Rule::new_root_parent_shared: return {.new_root = true, .new_root_parent = true};
    case Rule::root_parent_shared: return {.root = true, .root_parent = true};
    case Rule::new_root_locked:
    case Rule::new_root_removed:
    case Rule::new_root_foreign:
    case Rule::new_root_not_mount_point: return {.new_root = true};
    case Rule::new_root_on_root_mount: return {.root = true};
    case Rule::put_old_on_root_mount: return {.root = true, .new_root = true};
    case Rule::put_old_not_under_new_root: return {.new_root = true, .put_old = true};
    case Rule::new_root_not_under_root: return {.root = true, .new_root = true};
    case Rule::root_mount_foreign:
    case Rule::root_not_mount_point: return {.root = true};
    default: return {};
  }
}

std::vector<InvolvedMount> mounts_of(const ProcessView& process, Hypothesis& hypothesis,
                                     Reason reason) {
  const About which = about(reason);
  const auto& world = hypothesis.world;
  std::vector<InvolvedMount> result;
  const auto add = [&](std::string what, MountIndex mount) {
    if (mount.exists()) result.push_back(involved(process, hypothesis, std::move(what), mount));
  };
  const MountIndex root = task_of(hypothesis).root.mount;
  const auto new_root = new_root_in(hypothesis);
  const auto put_old = put_old_in(hypothesis);
  if (which.root) add("the root of the process", root);
  if (which.root_parent) add("what that is mounted on", world[root].parent);
  if (which.new_root && new_root) add("new_root", new_root->mount);
  if (which.new_root_parent && new_root) {
    add("what that is mounted on", world[new_root->mount].parent);
  }
  if (which.put_old && put_old) add("put_old", put_old->mount);
  return result;
}

bool same(const Possibility& one, const Possibility& other) { return one.outcome == other.outcome; }

// All different ones, in the order in which they were found.
std::vector<Possibility> different(const std::vector<Possibility>& all) {
  std::vector<Possibility> result;
  for (const Possibility& one : all) {
    const auto known = [&](const Possibility& other) {
      return same(one, other) && one.reason == other.reason;
    };
    if (std::ranges::none_of(result, known)) result.push_back(one);
  }
  return result;
}

// The unknowns by which the answer changes.
std::vector<std::string> deciding(const std::vector<OpenQuestion>& open,
                                  const std::vector<Possibility>& by_assumption) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < open.size(); ++i) {
    for (std::size_t bits = 0; bits < by_assumption.size(); ++bits) {
      if (same(by_assumption[bits], by_assumption[bits ^ (std::size_t{1} << i)])) continue;
      words.push_back(open[i].words);
      break;
    }
  }
  return words;
}

void draw_success(const ProcessView& process, const Assumption& assumption, Answer& answer) {
  Hypothesis hypothesis = build_world(process, assumption);
  answer.before = draw(canonical(snapshot(hypothesis.world)));
  evaluate(hypothesis);
  answer.after = draw(canonical(snapshot(hypothesis.world)));
}

// Nothing else matters before that; whatever the mounts say comes next.
Answer refused_by_seccomp(const ProcessView& process, Answer answer) {
  if (answer.first.reason != nullptr) answer.further.push_back(answer.first.reason);
  answer.conclusion = Conclusion::refused;
  answer.first = {.outcome = *process.seccomp_answer, .reason = &seccomp_filter};
  answer.possible = {answer.first};
  answer.cannot_tell.clear();
  answer.no_fix_for = &seccomp_filter;
  answer.advice = advice(&seccomp_filter);
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
  const std::vector<OpenQuestion> open = open_questions(process);
  const std::vector<Assumption> all = assumptions(process);
  std::vector<Possibility> by_assumption;
  for (const Assumption& assumption : all) {
    Hypothesis hypothesis = build_world(process, assumption);
    by_assumption.push_back(evaluate(hypothesis));
  }
  Answer answer;
  answer.first = by_assumption.front();
  const bool open_outcome = std::ranges::any_of(
      by_assumption, [&](const Possibility& one) { return !same(one, answer.first); });
  // Where all of them give the same errno, the friendliest one names it.
  answer.possible = open_outcome ? different(by_assumption) : std::vector{answer.first};
  answer.cannot_tell = deciding(open, by_assumption);
  const bool succeeds = answer.first.reason == nullptr;
  if (open_outcome) {
    answer.conclusion = Conclusion::cannot_tell;
  } else if (!succeeds) {
    answer.conclusion = Conclusion::refused;
  } else if (!process.unseen_refusals.empty()) {
    answer.conclusion = Conclusion::cannot_tell;
    answer.cannot_tell = process.unseen_refusals;
  } else {
    answer.conclusion = Conclusion::would_succeed;
  }
  if (process.seccomp_answer) {
    return refused_by_seccomp(process, std::move(answer));
  }
  Hypothesis hypothesis = build_world(process, all.front());
  answer.mounts = mounts_of(process, hypothesis, answer.first.reason);
  if (with_remedies && (open_outcome || !succeeds)) {
    RemedyPlan plan = suggest_fixes(process, all);
    answer.further = plan.further;
    answer.no_fix_for = plan.no_fix_for;
    answer.commands = shell_lines(plan, process);
  }
  if (!succeeds) answer.advice = advice(answer.first.reason);
  if (answer.conclusion == Conclusion::would_succeed) draw_success(process, all.front(), answer);
  return answer;
}

void apply_trial_result(Answer& answer, const ProcessView& process, Outcome outcome) {
  const auto fits = [&](const Possibility& one) { return one.outcome == outcome; };
  std::erase_if(answer.possible, [&](const Possibility& one) { return !fits(one); });
  if (answer.possible.empty()) answer.possible = {{.outcome = outcome, .reason = nullptr}};
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
  if (answer.first.reason != nullptr) {
    answer.advice = advice(answer.first.reason);
    Hypothesis hypothesis = build_world(process, Assumption{});
    answer.mounts = mounts_of(process, hypothesis, answer.first.reason);
  }
}

}  // namespace pivotcheck::explain
