// SPDX-License-Identifier: Apache-2.0
// view_test.cc: the canonical form and the drawing.
#include "view/snapshot.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "mount_of.h"
#include "view/draw.h"
#include "view/mount_names.h"

namespace pivotcheck {
namespace {

// Two namespaces: A's with /, /a, /b, and a mount over /a; B's with / only.
Snapshot example() {
  Snapshot snapshot;
  snapshot.namespaces.resize(2);
  std::vector<MountView>& mounts = snapshot.namespaces[1].mounts;
  mounts = {mount(70, 30, "/b", 9), mount(30, 0, "/", 12), mount(90, 40, "/a", 12),
            mount(40, 30, "/a", 7)};
  mounts[0].peer_group = 500;
  mounts[2].master_group = 300;   // a group without members
  mounts[2].receives_from = 500;
  mounts[3].peer_group = 400;
  mounts[3].flags = {MountFlag::ro, MountFlag::nosuid};
  mounts[3].filesystem_read_only = true;
  snapshot.namespaces[0].mounts = {mount(31, 0, "/", 12)};
  snapshot.namespaces[0].mounts[0].unbindable = true;
  const LocationView top{.mount = 30, .detached = false, .path = "/", .removed = false};
  const LocationView lost{.mount = 65, .detached = true, .path = "/sub", .removed = true};
  const LocationView other{.mount = 66, .detached = true, .path = "/", .removed = false};
  const LocationView far{.mount = 31, .detached = false, .path = "/x y", .removed = false};
  snapshot.tasks = {{"A", 1, top, other, {{"z", lost}, {"h", far}, {"k", other}}},
                    {"B", 0, {31, false, "/", false}, lost, {}}};
  return snapshot;
}

Snapshot shuffled(Snapshot snapshot, unsigned seed) {
  std::mt19937 random(seed);
  const auto other = [seed](std::uint64_t& id) {
    if (id != 0) id = (id * 7919 + seed * 31) % 1000003;
  };
  for (NamespaceView& view : snapshot.namespaces) {
    std::ranges::shuffle(view.mounts, random);
    for (MountView& item : view.mounts) {
      for (std::uint64_t* id : {&item.id, &item.parent, &item.filesystem, &item.peer_group,
                                &item.master_group, &item.receives_from}) {
        other(*id);
      }
    }
  }
  for (TaskView& task : snapshot.tasks) {
    std::ranges::shuffle(task.handles, random);
    other(task.root.mount);
    other(task.current_directory.mount);
    for (HandleView& handle : task.handles) other(handle.location.mount);
  }
  return snapshot;
}

TEST_CASE("canonical form: mounts are numbered by where they are") {
  const Snapshot snapshot = canonical(example());
  const std::vector<MountView>& mounts = snapshot.namespaces[0].mounts;
  REQUIRE(mounts.size() == 4);
  CHECK(mounts[0].mount_point == "/");
  CHECK(mounts[1].mount_point == "/a");
  CHECK(mounts[1].parent == 1);
  CHECK(mounts[2].mount_point == "/a");
  CHECK(mounts[2].parent == 2);
  CHECK(mounts[3].mount_point == "/b");
  CHECK(mounts[3].id == 4);
  CHECK(snapshot.namespaces[1].mounts[0].id == 5);
  CHECK(snapshot.namespaces[1].mounts[0].filesystem == 1);
}

TEST_CASE("canonical form: groups by first member, those without members afterwards") {
  const Snapshot snapshot = canonical(example());
  const std::vector<MountView>& mounts = snapshot.namespaces[0].mounts;
  CHECK(mounts[1].peer_group == 1);
  CHECK(mounts[3].peer_group == 2);
  CHECK(mounts[2].master_group == 3);
  CHECK(mounts[2].receives_from == 2);
}

TEST_CASE("canonical form: namespaces by earliest task, detached mounts by first use") {
  const Snapshot snapshot = canonical(example());
  CHECK(snapshot.tasks[0].mount_namespace == 0);
  CHECK(snapshot.tasks[1].mount_namespace == 1);
  CHECK(snapshot.tasks[0].handles[0].name == "h");
  CHECK(snapshot.tasks[0].handles[0].location.mount == 5);
  CHECK(snapshot.tasks[0].current_directory.mount == 1);
  CHECK(snapshot.tasks[0].handles[2].location.mount == 2);
  CHECK(snapshot.tasks[1].current_directory.mount == 2);
}

TEST_CASE("canonical form: idempotent, and blind to order and ids") {
  const Snapshot once = canonical(example());
  CHECK(canonical(once) == once);
  for (unsigned seed = 1; seed < 50; ++seed) CHECK(canonical(shuffled(example(), seed)) == once);
}

TEST_CASE("canonical form: worlds that differ stay different") {
  Snapshot changed = example();
  changed.namespaces[1].mounts[0].peer_group = 400;  // /b joins the group of /a
  CHECK_FALSE(canonical(changed) == canonical(example()));
}

TEST_CASE("canonical form: no mounts, and a stack of thousands") {
  Snapshot snapshot;
  snapshot.namespaces.resize(1);
  snapshot.tasks = {{"A", 0, {7, true, "/", false}, {7, true, "/", false}, {}}};
  CHECK(canonical(snapshot).tasks[0].root.mount == 1);
  for (MountId id = 1; id <= 4000; ++id) {
    snapshot.namespaces[0].mounts.push_back(mount(id + 10, id == 1 ? 0 : id + 9, "/", id));
  }
  CHECK(canonical(snapshot).namespaces[0].mounts.back().id == 4000);
}

TEST_CASE("drawing: a tree for each namespace, tasks below it") {
  const std::vector<std::string> expected{
      "namespace 1: A",
      "/           #1  fs-1:/",
      "|-- /a      #2  fs-2:/  ro,nosuid  shared 1  fs-ro",
      "|   `-- /a  #3  fs-1:/  slave of 3, receives from 2",
      "`-- /b      #4  fs-3:/  shared 2",
      "A  root #1 /  cwd detached #1 /",
      "   @h #5 \"/x y\"",
      "   @k detached #1 /",
      "   @z detached #2 /sub (removed)",
      "namespace 2: B",
      "/           #5  fs-1:/  unbindable",
      "B  root #5 /  cwd detached #2 /sub (removed)",
  };
  const std::vector<std::string> drawn = draw(canonical(example()));
  REQUIRE(drawn.size() == expected.size());
  for (std::size_t i = 0; i < drawn.size(); ++i) CHECK(drawn[i] == expected[i]);
}

TEST_CASE("drawing: a namespace may be empty, and names are made printable") {
  Snapshot snapshot;
  snapshot.namespaces.resize(1);
  snapshot.tasks = {{"A", 0, {7, true, "/", false}, {7, true, "/\x01\n\xC3\xA9\\", false}, {}}};
  CHECK(draw(canonical(snapshot)) ==
        std::vector<std::string>{"namespace 1: A", "(no mounts)",
                                 R"(A  root detached #1 /  cwd detached #1 "/\x01\n\xC3\xA9\\")"});
  CHECK(quoted_if_needed("") == "\"\"");
}

TEST_CASE("difference of drawings: one mount more is one line more") {
  Snapshot second = example();
  second.namespaces[1].mounts.push_back(mount(95, 30, "/aa", 77));
  const Snapshot first = canonical(example());
  const std::string diff = draw_difference(first, "kernel", canonical(second), "model");
  CHECK(diff.starts_with("- kernel\n+ model\n  namespace 1: A\n"));
  std::size_t changed = 0;
  for (std::size_t at = diff.find('\n'); at != std::string::npos; at = diff.find('\n', at + 1)) {
    if (at + 1 < diff.size() && diff[at + 1] != ' ') ++changed;
  }
  CHECK(changed == 2);  // the second heading, and the line of /aa
  CHECK(diff.find("+ |-- /aa") != std::string::npos);
  CHECK(draw_difference(second, "a", second, "b").find("\n- ") == std::string::npos);
}

}  // namespace
}  // namespace pivotcheck
