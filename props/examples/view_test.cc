// SPDX-License-Identifier: Apache-2.0
// view_test.cc: the canonical form and the drawing.
#include "view/snapshot.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <random>
#include <set>

#include "examples.h"
#include "view/draw.h"
#include "view/fingerprint.h"
#include "view/mount_names.h"

namespace pivotcheck {
namespace {

// As the kernel may be read: ids of any numbers, in any order (text_properties.cc has random ones).
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

TEST_CASE("canonical form: worlds that differ stay different") {
  Snapshot changed = example();
  changed.namespaces[1].mounts[0].peer_group = 400;  // /b joins the group of /a
  CHECK_FALSE(canonical(changed) == canonical(example()));
}

// Of each struct of a snapshot, one field at a time.
TEST_CASE("fingerprint: equal for equal states, and other for each change") {
  CHECK(fingerprint(canonical(example())) == fingerprint(canonical(example())));
  const auto changes = std::to_array<void (*)(Snapshot&)>({
      [](Snapshot& it) { it.namespaces[1].mounts[0].root = "/sub"; },
      [](Snapshot& it) { it.namespaces[1].mounts[0].flags = {MountFlag::noexec}; },
      [](Snapshot& it) { it.namespaces[1].mounts[1].unbindable = true; },
      [](Snapshot& it) { it.namespaces[1].mounts[3].filesystem_read_only = false; },
      [](Snapshot& it) { it.tasks[0].name = "C"; },
      [](Snapshot& it) { it.tasks[0].mount_namespace = 0; },
      [](Snapshot& it) { it.tasks[0].root.path = "/b"; },
      [](Snapshot& it) { it.tasks[0].handles.pop_back(); },
      [](Snapshot& it) { it.tasks[1].root.removed = true; },
  });
  std::set<std::string> seen{fingerprint(example())};
  for (const auto change : changes) {
    Snapshot changed = example();
    change(changed);
    CHECK(seen.insert(fingerprint(changed)).second);
  }
}

// Before Linux 6.17 one place of a mount may hold several: here four that look alike. Two are peers
// (one of them is covered once more), one is their slave, one belongs to nobody.
TEST_CASE("canonical form: mounts at one place, told apart by what they are related to") {
  const auto twins = [](std::mt19937& random, bool slave_is_covered) {
    std::vector<MountId> ids(7);
    std::iota(ids.begin(), ids.end(), 1 + random() % 50);
    std::ranges::shuffle(ids, random);
    const std::uint64_t group = 1 + random() % 50;
    Snapshot snapshot;
    snapshot.namespaces.resize(1);
    std::vector<MountView>& mounts = snapshot.namespaces[0].mounts;
    mounts.push_back(mount(ids[0], 0, "/", 1));
    for (std::size_t i = 1; i <= 4; ++i) mounts.push_back(mount(ids[i], ids[0], "/a", 1));
    mounts[1].peer_group = mounts[2].peer_group = group;
    mounts[3].master_group = group;
    mounts.push_back(mount(ids[5], ids[slave_is_covered ? 3 : 1], "/a/x", 1));
    mounts.push_back(mount(ids[6], ids[0], "/b", 1));  // a peer that is somewhere else
    mounts[6].peer_group = group;
    const LocationView at{.mount = ids[2], .detached = false, .path = "/a", .removed = false};
    snapshot.tasks = {{"A", 0, at, at, {}}};
    std::ranges::shuffle(mounts, random);
    return canonical(snapshot);
  };
  std::mt19937 random(1);
  const Snapshot one = twins(random, false);
  for (int i = 0; i < 200; ++i) {
    CHECK(twins(random, false) == one);
    CHECK_FALSE(twins(random, true) == one);
  }
  CHECK(canonical(one) == one);
}

// Nothing tells these apart but what was said of the first: pairs of peers, a pair at each place.
TEST_CASE("canonical form: pairs that could be exchanged") {
  const auto pairs = [](std::mt19937& random, bool across) {
    std::vector<std::size_t> order{0, 1, 2, 3};
    std::ranges::shuffle(order, random);
    Snapshot snapshot;
    snapshot.namespaces.resize(1);
    std::vector<MountView>& mounts = snapshot.namespaces[0].mounts;
    mounts.push_back(mount(9, 0, "/", 1));
    for (const std::size_t i : order) {
      mounts.push_back(mount(20 + i, 9, i < 2 ? "/a" : "/b", 1));
      mounts.back().peer_group = across ? 40 + i % 2 : 40 + i / 2;
    }
    const LocationView at{.mount = 9, .detached = false, .path = "/", .removed = false};
    snapshot.tasks = {{"A", 0, at, at, {}}};
    return canonical(snapshot);
  };
  std::mt19937 random(1);
  const Snapshot across = pairs(random, true);
  for (int i = 0; i < 50; ++i) {
    CHECK(pairs(random, true) == across);
    CHECK_FALSE(pairs(random, false) == across);
  }
}

// Mounts at one place of one parent, to any depth: each tree keeps its form whatever the order in
// which it is read, also where only what lies deeper, or a flag there, tells two branches apart.
TEST_CASE("canonical form: trees of mounts that all lie at one place") {
  const auto shuffled = [](std::mt19937& random, const std::vector<std::size_t>& parents,
                           std::size_t flagged) {
    std::vector<MountId> ids(parents.size());
    std::iota(ids.begin(), ids.end(), 1 + random() % 50);
    std::ranges::shuffle(ids, random);
    Snapshot snapshot;
    snapshot.namespaces.resize(1);
    std::vector<MountView>& mounts = snapshot.namespaces[0].mounts;
    for (std::size_t i = 0; i < parents.size(); ++i) {
      mounts.push_back(mount(ids[i], i == 0 ? 0 : ids[parents[i]], "/", 1));
      mounts.back().peer_group = 7;
      if (i == flagged) mounts.back().flags = {MountFlag::nodiratime};
    }
    const LocationView at{.mount = ids[0], .detached = false, .path = "/", .removed = false};
    snapshot.tasks = {{"A", 0, at, at, {}}};
    std::ranges::shuffle(mounts, random);
    return canonical(snapshot);
  };
  std::mt19937 random(1);
  for (int tree = 0; tree < 100; ++tree) {
    std::vector<std::size_t> parents{0};
    while (parents.size() < 20) parents.push_back(random() % parents.size());
    const std::size_t flagged = random() % parents.size();
    const Snapshot one = shuffled(random, parents, flagged);
    for (int i = 0; i < 20; ++i) CHECK(shuffled(random, parents, flagged) == one);
  }
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

// Mounts are numbered by where they are; groups by first member, those without members after them;
// namespaces by earliest task; detached mounts by first use; handles are sorted by name.
TEST_CASE("canonical form and drawing: a tree for each namespace, tasks below it") {
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
  CHECK(draw(canonical(example())) == expected);
  CHECK(canonical(canonical(example())) == canonical(example()));
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
