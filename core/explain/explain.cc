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

Involved involved(const ProcessView& process, const Hypothesis& built, std::string what, MountIndex mount) {
  Involved result{.what = std::move(what), .seen = std::nullopt};
  const auto id =
      std::ranges::find(built.mounts, mount, &std::pair<const MountId, MountIndex>::second);
  if (id == built.mounts.end()) return result;
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

std::vector<Involved> mounts_of(const ProcessView& process, Hypothesis& built, Reason reason) {
  const About which = about(reason);
  const auto& world = built.world;
  std::vector<Involved> result;
  const auto add = [&](std::string what, MountIndex mount) {
    if (mount.exists()) result.push_back(involved(process, built, std::move(what), mount));
  };
  const MountIndex root = task_of(built).root.mount;
  const auto new_root = new_root_in(built);
  const auto put_old = put_old_in(built);
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
                                  const std::vector<Possibility>& by_guess) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < open.size(); ++i) {
    for (std::size_t bits = 0; bits < by_guess.size(); ++bits) {
      if (same(by_guess[bits], by_guess[bits ^ (std::size_t{1} << i)])) continue;
      words.push_back(open[i].words);
      break;
    }
  }
  return words;
}

void draw_success(const ProcessView& process, const Assumption& guess, Answer& answer) {
  Hypothesis built = build(process, guess);
  answer.before = draw(canonical(snapshot(built.world)));
  evaluate(built);
  answer.after = draw(canonical(snapshot(built.world)));
}

// Nothing else matters before that; whatever the mounts say comes next.
Answer refused_by_seccomp(const ProcessView& process, Answer answer) {
  if (answer.first.reason != nullptr) answer.further.push_back(answer.first.reason);
  answer.verdict = Answer::Verdict::refused;
  answer.first = {.outcome = *process.seccomp_answer, .reason = &seccomp_filter};
  answer.possible = {answer.first};
  answer.cannot_tell.clear();
  answer.no_fix_for = &seccomp_filter;
  answer.advice = advice(&seccomp_filter);
  return answer;
}

}  // namespace

std::string_view name(Answer::Verdict verdict) {
  switch (verdict) {
    case Answer::Verdict::would_succeed: return "would succeed";
    case Answer::Verdict::refused: return "refused";
    case Answer::Verdict::cannot_tell: return "cannot tell";
  }
  return "";
}

Answer explain(const ProcessView& process, bool mending) {
  const std::vector<OpenQuestion> open = unknowns(process);
  const std::vector<Assumption> all = assumptions(process);
  std::vector<Possibility> by_guess;
  for (const Assumption& guess : all) {
    Hypothesis built = build(process, guess);
    by_guess.push_back(evaluate(built));
  }
  Answer answer;
  answer.first = by_guess.front();
  const bool open_outcome = std::ranges::any_of(
      by_guess, [&](const Possibility& one) { return !same(one, answer.first); });
  // Where all of them give the same errno, the friendliest one names it.
  answer.possible = open_outcome ? different(by_guess) : std::vector{answer.first};
  answer.cannot_tell = deciding(open, by_guess);
  const bool succeeds = answer.first.reason == nullptr;
  if (open_outcome) {
    answer.verdict = Answer::Verdict::cannot_tell;
  } else if (!succeeds) {
    answer.verdict = Answer::Verdict::refused;
  } else if (!process.unseen_refusals.empty()) {
    answer.verdict = Answer::Verdict::cannot_tell;
    answer.cannot_tell = process.unseen_refusals;
  } else {
    answer.verdict = Answer::Verdict::would_succeed;
  }
  if (process.seccomp_answer) {
    return refused_by_seccomp(process, std::move(answer));
  }
  Hypothesis built = build(process, all.front());
  answer.mounts = mounts_of(process, built, answer.first.reason);
  if (mending && (open_outcome || !succeeds)) {
    Plan plan = mend(process, all);
    answer.further = plan.further;
    answer.no_fix_for = plan.no_fix_for;
    answer.commands = script(plan, process);
  }
  if (!succeeds) answer.advice = advice(answer.first.reason);
  if (answer.verdict == Answer::Verdict::would_succeed) draw_success(process, all.front(), answer);
  return answer;
}

void decide(Answer& answer, const ProcessView& process, Outcome outcome) {
  const auto fits = [&](const Possibility& one) { return one.outcome == outcome; };
  std::erase_if(answer.possible, [&](const Possibility& one) { return !fits(one); });
  if (answer.possible.empty()) answer.possible = {{.outcome = outcome, .reason = nullptr}};
  answer.first = answer.possible.front();
  answer.cannot_tell.clear();
  if (outcome.ok()) {
    answer.verdict = Answer::Verdict::would_succeed;
    answer.commands.clear();
    answer.further.clear();
    answer.no_fix_for = nullptr;
    answer.advice.clear();
    if (answer.before.empty()) draw_success(process, Assumption{}, answer);
    return;
  }
  answer.verdict = Answer::Verdict::refused;
  answer.before.clear();
  answer.after.clear();
  if (answer.first.reason != nullptr) {
    answer.advice = advice(answer.first.reason);
    Hypothesis built = build(process, Assumption{});
    answer.mounts = mounts_of(process, built, answer.first.reason);
  }
}

}  // namespace pivotcheck::explain
