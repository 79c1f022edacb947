// SPDX-License-Identifier: Apache-2.0
// deep_story.h: long scenarios with three to eight namespaces, which reach the situations that
// others reach by accident only (situations.h). They are steered: for a situation the writer looks
// at the model's world for a place that is one step away from it, and takes that step; where there
// is none, it takes the step that leads there.
//
//     to have a umount take mounts away in three namespaces
//        a mount of which two other namespaces have copies that go with it?    umount it
//        else a mount that propagates to two other namespaces?                 mount on it
//        else                                                                  make a namespace
//
// In between are random steps and recipes, as in any other scenario.
#pragma once

#include "check/gen/random_step.h"
#include "check/gen/scenario_builder.h"

namespace pivotcheck::gen {

inline constexpr StoryLimits deep_limits{.steps = 60, .tasks = 8, .mounts = 64};
inline constexpr std::uint32_t deep_steps_min = 30;

// The tasks, the namespaces and mounts with mixed propagation.
void open_deep_story(ScenarioBuilder& builder);

// A few steps towards a situation that is drawn.
void steer(ScenarioBuilder& builder);

}  // namespace pivotcheck::gen
