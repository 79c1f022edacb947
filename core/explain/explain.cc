// SPDX-License-Identifier: Apache-2.0
// explain.cc: see explain.h.
#include "explain/explain.h"

#include <algorithm>
#include <utility>

#include "explain/judge.h"
#include "explain/mend.h"
#include "view/draw.h"

namespace pivotcheck::explain {
namespace {

using model::MountIndex;

Involved involved(const Sight& sight, const Built& built, std::string what, MountIndex mount) {
  Involved result{.what = std::move(what), .seen = std::nullopt};
  const auto id =
      std::ranges::find(built.mounts, mount, &std::pair<const MountId, MountIndex>::second);
  if (id == built.mounts.end()) return result;
  if (const SeenMount* seen = sight.find(id->first)) result.seen = *seen;
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

std::vector<Involved> mounts_of(const Sight& sight, Built& built, Reason reason) {
  const About which = about(reason);
  const auto& world = built.world;
  std::vector<Involved> result;
  const auto add = [&](std::string what, MountIndex mount) {
    if (mount.exists()) result.push_back(involved(sight, built, std::move(what), mount));
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
std::vector<std::string> deciding(const std::vector<Unknown>& open,
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

void draw_success(const Sight& sight, const Guess& guess, Answer& answer) {
  Built built = build(sight, guess);
  answer.before = draw(canonical(snapshot(built.world)));
  judge(built);
  answer.after = draw(canonical(snapshot(built.world)));
}

// Nothing else matters before that; whatever the mounts say comes next.
Answer refused_by_seccomp(const Sight& sight, Answer answer) {
  if (answer.first.reason != nullptr) answer.further.push_back(answer.first.reason);
  answer.verdict = Answer::Verdict::refused;
  answer.first = {.outcome = *sight.seccomp_answer, .reason = &seccomp_filter};
  answer.possible = {answer.first};
  answer.cannot_tell.clear();
  answer.unmended = &seccomp_filter;
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

Answer explain(const Sight& sight, bool mending) {
  const std::vector<Unknown> open = unknowns(sight);
  const std::vector<Guess> all = guesses(sight);
  std::vector<Possibility> by_guess;
  for (const Guess& guess : all) {
    Built built = build(sight, guess);
    by_guess.push_back(judge(built));
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
  } else if (!sight.unseen_refusals.empty()) {
    answer.verdict = Answer::Verdict::cannot_tell;
    answer.cannot_tell = sight.unseen_refusals;
  } else {
    answer.verdict = Answer::Verdict::would_succeed;
  }
  if (sight.seccomp_answer) {
    return refused_by_seccomp(sight, std::move(answer));
  }
  Built built = build(sight, all.front());
  answer.mounts = mounts_of(sight, built, answer.first.reason);
  if (mending && (open_outcome || !succeeds)) {
    Plan plan = mend(sight, all);
    answer.further = plan.further;
    answer.unmended = plan.unmended;
    answer.commands = script(plan, sight);
  }
  if (!succeeds) answer.advice = advice(answer.first.reason);
  if (answer.verdict == Answer::Verdict::would_succeed) draw_success(sight, all.front(), answer);
  return answer;
}

void decide(Answer& answer, const Sight& sight, Outcome outcome) {
  const auto fits = [&](const Possibility& one) { return one.outcome == outcome; };
  std::erase_if(answer.possible, [&](const Possibility& one) { return !fits(one); });
  if (answer.possible.empty()) answer.possible = {{.outcome = outcome, .reason = nullptr}};
  answer.first = answer.possible.front();
  answer.cannot_tell.clear();
  if (outcome.ok()) {
    answer.verdict = Answer::Verdict::would_succeed;
    answer.commands.clear();
    answer.further.clear();
    answer.unmended = nullptr;
    answer.advice.clear();
    if (answer.before.empty()) draw_success(sight, Guess{}, answer);
    return;
  }
  answer.verdict = Answer::Verdict::refused;
  answer.before.clear();
  answer.after.clear();
  if (answer.first.reason != nullptr) {
    answer.advice = advice(answer.first.reason);
    Built built = build(sight, Guess{});
    answer.mounts = mounts_of(sight, built, answer.first.reason);
  }
}

}  // namespace pivotcheck::explain
