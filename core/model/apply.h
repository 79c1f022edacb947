// SPDX-License-Identifier: Apache-2.0
// apply.h: the model: what an operation answers, by which rule, and what the world is like after it.
//
//     World world(Privilege::userns, KernelTraits::for_release(release));
//     Verdict v = apply(world, {.task = 0, .op = PivotRoot{"/new", "/"}});
//     v.outcome is EBUSY, v.rule is put_old_on_root_mount, the world is as before
//
// Read world.h for the state, then lookup.h, then propagation.h, then the operations, in the order
// of op.h: apply/names.cc, mounts.cc, roots.cc (pivot_root), tasks.cc, mount_api.cc.
// check/driver/perform.cc makes the system calls, under the same headings.
#pragma once

#include <cstddef>

#include "model/rules.h"
#include "model/world.h"
#include "op/op.h"
#include "op/outcome.h"
#include "scenario/program.h"

namespace pivotcheck {

struct Verdict {
  // Why a run ends before this step (FORMAT.md): it is then not performed, and the model's world is
  // not to be used any more.
  enum class Stop : unsigned char {
    no,
    leaves_the_world,
    too_large,
    unclear_master,
    unclear_mark,
    unclear_cover
  };
  static constexpr std::size_t stops = 6;

  Outcome outcome;
  Rule rule = Rule::none;  // none exactly when the outcome is ok
  Stop stop = Stop::no;
  // Quirk (FINDINGS.md, "A lookup that starts again counts its links twice"): the kernel may answer
  // ELOOP instead, by chance.
  bool eloop_possible = false;
  bool operator==(const Verdict&) const = default;
};

// The tasks of a step are the world's, by number: resolve() and World::tasks count alike, because
// spawn is never refused.
Verdict apply(model::World& world, const ProgramStep& step);

}  // namespace pivotcheck
