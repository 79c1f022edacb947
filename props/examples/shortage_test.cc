// SPDX-License-Identifier: Apache-2.0
// shortage_test.cc: examples of steps while descriptors run out, which can be tried on any kernel;
// allocations fail in kernels made for it (ci/kernels shortage).
#include "check/trial/shortage.h"

#include <map>

#include "check/trial/probed_traits.h"
#include "examples.h"

using namespace pivotcheck;
using ShortageKind = ShortageResult::Kind;

namespace {

Prediction predicted(std::string_view text) {
  return predict(scenario_of(text), probed_traits().traits);
}

ShortageTrial trial() {
  auto made = ShortageTrial::make();
  REQUIRE_MESSAGE(made, (made ? "" : made.error().what));
  return std::move(*made);
}

constexpr unsigned descriptors_max = 64;  // a world has a few

// How often each kind came, until there were enough descriptors.
std::map<ShortageKind, int> kinds(const Prediction& prediction) {
  ShortageTrial one = trial();
  std::map<ShortageKind, int> result;
  for (unsigned number = 1; number < descriptors_max; ++number) {
    const ShortageResult got = one.run(prediction, {Lack::descriptors, number});
    CAPTURE(got.reason);
    ++result[got.kind];
    if (got.kind == ShortageKind::enough) break;
    CHECK(got.outcome.error == EMFILE);
  }
  return result;
}

constexpr std::string_view shared_mount = "mkdir /a\nmount tmpfs /a\nmake-shared /a\n";

}  // namespace

TEST_CASE("without a descriptor nothing is done, and the same step works afterwards") {
  if (!runs_here()) return;
  for (const char* step :
       {"open_tree h /a clone,recursive\n", "fsmount h tmpfs\n", "open h /a\n"}) {
    CAPTURE(step);
    auto counts = kinds(predicted(std::string(shared_mount) + step));
    CHECK(counts[ShortageKind::refused] > 0);
    CHECK(counts[ShortageKind::enough] == 1);
    CHECK(counts.size() == 2);
  }
}

TEST_CASE("a state that is neither the old one nor the new one is told") {
  if (!runs_here()) return;
  Prediction wrong = predicted(std::string(shared_mount) + "open_tree h /a clone\n");
  SUBCASE("after a success") {
    const std::string other = std::string(shared_mount) + "open_tree h /a clone\nmake-private /a\n";
    wrong.world = predicted(other).world;
    const ShortageResult got = trial().run(wrong, {Lack::descriptors, descriptors_max});
    CHECK(got.kind == ShortageKind::between);
    CHECK(got.reason == "the step succeeded, and the state is not the new one");
    REQUIRE(got.differences.size() == 1);
    CHECK(got.differences[0].contains("mount /a"));
  }
  SUBCASE("when the step is done again") {
    wrong.verdicts.back().outcome = {EPERM};
    const ShortageResult got = trial().run(wrong, {Lack::descriptors, 1});
    CHECK(got.kind == ShortageKind::between);
    CHECK(got.reason == "the same step again: ok, and EPERM is due");
  }
}

TEST_CASE("which steps are asked") {
  const auto why = [](std::string_view text, Lack lack) {
    return why_not_asked(predicted(text), lack);
  };
  CHECK(why("mount tmpfs /\n", Lack::allocations).empty());
  CHECK(why("mkdir /a\n", Lack::allocations) == "it is no call on mounts, roots or namespaces");
  CHECK(why("umount /a\n", Lack::mounts) == "the step is refused");
  CHECK(why("mount tmpfs /\nmake-shared /\n", Lack::descriptors) == "it opens no descriptor");
  CHECK(why("mount tmpfs /\nopen h /\nmount tmpfs @h\n", Lack::allocations) ==
        "a helper makes the call");
}
