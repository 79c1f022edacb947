// SPDX-License-Identifier: Apache-2.0
// pivot_matrix_test.cc: pivot_root with each pair out of some twenty kinds of places as new_root
// and put_old, in each setting that it checks: where the caller's root is, which of the three
// mounts that matter are shared, whether mounts are locked. Several rules are broken at once in
// most of them; the model says which one the kernel reports.
//
//     /            base          the lowest mount of the namespace
//     |-- /m       beside        a mount beside the caller's root
//     `-- /r       the root      what the caller usually has as its root
//         |-- d  f  l -> n       a directory, a file, a link to a mount
//         |-- b                  d bound to b: a mount of the same filesystem
//         |-- n                  the new root: a mount with a directory d, and
//         |   `-- o              a mount on it
//         `-- s (twice)          a stack of mounts
//
// The caller is task B, in a mount namespace of its own. What is refused changes nothing, so all
// refused pairs of a setting are performed in one world; each one that succeeds has its own.
#include <doctest/doctest.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/apply.h"
#include "check/trial/trial.h"
#include "examples.h"

namespace pivotcheck {
namespace {

constexpr std::string_view tree = R"(
mkdir /m
mount tmpfs /m
mkdir /r
mount tmpfs /r
mkdir /r/d
touch /r/f
symlink n /r/l
mkdir /r/b
bind /r/d /r/b
mkdir /r/n
mount tmpfs /r/n
mkdir /r/n/d
mkdir /r/n/o
mount tmpfs /r/n/o
mkdir /r/s
mkdir /r/z
open other /r/n
open otherroot /r
spawn B
)";

// In B's own namespace. Handles reach what no path does, and do so wherever its root is.
constexpr std::string_view places = R"(
B: mount tmpfs /r/s
B: open covered /r/s
B: mount tmpfs /r/s
B: open stacked /r/s
B: open base /
B: open beside /m
B: open root /r
B: open directory /r/d
B: open bound /r/b
B: open mounted /r/n
B: open below /r/n/d
B: open onmount /r/n/o
B: open_tree detached /r/n clone,recursive
B: fsmount fresh tmpfs
B: mount tmpfs /r/z
B: open unmounted /r/z
B: umount /r/z detach
B: mkdir /r/n/x
B: open removed /r/n/x
B: rmdir /r/n/x
B: open file /r/f
B: chdir /r
)";

constexpr std::string_view paths[] = {
    "@base",     "@beside",    "@root",    "@directory", "@bound", "@mounted",
    "@below",    "@onmount",   "@stacked", "@covered",   "@detached", "@detached/o",
    "@fresh",    "@unmounted", "@removed", "@other",     "@file",  "f",
    "l",         "missing",    "/",        "/..",        ".",      "@root/n",
    "\"\"",      "@closed"};

constexpr std::string_view roots[] = {
    "",                                // the lowest mount
    "B: chroot /r\n",                  // a mount
    "B: chroot /r/d\n",                // a plain directory
    "B: chroot /r\nB: mount tmpfs /\n",  // covered
    "B: chroot @otherroot\n",          // in another namespace
    "B: chroot @detached\n",           // in a detached tree
};

// The mount on which the root is mounted, that on which the new root is, and that of put_old.
constexpr std::string_view sharing[] = {"B: make-shared @base\n", "B: make-shared @root\n",
                                        "B: make-shared @mounted\n"};

constexpr std::string_view namespaces[] = {"B: unshare mnt\n", "B: unshare mnt,user\n"};

// The pairs, as steps of task B.
const std::vector<ScenarioStep>& pairs() {
  static const std::vector<ScenarioStep> all = [] {
    std::string text = "spawn B\n";
    for (const std::string_view new_root : paths) {
      for (const std::string_view put_old : paths) {
        text.append("B: pivot_root ").append(new_root).append(" ").append(put_old).append("\n");
      }
    }
    std::vector<ScenarioStep> steps = scenario_of(text).steps;
    steps.erase(steps.begin());
    return steps;
  }();
  return all;
}

class Matrix {
 public:
  Matrix(Trial& trial, Privilege privilege) : trial_(trial), privilege_(privilege) {}

  void run(const std::string& setting) {
    Scenario prefix = scenario_of(setting);
    prefix.privilege = privilege_;
    const Prediction before = predict(prefix, trial_.traits());
    for (const Verdict& verdict : before.verdicts) REQUIRE(verdict.outcome.ok());
    Resolver resolver;
    for (const ScenarioStep& each : prefix.steps) REQUIRE(resolver.add(each.step));
    Scenario refused = prefix;
    for (const ScenarioStep& pair : pairs()) {
      model::World world = before.world;
      const Verdict verdict = apply(world, resolver.add(pair.step).value());
      ++cases;
      ++rules[verdict.rule];
      if (!verdict.outcome.ok()) {
        refused.steps.push_back(pair);
        continue;
      }
      Scenario succeeds = prefix;
      succeeds.steps.push_back(pair);
      check(succeeds);
    }
    check(refused);
  }

  int cases = 0;
  std::map<Rule, int> rules;

 private:
  void check(const Scenario& scenario) {
    const TrialResult fast = trial_.run_predicted(predict(scenario, trial_.traits()));
    if (fast.kind == TrialResult::Kind::agree && !fast.state_unseen) return;
    const TrialResult result = trial_.run(scenario);
    FAIL_CHECK(name(result.kind), " at step ", result.step, result.reason, "\n", print(scenario));
  }

  Trial& trial_;
  Privilege privilege_;
};

}  // namespace

TEST_CASE("each pair of places for pivot_root is answered as the model says, in each setting") {
  auto trial = Trial::make();
  REQUIRE(trial);
  for (const Privilege privilege : {Privilege::userns, Privilege::root}) {
    if (const auto started = trial->start(privilege); !started) {
      not_run("1 of 2 privileges: " + started.error().what);
      continue;
    }
    Matrix matrix(*trial, privilege);
    for (const std::string_view mount_ns : namespaces) {
      for (const std::string_view root : roots) {
        for (unsigned shared = 0; shared < 8; ++shared) {
          std::string setting(tree);
          setting.append(mount_ns).append(places);
          for (unsigned i = 0; i < 3; ++i) {
            if ((shared >> i & 1U) != 0) setting.append(sharing[i]);
          }
          matrix.run(setting.append(root));
        }
      }
    }
    std::string stats;
    for (const auto& [rule, count] : matrix.rules) {
      stats.append("\n  ").append(rule == Rule::none ? "ok" : info(rule).name).append(" ");
      stats.append(std::to_string(count));
    }
    MESSAGE(matrix.cases, " pairs", stats);
    // Every reason for which pivot_root refuses comes up, except the capability: all have it here.
    for (const RuleInfo& rule : rule_table()) {
      if (rule.calls != Calls{Call::pivot_root} || rule.rule == Rule::pivot_no_capability) continue;
      CHECK_MESSAGE(matrix.rules[rule.rule] > 0, rule.name);
    }
  }
}

}  // namespace pivotcheck
