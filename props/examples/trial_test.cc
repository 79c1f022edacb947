// SPDX-License-Identifier: Apache-2.0
// trial_test.cc: the results of a trial, by example. Disagreements are made by giving the model
// wrong traits, because a trial that can't find one proves nothing.
#include "check/trial/trial.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <string>
#include <string_view>

#include "examples.h"
#include "check/trial/campaign.h"
#include "check/trial/chance.h"
#include "check/trial/kernel_log.h"
#include "check/trial/probed_traits.h"
#include "check/trial/report.h"

namespace pivotcheck {
namespace {

TrialResult run(std::string_view text, const TrialOptions& options = {},
                const TrialSettings& settings = {}) {
  auto trial = Trial::make(settings);
  REQUIRE(trial);
  return trial->run(scenario_of(text), options);
}

// A model that is wrong about what a new namespace's copies are like: right for other kernels.
TrialSettings wrong_traits() {
  KernelTraits traits = probed_traits().traits;
  traits.namespace_copy_loses_unbindable = !traits.namespace_copy_loses_unbindable;
  return {.traits = traits, .cross_check_every = 1};
}

constexpr std::string_view where_traits_matter =
    "mkdir /d\n"
    "mount tmpfs /d\n"
    "make-unbindable /d\n"
    "unshare mnt\n"
    "mkdir /e\n"
    "mkdir /f\n";

TEST_CASE("a scenario that kernel and model see alike agrees") {
  if (!runs_here()) return;
  const TrialResult result = run("mkdir /new\nmount tmpfs /new\npivot_root /new /new\n");
  CHECK(result.kind == Kind::agree);
  CHECK(result.steps == 3);
  CHECK(result.verdicts.size() == 3);
  CHECK(result.kernel_view == result.model_view);
  CHECK(run("").kind == Kind::agree);
}

TEST_CASE("a condition on the kernel that does not hold skips, and says what runs") {
  const TrialResult result = run("kernel: <2.6.12\nmkdir /new\n");
  CHECK(result.kind == Kind::skipped);
  CHECK(result.steps == 0);
  CHECK(result.reason == "kernel <2.6.12 wanted, running " + to_string(running_release()));
}

TEST_CASE("a stated outcome or rule that does not hold is unmet, at the first such step") {
  if (!runs_here()) return;
  const TrialResult outcome = run("mkdir /a => ok\nmkdir /a => EPERM\nmkdir /b => EPERM\n");
  CHECK(outcome.kind == Kind::unmet);
  CHECK(outcome.step == 2);
  CHECK(outcome.model == Outcome{EEXIST});
  CHECK(outcome.rule == Rule::name_exists);
  CHECK(run("mkdir /a/b => ENOENT path-empty\n").kind == Kind::unmet);
  CHECK(run("mkdir /a/b => ENOENT name-missing\n").kind == Kind::agree);
  const TrialResult unknown = run("mkdir /a/b => ENOENT no-such-rule\n");
  CHECK(unknown.kind == Kind::unmet);
  CHECK(unknown.reason.ends_with("there is no rule of that name"));
}

TEST_CASE("a run that would leave the world or grow too large ends before that step") {
  if (!runs_here()) return;
  std::string text =
      "make-shared /\n";  // every bind of / onto a directory of it doubles the mounts
  text += "mkdir /a\nmkdir /b\n";
  for (int i = 0; i < 30; ++i) text += i % 2 == 0 ? "rbind / /a\n" : "rbind / /b\n";
  const TrialResult large = run(text);
  CHECK(large.kind == Kind::skipped);
  CHECK(large.reason == "too-large");
  CHECK(large.steps == large.verdicts.size());
  CHECK(large.steps > 3);
  // What was performed before is still held to what is stated of it, and what was not is not.
  CHECK(run("mkdir /a => EPERM\n" + text.substr(0, 14) + text.substr(14 + 9)).kind == Kind::unmet);
  CHECK(run(text + "mkdir /z => EPERM\n").kind == Kind::skipped);
}

TEST_CASE("no scenario limits the user namespace in which its world began") {
  if (!runs_here()) return;
  for (const char* text : {"limit mnt\n", "unshare mnt\nspawn B\nB: limit user\n"}) {
    const TrialResult result = run(text);
    CHECK(result.kind == Kind::skipped);
    CHECK(result.reason == "leaves-the-world");
  }
}

TEST_CASE("a wrong model is caught, at the first step after which states differ") {
  if (!runs_here()) return;
  REQUIRE(run(where_traits_matter).kind == Kind::agree);
  for (const bool every_step : {false, true}) {
    const TrialResult result =
        run(where_traits_matter, {.every_step = every_step}, wrong_traits());
    CHECK(result.kind == Kind::disagree);
    CHECK(result.step == 4);
    CHECK(result.kernel == Outcome{});
    CHECK(result.model == Outcome{});
    CHECK(!result.differences.empty());
    CHECK(result.kernel_view != result.model_view);
  }
  // Here an outcome differs as well, but later than the state, which is where it began.
  const std::string text = std::string(where_traits_matter) + "bind /d /e\n";
  const TrialResult result = run(text, {}, wrong_traits());
  CHECK(result.kind == Kind::disagree);
  CHECK(result.step == 4);
  CHECK(result.steps == 7);
  CHECK(result.reason.starts_with("later, at step 7, the kernel answers "));
}

// What a listmount that loses mounts leaves is mountinfo; and of a world whose lowest mount is covered,
// with nobody in it, that shows a part.
TEST_CASE("a part of the state is compared with the same part, and a difference in it is caught") {
  if (!runs_here()) return;
  const auto lists_nothing = [](const NamespaceIdentity&) -> Expected<ListedNamespace> {
    return ListedNamespace{{}, {}, false};
  };
  const std::string covered = "mount tmpfs /\nchroot /..\nchdir /\n";
  const TrialResult part = run(covered + "mkdir /a\nmount tmpfs /a\n", {}, {.list = lists_nothing});
  CHECK(part.kind == Kind::agree);
  CHECK(part.state_unseen);
  CHECK(part.kernel_view.namespaces.at(0).mounts.size() == 2);
  TrialSettings wrong = wrong_traits();
  wrong.list = lists_nothing;
  const TrialResult found = run(covered + std::string(where_traits_matter), {}, wrong);
  CHECK(found.kind == Kind::disagree);
  CHECK(found.state_unseen);
  // Seen from the lowest mount it is the whole.
  const TrialResult whole = run("mkdir /a\nmount tmpfs /a\n", {}, {.list = lists_nothing});
  CHECK(whole.kind == Kind::agree);
  CHECK_FALSE(whole.state_unseen);
}

// As kernels do whose listmount loses a root that is older than its namespace.
NamespaceIdentity first_listed;
Expected<ListedNamespace> loses_the_first(const NamespaceIdentity& which) {
  if (first_listed.id == 0) first_listed = which;
  if (which.id == first_listed.id) return ListedNamespace{{}, {}, false};
  return list_mounts(which);
}

TrialResult run_losing(const std::string& text, TrialSettings settings) {
  settings.list = loses_the_first;
  auto trial = Trial::make(settings);
  REQUIRE(trial);
  REQUIRE(trial->start(Privilege::userns));
  first_listed = {};
  return trial->run(scenario_of(text));
}

TEST_CASE("the kernel's state after the last step is held against the laws, too") {
  if (!runs_here()) return;
  auto trial = Trial::make();
  REQUIRE(trial);
  if (!trial->observer().has(Source::listmount)) {
    return not_run("laws of the last step: this kernel has no listmount");
  }
  const Prediction predicted = predict(scenario_of("mkdir /a\nmount tmpfs /a\n"), {});
  const auto only_the_kernel = TrialOptions{.every_step = true, .asks_laws = false};
  CHECK(trial->run_predicted(predicted, only_the_kernel).kind == Kind::agree);
  for (std::size_t i = 0; i < laws::laws_count; ++i) {
    if (laws::all_laws()[i].name == "mount-is-new") CHECK(trial->laws_asked()[i] == 1);
  }
}

TEST_CASE("what is hidden is compared in a copy of its namespace") {
  if (!runs_here()) return;
  if (!Trial::make()->observer().has(Source::listmount)) {
    return not_run("in a copy: this kernel has no listmount");
  }
  const std::string cover = "mount tmpfs /\nchroot /..\nchdir /\n";
  const TrialResult copied =
      run_losing("spawn B\n" + cover + "B: chroot /..\nB: chdir /\ndropcap sys_admin\n", {});
  CHECK(copied.kind == Kind::agree);
  CHECK(copied.state_unseen);
  CHECK(copied.seen_in_copies);
  CHECK(run_losing(std::string(where_traits_matter) + cover, wrong_traits()).kind ==
        Kind::disagree);
  // Nobody may make a copy.
  CHECK(has_unseen(run_losing(cover + "dropcap sys_admin\n", {})));
}

// The master group of B's /a has a member in a detached tree only, so listmount does not tell from
// which group /a receives; and mountinfo does not show what B has covered.
TEST_CASE("where nobody can tell what a slave receives from, all else is compared") {
  if (!runs_here()) return;
  const TrialResult result = run(
      "mkdir /a\nmkdir /b\nmount tmpfs /a\nmake-shared /a\nopen_tree h /a clone\nspawn B\n"
      "B: unshare mnt\nB: make-slave /a\nmake-private /a\nB: mount tmpfs /b\nB: make-shared /b\n"
      "B: mount tmpfs /\nB: chroot /..\nB: chdir /\n");
  CHECK(result.kind == Kind::agree);
  CHECK_FALSE(result.propagate_from_read);
  if (!Trial::make()->observer().has(Source::listmount)) {
    return not_run("by listmount: this kernel has none");
  }
  CHECK_FALSE(result.state_unseen);
}

// The answers of 50 tries and more, in turn; what came of them.
bool is_refused_in_the_end(const std::vector<bool>& refusals) {
  ChanceTries tries;
  for (std::size_t i = 0; i < 2 * ChanceTries::tries_max; ++i) {
    const bool refused = refusals[i % refusals.size()];
    if (!tries.again(refused)) return refused;
  }
  return false;
}

TEST_CASE("a refusal in 45 of 50 tries is no chance, one now and then is") {
  std::vector<bool> often(50, true);
  for (const int ok : {7, 13, 22, 38, 41}) often[static_cast<std::size_t>(ok)] = false;
  CHECK(is_refused_in_the_end(often));
  CHECK(is_refused_in_the_end({true}));
  CHECK_FALSE(is_refused_in_the_end({false, true}));
  CHECK_FALSE(is_refused_in_the_end({true, true, true, true, false}));
  // Many at first, then rarely: the world was busy.
  std::vector<bool> rarely(50, false);
  for (std::size_t i = 0; i < 12; ++i) rarely[i] = true;
  CHECK_FALSE(is_refused_in_the_end(rarely));
}

TEST_CASE("what is refused each time, though it may be refused by chance, is a disagreement") {
  if (!runs_here()) return;
  auto trial = Trial::make();
  REQUIRE(trial);
  // The first umount with MNT_EXPIRE only marks; a prediction that it unmounts is wrong.
  Prediction wrong = predict(scenario_of("mkdir /a\nmount tmpfs /a\numount /a expire\n"),
                             trial->traits());
  wrong.verdicts.back().outcome = {};
  const TrialResult result = trial->run_predicted(wrong);
  CHECK(result.kind == Kind::disagree);
  CHECK(result.reason == "refused in 50 of 50 tries, which is no chance");
  CHECK(result.chance_refusals == 0);
  CHECK(result.chance_possible);
}

TEST_CASE("with every step, what a prefix shows by itself is found at the same step") {
  if (!runs_here()) return;
  // An expiry mark stands twice; reading the state meanwhile would clear it.
  const std::string text =
      "mkdir /m\nmount tmpfs /m\numount /m expire => EAGAIN\nmkdir /a\numount /m expire\n"
      "spawn B\nopen h /a\nmount tmpfs /m\numount /m expire => EAGAIN\nB: unshare mnt\n" +
      std::string(where_traits_matter);
  CHECK(run(text, {.every_step = true}).kind == Kind::agree);
  const TrialResult found = run(text, {.every_step = true}, wrong_traits());
  CHECK(found.kind == Kind::disagree);
  const Scenario whole = scenario_of(text);
  for (std::size_t length = 1; length <= found.step; ++length) {
    Scenario prefix = whole;
    prefix.steps.resize(length);
    auto trial = Trial::make(wrong_traits());
    REQUIRE(trial);
    const TrialResult one = trial->run_predicted(predict(prefix, trial->traits()));
    CHECK(one.kind == (length < found.step ? Kind::agree : Kind::disagree));
    if (length == found.step) CHECK(one.differences == found.differences);
  }
}

TEST_CASE("one of 20 cases is compared after each step, and finds what the end hides") {
  if (!runs_here()) return;
  auto trial = Trial::make(wrong_traits());
  REQUIRE(trial);
  const Scenario scenario = scenario_of(std::string(where_traits_matter) + "make-private /d\n");
  const Prediction predicted = predict(scenario, trial->traits());
  Findings findings;
  for (Bucket& bucket : findings.buckets) bucket.hash = 1;  // none is free: nothing is written
  Counts counts;
  std::atomic<std::int64_t> alive_ms;
  FindingReporter reporter({findings, counts, alive_ms, -1, ""}, std::move(*trial));
  for (int i = 0; i < 40; ++i) {
    const CaseRef ref{.name = "case", .origin = "test", .scenario = [&] { return scenario; }};
    const TrialResult::Kind kind = reporter.perform(ref, predicted);
    CHECK(kind == (i % 20 == 19 ? Kind::disagree : Kind::agree));
  }
  CHECK(counts.every_step == 2);
  CHECK(counts.disagreements == 2);
}

TEST_CASE("what the observers lose is counted, and too much of it is a failure") {
  if (!runs_here()) return;
  const auto loses_the_last = [](const NamespaceIdentity& which) {
    Expected<ListedNamespace> listed = list_mounts(which);
    if (!listed || listed->mounts.size() < 2) return listed;
    listed->mounts.pop_back();
    listed->mountinfo_ids.pop_back();
    listed->complete = false;
    return listed;
  };
  auto trial = Trial::make({.list = loses_the_last});
  REQUIRE(trial);
  if (!trial->observer().has(Source::listmount)) return not_run("listmount: this kernel has none");
  const Scenario scenario = scenario_of("mkdir /a\nmount tmpfs /a\nmake-shared /a\nmake-slave /a\n"
                                        "mkdir /b\nbind /a /b\nmake-shared /b\nbind /b /a\n"
                                        "make-slave /a\n");
  const Prediction predicted = predict(scenario, trial->traits());
  Findings findings;
  Counts counts;
  std::atomic<std::int64_t> alive_ms;
  FindingReporter reporter({findings, counts, alive_ms, -1, ""}, std::move(*trial));
  const CaseRef ref{.name = "case", .origin = "test", .scenario = [&] { return scenario; }};
  for (int i = 0; i < 10; ++i) CHECK(reporter.perform(ref, predicted) == Kind::agree);
  CHECK(counts.listmount_lost == 10);
  CHECK(counts.with_slave == 10);
  CHECK(counts.propagate_from_read == 10);
  CHECK(seen_too_little(counts).empty());  // too few cases to say so
  counts.stats.scenarios = 1'999;
  CHECK(seen_too_little(counts).empty());
  counts.stats.scenarios = 2'000;
  CHECK(seen_too_little(counts).empty());
  ++counts.listmount_lost;
  CHECK(seen_too_little(counts).size() == 1);
  counts.with_slave = 21;
  CHECK(seen_too_little(counts).size() == 2);
  counts.chance_possible = 100;
  counts.chance_refusals = 11;
  CHECK(seen_too_little(counts).size() == 3);
}

TEST_CASE("where there is a slave, the kernel is asked each time what it receives from") {
  if (!runs_here()) return;
  auto trial = Trial::make({.cross_check_every = 1'000});
  REQUIRE(trial);
  const std::string group = "mkdir /a\nmount tmpfs /a\nmake-shared /a\nmkdir /b\nbind /a /b\n";
  const bool has_both = trial->observer().has(Source::listmount);
  trial->run(scenario_of(group));  // its turn
  for (int i = 0; i < 3; ++i) {
    CHECK_FALSE(trial->run(scenario_of(group)).cross_checked);
    const TrialResult result = trial->run(scenario_of(group + "make-slave /b\n"));
    CHECK(result.has_slave);
    CHECK(result.propagate_from_read);
    CHECK(result.cross_checked == has_both);
  }
}

TEST_CASE("4,000 steps agree, with the state read after each") {
  if (!runs_here()) return;
  std::string text = "spawn B\nmkdir /a\nmount tmpfs /a\nopen h /a\n";
  for (int i = 0; i < 999; ++i) {
    text += "mkdir @h/d\nB: bind /a/d /a/d\numount /a/d\nrmdir @h/d\n";
  }
  const TrialResult result = run(text, {.every_step = true});
  CHECK(result.kind == Kind::agree);
  CHECK(result.steps == 4000);
}

TEST_CASE("a report is a scenario that can be replayed") {
  if (!runs_here()) return;
  const Scenario scenario = scenario_of(where_traits_matter);
  auto trial = Trial::make(wrong_traits());
  REQUIRE(trial);
  const std::string text = report("fault.scn", scenario, trial->run(scenario));
  CHECK(text.starts_with("# fault.scn: disagree at step 4 of 6\n"));
  CHECK(scenario_of(text) == scenario);
}

TEST_CASE(
    "the kernel's own warnings are recognized, and harmless lines and those of programs are not") {
  CHECK(warning_in("4,1043,812104216,-;WARNING: CPU: 0 PID: 7 at fs/namespace.c:1\n K=V\n") ==
        "[  812.104216] WARNING: CPU: 0 PID: 7 at fs/namespace.c:1");
  CHECK(warning_in("3,1,2000001,-;rcu: INFO: rcu_sched self-detected stall on CPU") ==
        "[    2.000001] rcu: INFO: rcu_sched self-detected stall on CPU");
  CHECK(warning_in("6,1,2,-;kmemleak: 1 new suspected memory leaks (see /sys/kernel/debug/kmemleak)")
            .ends_with("kmemleak: 1 new suspected memory leaks (see /sys/kernel/debug/kmemleak)"));
  CHECK(warning_in("6,1,2,-;kmemleak: Kernel memory leak detector initialized").empty());
  CHECK(warning_in("6,1,2,-;tmpfs: mounted").empty());
  CHECK(warning_in("12,1,2,-;WARNING: a program wrote this").empty());
  CHECK(warning_in("").empty());
  CHECK(warning_in("4,1;WARNING:").empty());
}

}  // namespace
}  // namespace pivotcheck
