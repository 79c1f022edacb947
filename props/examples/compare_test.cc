// SPDX-License-Identifier: Apache-2.0
// compare_test.cc: differences are found whatever they are in, and each is one line.
#include "check/compare/compare.h"

#include <doctest/doctest.h>

#include <functional>

#include "examples.h"

namespace pivotcheck {
namespace {

using Lines = std::vector<std::string>;

Snapshot example() {
  Snapshot snapshot;
  snapshot.namespaces.resize(1);
  snapshot.namespaces[0].mounts = {mount(1, 0, "/", 1), mount(2, 1, "/a", 2), mount(3, 1, "/b", 2)};
  snapshot.namespaces[0].mounts[1].peer_group = 1;
  snapshot.namespaces[0].mounts[2].peer_group = 1;
  const LocationView top{.mount = 1, .detached = false, .path = "/", .removed = false};
  snapshot.tasks = {{"A", 0, top, top, {{"h", {3, false, "/b/x", false}}}}};
  return canonical(snapshot);
}

Lines after(const std::function<void(Snapshot&)>& change) {
  Snapshot model = example();
  change(model);
  return differences(example(), canonical(model));
}

TEST_CASE("differences: none between equals") { CHECK(differences(example(), example()).empty()); }

TEST_CASE("differences: each field of a mount") {
  using M = MountView;
  const auto change = [](std::function<void(M&)> how) {
    return after([&](Snapshot& snapshot) { how(snapshot.namespaces[0].mounts[2]); });
  };
  CHECK(change([](M& m) { m.flags = {MountFlag::ro}; }) ==
        Lines{"namespace 1: mount /b: flags: kernel none, model ro"});
  CHECK(change([](M& m) { m.filesystem_read_only = true; }) ==
        Lines{"namespace 1: mount /b: filesystem: kernel writable, model read-only"});
  CHECK(change([](M& m) { m.root = "/s"; }) ==
        Lines{"namespace 1: mount /b: shows: kernel / of the filesystem of namespace 1: /a, "
              "model /s of the filesystem of namespace 1: /a"});
  CHECK(change([](M& m) { m.root_removed = true; }).size() == 1);
  CHECK(change([](M& m) { m.filesystem = 3; }).size() == 1);
  CHECK(change([](M& m) { m.unbindable = true; }).size() == 1);
  CHECK(change([](M& m) { m.parent = 2; }) ==
        Lines{"namespace 1: mount /b: mounted on: kernel /, model /a"});
  CHECK(change([](M& m) { m.peer_group = 0; }) ==
        Lines{"namespace 1: mount /b: kernel shared 1 (namespace 1: /a), model private"});
  CHECK(change([](M& m) { m.peer_group = 2; }) ==
        Lines{"namespace 1: mount /b: kernel shared 1 (namespace 1: /a), model shared 2"});
  CHECK(change([](M& m) { m.master_group = 7; }).size() == 1);
  CHECK(change([](M& m) { m.receives_from = 1; }).size() == 1);
}

TEST_CASE("differences: a mount too many is one line, though it shifts all numbers") {
  const Lines lines = after([](Snapshot& snapshot) {
    snapshot.namespaces[0].mounts.push_back(mount(9, 1, "/0", 9));
    snapshot.namespaces[0].mounts.back().peer_group = 9;
  });
  CHECK(lines == Lines{"namespace 1: mount /0: only the model has it (on /, shows / of its own "
                       "filesystem, shared 2)"});
}

TEST_CASE("differences: stacked mounts are told apart") {
  const Lines lines = after([](Snapshot& snapshot) {
    snapshot.namespaces[0].mounts.push_back(mount(9, 2, "/a", 9));
  });
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].starts_with("namespace 1: mount /a [2]: only the model has it (on /a, "));
}

TEST_CASE("differences: roots, directories, handles, tasks") {
  CHECK(after([](Snapshot& s) { s.tasks[0].root.mount = 2; }) ==
        Lines{"task A: root: kernel / on /, model / on /a"});
  CHECK(after([](Snapshot& s) { s.tasks[0].current_directory.removed = true; }) ==
        Lines{"task A: current directory: kernel / on /, model / (removed) on /"});
  CHECK(after([](Snapshot& s) { s.tasks[0].handles[0].location = {5, true, "/b/x", false}; }) ==
        Lines{"task A: handle h: kernel /b/x on /b, model /b/x on detached #1"});
  CHECK(after([](Snapshot& s) { s.tasks[0].handles.clear(); }) ==
        Lines{"task A: handle h: only the kernel has it"});
  CHECK(after([](Snapshot& s) { s.tasks[0].name = "B"; }).size() == 2);
  CHECK(after([](Snapshot& s) {
          s.tasks.push_back(s.tasks[0]);
          s.tasks[1].name = "B";
        }) == Lines{"task B: only the model has it"});
}

TEST_CASE("differences: never empty for unequal snapshots") {
  Snapshot model = example();
  model.namespaces.emplace_back();
  CHECK_FALSE(differences(example(), model).empty());
  model = example();
  for (MountView& view : model.namespaces[0].mounts) view.filesystem += 5;
  CHECK_FALSE(differences(example(), model).empty());
}

}  // namespace
}  // namespace pivotcheck
