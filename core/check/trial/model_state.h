// SPDX-License-Identifier: Apache-2.0
// model_state.h: the model's world as the laws see a state (check/laws/state.h), and a whole
// program held against them. No kernel is asked here.
#pragma once

#include "check/laws/laws.h"
#include "model/world.h"
#include "scenario/program.h"

namespace pivotcheck {

// With detached trees, and mounts that no call lists; without rootfs and what is unmounted.
laws::State state_of(const model::World& world);

// Whether a mark of MNT_EXPIRE stands. Reading the kernel's state clears it (observe/observe.h), and
// so may a refused step.
bool has_expiry_mark(const model::World& world);

// The deviations from the laws that kernels with these traits are excused.
laws::Quirks quirks_of(const KernelTraits& traits);

// The model performs the program; the laws are asked after each step. The first breach, if any.
std::optional<laws::Breach> broken_by_model(const Program& program, const KernelTraits& traits,
                                            const laws::Quirks& quirks, laws::AskedCounts& asked);

}  // namespace pivotcheck
