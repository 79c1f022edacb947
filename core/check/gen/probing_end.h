// SPDX-License-Identifier: Apache-2.0
// probing_end.h: steps at the end of a scenario that make visible what no state shows. They are
// printed, replayed and minimized like any others.
//
//     A: move_mount @h /              the inside of a detached tree is seen once it is attached
//     A: remount /a/b noatime         may these flags go? (EPERM: one is locked; then each alone)
//     A: open_tree probe /a/b clone   may it be copied? (a bind's checks; nothing is mounted)
//     A: move /a/b /                  may it be moved, is it locked?
//     A: umount /a/b                  may it go?
//     A: mount tmpfs /a/b             where does it arrive? (on one mount of each peer group)
//
// For each mount namespace they are performed by a task with all capabilities over its owner:
// one that is in it, or a new one that enters it, where some task may do that. The tasks of the
// least privileged namespaces come first, because what they do propagates to no other. In a
// namespace the innermost mounts come first, so that each is tried when nothing is on it any more;
// what a umount uncovers is tried then.
//
// Not reached: mounts that no path from the task's root names (below a cover that stays, above the
// root), namespaces over which no task has the capabilities, trees whose task may not mount. They
// are counted. In half of the ends nothing is moved or unmounted, so that the last state still
// shows what was attached; then something is mounted on each peer group, since the lists along which
// propagation goes are in no state.
#pragma once

#include <cstdint>

#include "check/gen/choices.h"
#include "model/predict.h"

namespace pivotcheck::gen {

// Numbers of 64 bits and nothing else (Counts in check/trial/campaign.h).
struct ProbeCounts {
  std::uint64_t cases = 0;
  std::uint64_t mounts = 0;            // tried
  std::uint64_t mounts_unnamed = 0;    // in a namespace that was tried, but no path names them
  std::uint64_t trees_attached = 0;    // detached ones
  std::uint64_t trees_left = 0;        // whose attachment was refused, or that no task may attach
  std::uint64_t groups_mounted_on = 0;
  std::uint64_t namespaces_left = 0;   // over which no task has all capabilities
};

// Adds the steps to the scenario, and to the counts what they reach.
void add_probing_end(Predictor& predictor, Choices& choices, ProbeCounts& counts);

}  // namespace pivotcheck::gen
