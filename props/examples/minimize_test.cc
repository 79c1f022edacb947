// SPDX-License-Identifier: Apache-2.0
// minimize_test.cc: what a scenario comes down to. The model is made wrong by giving it the traits
// of another kernel.
#include "check/trial/minimize.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "check/gen/choices.h"
#include "check/gen/scenario_generator.h"
#include "check/trial/probed_traits.h"
#include "examples.h"

namespace pivotcheck {
namespace {

Trial trial_with(const KernelTraits& traits) {
  auto trial = Trial::make({.traits = traits, .cross_check_every = 16});
  REQUIRE(trial);
  return std::move(*trial);
}

KernelTraits right() { return probed_traits().traits; }
KernelTraits wrong_about_copies() {
  KernelTraits traits = right();
  traits.namespace_copy_loses_unbindable = !traits.namespace_copy_loses_unbindable;
  return traits;
}

std::string minimized(const KernelTraits& traits, std::string_view text) {
  Trial trial = trial_with(traits);
  const Scenario whole = scenario_of(text);
  const TrialResult result = trial.run(whole);
  REQUIRE(can_minimize(whole, result));
  return print(minimize(trial, whole, result).scenario);
}

constexpr std::string_view long_story =
    "title: a story\n"
    "mkdir /long\n"
    "mkdir /long/way\n"
    "open h /long\n"
    "spawn B\n"
    "mount ramfs @h/way nosuid,noexec\n"
    "mkdir /long/way/down\n"
    "B: make-unbindable /long/./way\n"
    "mkdir /other\n"
    "B: unshare mnt\n"
    "B: mkdir /other/one\n"
    "chdir /other => ok\n";

TEST_CASE("a disagreement comes down to the steps, tasks, paths and options that it needs") {
  if (!runs_here()) return;
  const std::string text = minimized(wrong_about_copies(), long_story);
  CHECK(text ==
        "title: a story\n"
        "make-unbindable /\n"
        "unshare mnt\n");
  CHECK(minimized(wrong_about_copies(), long_story) == text);
  CHECK(minimized(wrong_about_copies(), text) == text);
}

TEST_CASE("an agreement comes down to what the last stated outcome needs, by the same rule") {
  if (!runs_here()) return;
  const std::string text = minimized(
      right(), "mkdir /x => ok\nmount tmpfs /x\nmkdir /y\nspawn B\n"
               "B: pivot_root /x /y => EBUSY put-old-on-root-mount\nmkdir /z\n");
  CHECK(text == "mkdir /a\nmount tmpfs /a\npivot_root /a / => EBUSY put-old-on-root-mount\n");
}

TEST_CASE("a statement that does not hold comes down to that") {
  if (!runs_here()) return;
  const std::string text = minimized(
      right(), "mkdir /x\nmkdir /x/y\nmkdir /x/y => EPERM\nmkdir /x/z => ok\n");
  CHECK(text == "mkdir / => EPERM\n");
}

TEST_CASE("an agreement that states nothing has nothing to minimize") {
  if (!runs_here()) return;
  Trial trial = trial_with(right());
  const Scenario plain = scenario_of("mkdir /x\n");
  CHECK(!can_minimize(plain, trial.run(plain)));
}

TEST_CASE("minimizing is bounded, and reports what was removed") {
  if (!runs_here()) return;
  Trial trial = trial_with(wrong_about_copies());
  const Scenario whole = scenario_of(long_story);
  const TrialResult result = trial.run(whole);
  const Minimized some = minimize(trial, whole, result, {.trials_max = 3});
  CHECK(some.trials == 3);
  CHECK(some.cut_short);
  CHECK(signature(some.scenario, some.result) == signature(whole, result));
  const Minimized all = minimize(trial, whole, result);
  CHECK(!all.cut_short);
  CHECK(what_was_removed(whole, all).starts_with(
      "removed 9 of 11 steps, 1 of 2 tasks, 14 of 14 path components, 1 of 1 handles, "
      "3 of 4 options ("));
}

// How long scenarios of 30 steps are, of those that disagree, when they are minimized.
std::vector<std::size_t> lengths(Trial& trial, const KernelTraits& traits, std::size_t wanted) {
  constexpr std::uint64_t cases_max = 4000;
  std::vector<std::size_t> result;
  const ScenarioGenerator generator({.traits = traits, .steps_min = 30, .steps_max = 30});
  for (std::uint64_t number = 0; number < cases_max && result.size() < wanted; ++number) {
    SeededChoices choices(30, number);
    const Scenario whole = scenario_of(generator.generate(choices).program);
    if (whole.steps.size() < 30) continue;
    const TrialResult found = trial.run(whole);
    if (found.kind != Kind::disagree) continue;
    const Minimized small = minimize(trial, whole, found);
    CHECK(small.result.kind == Kind::disagree);
    CHECK(signature(small.scenario, small.result) == signature(whole, found));
    result.push_back(small.scenario.steps.size());
  }
  std::ranges::sort(result);
  return result;
}

TEST_CASE("random scenarios of 30 steps come down to at most 8 in the median") {
  KernelTraits wrong = wrong_about_copies();
  wrong.move_checks_kinds_first = !wrong.move_checks_kinds_first;
  if (!runs_here()) return;
  Trial trial = trial_with(wrong);
  const std::vector<std::size_t> all = lengths(trial, wrong, 15);
  REQUIRE(all.size() >= 10);
  MESSAGE("of ", all.size(), " scenarios: ", all.front(), " to ", all.back(),
          " steps, in the median ", all[all.size() / 2]);
  CHECK(all[all.size() / 2] <= 8);
}

}  // namespace
}  // namespace pivotcheck
