// SPDX-License-Identifier: Apache-2.0
// strategy_test.cc: the ways to switch root, as data. What corpus/strategies has is what the code
// does, to the letter: each file is written here once more from the steps, so that a scenario that
// people read, and that kernel and model answer in `pivotcheck run corpus/strategies`, can't be
// another one.
#include <doctest/doctest.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "model/predict.h"
#include "scenario/scenario.h"
#include "switch/strategy/step.h"

namespace pivotcheck {
namespace {

namespace fs = std::filesystem;
using strategy::Plan;
using strategy::Steps;

struct Case {
  std::string file;
  Strategy strategy;
  std::string title;
  Plan plan;
};

// A shared tree, as machines have it, with a mount below the new root and one elsewhere; then a
// task for each process.
constexpr const char* machine = R"(make-rshared /
mkdir /src
mkdir /src/sub
mount tmpfs /src/sub
mkdir /new
mkdir /new/bin
mkdir /new/mnt
mkdir /new/proc
mkdir /new/tmp
mount tmpfs /new/bin
symlink bin /new/sbin
touch /new/init
)";

// Three for each strategy.
std::vector<Case> cases() {
  using Kind = strategy::Entry::Kind;
  std::vector<Case> all;
  for (const StrategyInfo& row : strategies()) {
    const std::string name(row.name);
    Plan plan;
    if (row.strategy == Strategy::tmpfs_sandbox) {
      plan.contents = {{"bin", Kind::directory, ""},
                       {"init", Kind::file, ""},
                       {"mnt", Kind::directory, ""},
                       {"proc", Kind::directory, ""},
                       {"sbin", Kind::symlink, "bin"}};
    }
    Plan mounts = plan;
    mounts.read_only = true;
    mounts.mounts = {
        {BindAt{.source = "/src", .target = "/mnt", .recursive = true, .read_only = true}},
        {TmpfsAt{"/tmp"}}};
    if (row.strategy == Strategy::dot_dot) plan.propagation = Propagation::slave;
    Plan user = plan;
    user.user_namespace = true;
    all.push_back({name, row.strategy, std::string(row.sequence), plan});
    all.push_back({name + "-with-mounts", row.strategy,
                   name + ", read-only, with a bind and a tmpfs", mounts});
    all.push_back(
        {name + "-in-a-user-namespace", row.strategy, name + " without privileges", user});
  }
  return all;
}

std::string lines(const std::string& task, const Steps& steps) {
  std::string text;
  for (const strategy::SwitchStep& step : steps) {
    for (const Op& op : modelled(step)) text += print(Step{{task}, op}) + "\n";
  }
  return text;
}

std::string passed_over(const Steps& steps) {
  std::string text;
  for (const strategy::SwitchStep& step : steps) {
    if (modelled(step).empty()) text += "about: passed over: " + describe(step) + "\n";
  }
  return text;
}

// The whole file, as it should be.
std::string expected(const Case& one) {
  Steps preparation;
  if (one.strategy == Strategy::template_) preparation = template_preparation(one.plan);
  const Steps steps = strategy::steps(one.strategy, one.plan);
  std::string text = "# SPDX-License-Identifier: Apache-2.0\ntitle: " + one.title + "\n";
  text += passed_over(preparation) + passed_over(steps) + machine;
  if (!preparation.empty()) text += "spawn P\n" + lines("P", preparation) + "P: exit\n";
  return text + "spawn B\n" + lines("B", steps);
}

}  // namespace

TEST_CASE("each scenario in corpus/strategies is what its strategy does") {
  const fs::path folder = fs::path(PIVOTCHECK_SOURCE_DIR "/corpus/strategies");
  std::set<std::string> known;
  for (const Case& one : cases()) {
    known.insert(one.file + ".scn");
    CHECK_MESSAGE(read_file(folder / (one.file + ".scn")) == expected(one), one.file,
                  ".scn should be:\n", expected(one));
  }
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory()) continue;  // classic/: what people write, with paths
    const std::string name = entry.path().filename().string();
    CHECK_MESSAGE(known.contains(name), name, " belongs to no strategy");
  }
}

TEST_CASE(
    "in the model every step of every strategy succeeds, and the command ends up at the root") {
  for (const Case& one : cases()) {
    CAPTURE(one.file);
    const auto scenario = parse(expected(one));
    REQUIRE(scenario.has_value());
    const Prediction predicted = predict(*scenario, KernelTraits{});
    const model::World& world = predicted.world;
    for (std::size_t i = 0; i < predicted.verdicts.size(); ++i) {
      const Outcome outcome = predicted.verdicts[i].outcome;
      CHECK_MESSAGE(outcome.ok(), print(scenario->steps[i].step), ": ", to_string(outcome));
    }
    // What is at the root of the namespace, below everything: the new root, or the old one.
    const model::Task& task = world[world.find_task("B")];
    const model::MountIndex lowest = world.lowest_mount(task.mount_ns);
    const bool covers = one.strategy == Strategy::move_chroot || one.strategy == Strategy::chroot;
    const bool stands_lowest = task.root.mount == lowest && world.is_mount_root(task.root);
    if (covers) CHECK(!stands_lowest);
    if (!covers && one.strategy != Strategy::template_) CHECK(stands_lowest);
    CHECK(task.current_directory == task.root);
    CHECK(task.handles.empty());
  }
}

TEST_CASE("every strategy has a name of its own, and every step a phase and a line") {
  std::set<std::string_view> names;
  for (const StrategyInfo& row : strategies()) {
    CHECK(names.insert(row.name).second);
    CHECK(find_strategy(row.name) == row.strategy);
    CHECK(&info(row.strategy) == &row);
    CHECK(!row.guarantee.empty());
    const Steps steps = strategy::steps(row.strategy, Plan{});
    REQUIRE(steps.size() > 2);
    for (const strategy::SwitchStep& step : steps) CHECK(!describe(step).empty());
    CHECK(std::holds_alternative<strategy::Execute>(steps.back().action));
  }
  CHECK(!find_strategy("dotdot").has_value());
}

TEST_CASE("in a user namespace /proc is made before the old root goes") {
  for (const StrategyInfo& row : strategies()) {
    CAPTURE(row.name);
    Plan plan;
    plan.user_namespace = true;
    plan.pid_namespace = true;
    plan.mounts.push_back({ProcAt{"/proc"}});
    bool made = false;
    for (const strategy::SwitchStep& step : strategy::steps(row.strategy, plan)) {
      made = made || std::holds_alternative<strategy::NewProc>(step.action);
      const auto* op = std::get_if<Op>(&step.action);
      const bool leaves = op != nullptr && (std::holds_alternative<Umount>(*op) ||
                                            print(Step{{"A"}, *op}) == "setns T mnt");
      if (leaves) CHECK(made);
    }
    CHECK(made);
  }
}

}  // namespace pivotcheck
