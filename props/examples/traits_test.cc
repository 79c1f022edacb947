// SPDX-License-Identifier: Apache-2.0
// traits_test.cc: the table of traits, and how they are asked of a kernel. The kernel is the model
// itself here, with one trait the other way round; so it is known what the answers must be.
#include "model/traits.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/file.h"
#include "check/trial/probed_traits.h"
#include "examples.h"

namespace pivotcheck {
namespace {

constexpr Release newest{{7, 3, 4}};
const std::vector<Release> releases{{{6, 1, 192}},  {{6, 12, 43}}, {{6, 12, 117}}, {{6, 16, 3}},
                                    {{6, 17, 13}},  {{6, 18, 15}}, {{7, 0, 13}},   {{7, 1, 13}},
                                    {{7, 2, 9}},    newest};

// A kernel that does exactly what the model predicts with these traits.
Agrees kernel_with(const KernelTraits& traits) {
  return [traits](const Prediction& predicted) -> Expected<bool> {
    const Prediction done = predict(predicted.program, traits);
    return done.outcomes() == predicted.outcomes() &&
           canonical(snapshot(done.world)) == canonical(snapshot(predicted.world));
  };
}

KernelTraits flipped(KernelTraits traits, const TraitInfo& trait) {
  traits.*trait.value = !(traits.*trait.value);
  return traits;
}

TEST_CASE("a kernel that is as its release says answers so, in either privilege") {
  for (const Release& release : releases) {
    CAPTURE(to_string(release));
    const KernelTraits traits = KernelTraits::for_release(release);
    for (const Privilege privilege : {Privilege::userns, Privilege::root}) {
      const ProbedTraits probed = probe_traits(release, privilege, kernel_with(traits));
      CHECK(probed.traits == traits);
      CHECK(probed.answers.size() == traits_count);
      CHECK(probed.remarks().empty());
    }
  }
}

TEST_CASE("a trait that is the other way round is found by its probe, and no other is") {
  std::size_t found = 0;
  for (const TraitInfo& trait : trait_table()) {
    CAPTURE(trait.name);
    bool is_found = false;
    for (const Release& release : releases) {
      const KernelTraits traits = flipped(KernelTraits::for_release(release), trait);
      for (const Privilege privilege : {Privilege::userns, Privilege::root}) {
        const ProbedTraits probed = probe_traits(release, privilege, kernel_with(traits));
        if (probed.traits != traits) continue;  // another trait hides it in this release
        is_found = true;
        CHECK(probed.remarks().size() == 1);
        CHECK(probed.remarks().front().contains("trait " + std::string(trait.name) + " is "));
      }
    }
    CHECK(is_found);
    found += is_found ? 1 : 0;
  }
  CHECK(found == traits_count);
}

TEST_CASE("a trait that is the other way round is noticed by a scenario of the corpus") {
  const auto corpus = corpus_files(".");
  for (const TraitInfo& trait : trait_table()) {
    bool is_noticed = false;
    for (const auto& [name, text, scenario] : corpus) {
      for (const Release& release : releases) {
        if (is_noticed) break;
        const Prediction usual = predict(scenario, KernelTraits::for_release(release));
        const auto as_flipped = kernel_with(flipped(KernelTraits::for_release(release), trait));
        is_noticed = usual.stop == Verdict::Stop::no && !*as_flipped(usual);
      }
    }
    CHECK_MESSAGE(is_noticed, trait.name);
  }
}

TEST_CASE("a kernel that does neither is said to, and taken as its release should be") {
  const auto disagrees = [](const Prediction&) -> Expected<bool> { return false; };
  const ProbedTraits probed = probe_traits(newest, Privilege::userns, disagrees);
  CHECK(probed.traits == KernelTraits::for_release(newest));
  REQUIRE(!probed.remarks().empty());
  CHECK(probed.remarks().front().contains("neither"));
}

TEST_CASE("where no probe can run, the release decides, and one line says so") {
  const ProbedTraits probed = probe_traits(
      newest, Privilege::userns,
      [](const Prediction&) -> Expected<bool> { return fail("the worker died"); });
  CHECK(probed.traits == KernelTraits::for_release(newest));
  CHECK(probed.answers.empty());
  REQUIRE(probed.remarks().size() == 1);
  CHECK(probed.remarks().front().ends_with(": the worker died"));
}

TEST_CASE("a mend in a stable release does not reach the next series") {
  const auto takes = [](const Release& release) {
    return KernelTraits::for_release(release).umount_takes_busy_copies;
  };
  CHECK(takes({{6, 12, 100}}));
  CHECK_FALSE(takes({{6, 12, 117}}));
  CHECK(takes({{6, 13, 0}}));
  CHECK(takes({{7, 2, 9}}));
  CHECK_FALSE(takes({{7, 2, 11}}));
}

TEST_CASE("each quirk has a finding, and each finding that is named is there") {
  const std::string findings = read_file(PIVOTCHECK_SOURCE_DIR "/FINDINGS.md");
  for (const TraitInfo& trait : trait_table()) {
    CHECK_MESSAGE((!trait.is_quirk || !trait.finding.empty()), trait.name);
    if (trait.finding.empty()) continue;
    CHECK_MESSAGE(findings.contains("\n## " + std::string(trait.finding) + "\n"), trait.name);
    CHECK_MESSAGE(findings.contains("`" + std::string(trait.name) + "`"), trait.name);
  }
}

TEST_CASE("traits are set by hand, one by one; what is no trait is refused") {
  const KernelTraits none{};
  CHECK(traits_with(none, "")->umount_takes_busy_copies);
  const auto changed = traits_with(none, "umount_takes_busy_copies=off,lock_rises_with_cover=on");
  REQUIRE(changed);
  CHECK_FALSE(changed->umount_takes_busy_copies);
  CHECK(changed->lock_rises_with_cover);
  CHECK(traits_with(none, "no_such_trait=on").error().what ==
        "there is no trait no_such_trait (pivotcheck doctor lists them)");
  CHECK(traits_with(none, "lock_rises_with_cover").error().what ==
        "lock_rises_with_cover: NAME=on, NAME=off or NAME=probe is wanted");
}

TEST_CASE("the stable release is read where the release's own number lies") {
  CHECK(stable_release("6.1.0-56-cloud-amd64",
                       "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-1 (2026-10-18)") ==
        Release{{6, 1, 192}});
  CHECK(stable_release("6.12.43+deb12-cloud-amd64", "#1 SMP Debian 6.12.43-1~bpo12+1") ==
        Release{{6, 12, 43}});
  CHECK(stable_release("6.8.0-45-generic", "#45-Ubuntu SMP Fri Aug 30 12:02:04 UTC") ==
        Release{{6, 8, 0}});
  CHECK(stable_release("6.18.5", "#1 SMP gcc 12.2.0 ld 6.18") == Release{{6, 18, 5}});
}

TEST_CASE("the running kernel answers every probe") {
  if (!runs_here()) return;
  CHECK(probed_traits().unasked.empty());
  CHECK(probed_traits().answers.size() == traits_count);
}

}  // namespace
}  // namespace pivotcheck
