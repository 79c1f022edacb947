// SPDX-License-Identifier: Apache-2.0
// probing_test.cc: what a probing end makes visible. A world is altered behind its own back, in a
// way that no state shows; the steps of the probing end then go another way. No kernel is asked.
#include <cstdint>
#include <functional>
#include <string_view>

#include "check/gen/probing_end.h"
#include "examples.h"
#include "model/predict.h"
#include "view/snapshot.h"

namespace pivotcheck {
namespace {

using model::MountIndex;
using model::World;

// Always the last choice, which takes everything apart; or the first, which only looks.
class OneChoice final : public Choices {
 public:
  explicit OneChoice(bool last) : last_(last) {}
  std::uint32_t below(std::uint32_t n) override { return last_ ? n - 1 : 0; }

 private:
  bool last_;
};

// A scenario with a probing end.
class Probed {
 public:
  explicit Probed(std::string_view text, bool takes_apart = true)
      : before(predict(scenario_of(text), {}).world),
        predicted(with_end(scenario_of(text), takes_apart, counts)),
        own_steps_(scenario_of(text).steps.size()) {}

  // The states of the altered world and of this one are equal, and the steps of the end, or the
  // state after them, are not.
  [[nodiscard]] bool finds(const std::function<void(World&)>& alter) const {
    World altered = before;
    alter(altered);
    CHECK(canonical(snapshot(altered)) == canonical(snapshot(before)));
    for (std::size_t i = own_steps_; i < predicted.program.steps.size(); ++i) {
      if (apply(altered, predicted.program.steps[i]) != predicted.verdicts[i]) return true;
    }
    return canonical(snapshot(altered)) != canonical(snapshot(predicted.world));
  }

  gen::ProbeCounts counts;
  World before;  // the probing end
  Prediction predicted;

 private:
  static Prediction with_end(const Scenario& scenario, bool takes_apart, gen::ProbeCounts& counts) {
    Predictor predictor(Privilege::userns, {});
    for (const ScenarioStep& step : scenario.steps) REQUIRE(predictor.add(step.step));
    OneChoice choices(takes_apart);
    add_probing_end(predictor, choices, counts);
    return predictor.take();
  }

  std::size_t own_steps_;
};

constexpr std::string_view locked_copies =
    "mkdir /a\n"
    "mount tmpfs /a ro,nosuid\n"
    "mkdir /b\n"
    "mount tmpfs /b nodev,noexec\n"
    "mkdir /b/c\n"
    "mount tmpfs /b/c noatime\n"
    "mount tmpfs /b/c\n"
    "spawn B\n"
    "B: unshare mnt,user\n";

std::vector<MountIndex> mounts_of(const World& world, std::size_t task) {
  std::vector<MountIndex> found;
  for (std::uint32_t i = 0; i < world.mounts.size(); ++i) {
    const MountIndex rootfs = world[world.tasks[task].mount_ns].rootfs;
    const bool is_in = world.mounts[i].mount_ns == world.tasks[task].mount_ns;
    if (is_in && rootfs != MountIndex{i}) found.push_back({i});
  }
  return found;
}

TEST_CASE("a lock that is missing, or that should not be there, shows in the probing end alone") {
  const Probed probed(locked_copies);
  for (std::size_t task = 0; task < 2; ++task) {
    for (const MountIndex mount : mounts_of(probed.before, task)) {
      CAPTURE(probed.before.mount_point_path(mount));
      // Of a stack, a lock of which keeps what is below from being named.
      const bool is_below = probed.before.mounted_at(mount, probed.before[mount].root).exists() &&
                            task == 1;
      if (is_below) continue;
      CHECK(probed.finds([&](World& world) { world[mount].locked = !world[mount].locked; }));
    }
  }
}

TEST_CASE("each locked flag that is missing shows in the probing end alone") {
  const Probed probed(locked_copies);
  int flags = 0;
  for (const MountIndex mount : mounts_of(probed.before, 1)) {
    for (std::size_t i = 0; i < FlagNames<MountFlag>::names.size(); ++i) {
      const auto flag = static_cast<MountFlag>(i);
      const bool is_named = !probed.before.mounted_at(mount, probed.before[mount].root).exists();
      if (!is_named || !probed.before[mount].locked_flags.has(flag)) continue;
      ++flags;
      CAPTURE(FlagNames<MountFlag>::names[i]);
      CHECK(probed.finds([&](World& world) { world[mount].locked_flags.set(flag, false); }));
    }
  }
  CHECK(flags == 8);  // ro and nosuid, nodev and noexec, and the atime setting of four mounts
}

TEST_CASE("something is mounted on each peer group once, where nothing is taken apart") {
  constexpr std::string_view two_groups =
      "mkdir /a\n"
      "mkdir /b\n"
      "mount tmpfs /a\n"
      "make-shared /a\n"
      "bind /a /b\n"
      "mkdir /c\n"
      "mount tmpfs /c\n"
      "make-shared /c\n";
  const Probed looked_at(two_groups, false);
  CHECK(looked_at.counts.groups_mounted_on == 2);
  CHECK(mounts_of(looked_at.before, 0).size() == 4);
  CHECK(mounts_of(looked_at.predicted.world, 0).size() == 7);  // and on /a and /b, and on /c
  CHECK(Probed(two_groups).counts.groups_mounted_on == 0);
}

TEST_CASE("the inside of a detached tree is part of the state after the probing end") {
  const Probed probed(
      "mkdir /a\n"
      "mount tmpfs /a\n"
      "mkdir /a/b\n"
      "mount tmpfs /a/b\n"
      "make-shared /a/b\n"
      "open_tree h /a clone,recursive\n",
      false);
  CHECK(probed.counts.trees_attached == 1);
  CHECK(probed.counts.trees_left == 0);
  const World& world = probed.before;
  const MountIndex inside = world[world.tasks[0].handles[0].at.mount].children.front();
  CHECK(probed.finds([&](World& altered) { altered[inside].flags = {MountFlag::ro}; }));
  CHECK(probed.finds([&](World& altered) { altered.leave_group(inside); }));
}

TEST_CASE("a task enters a namespace in which none has all capabilities; if none may, it is said") {
  constexpr std::string_view without =
      "mkdir /a\n"
      "mount tmpfs /a\n"
      "spawn B\n"
      "B: unshare mnt\n"
      "B: dropcap sys_admin\n";
  const Probed entered(without);
  CHECK(entered.predicted.world.tasks.size() == 3);
  CHECK(entered.counts.namespaces_left == 0);
  CHECK(entered.counts.mounts == 4);

  const Probed left(std::string(without) + "dropcap dac\n");
  CHECK(left.predicted.world.tasks.size() == 2);
  CHECK(left.counts.namespaces_left == 2);
  CHECK(left.counts.mounts == 0);
}

}  // namespace
}  // namespace pivotcheck
