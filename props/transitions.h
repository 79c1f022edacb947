// SPDX-License-Identifier: Apache-2.0
// transitions.h: what the properties of the model check: a step, the world before and after it.
//
//     for_each<PivotRoot>(one, [&](const Transition& transition, const PivotRoot& op) { ... });
//
// The helpers here work out "peer", "shows" and "leads to" from World's plain data, as the
// documentation defines them. They do not call the model's propagation: that is what they check.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/apply.h"
#include "model/world.h"
#include "property.h"

namespace pivotcheck::props {

struct Transition {
  const model::World& before;
  const model::World& after;
  const Step& step;
  std::size_t number;  // of the step, from 0
  Verdict verdict;

  [[nodiscard]] bool ok() const { return verdict.outcome.ok(); }
  [[nodiscard]] const model::Task& actor() const;  // before the step
};

// Ends with the scenario, or at a step that ends the run.
void for_each_transition(const Case& one, const std::function<void(const Transition&)>& see);

template <class WantedOp, class See>
void for_each(const Case& one, const See& see) {
  for_each_transition(one, [&](const Transition& transition) {
    if (const auto* op = std::get_if<WantedOp>(&transition.step.op)) see(transition, *op);
  });
}

// Something was mounted on top of what was there: by mount, bind, move or move_mount.
struct Arrival {
  model::MountIndex mount;  // in the world after
  model::Location at;
  model::GroupId group;     // of the mount below it, before
};
std::optional<Arrival> arrival(const Transition& transition);
// Those on a shared mount.
template <class See>
void for_each_arrival(const Case& one, const See& see) {
  for_each_transition(one, [&](const Transition& transition) {
    const auto arrived = arrival(transition);
    if (arrived && arrived->group.exists()) see(transition, *arrived);
  });
}

// A pivot that succeeded: the two mounts that changed places, as locations of their roots.
struct Pivot {
  model::Location old_root;
  model::Location new_root;
  model::Location new_roots_place;  // where the new root was mounted
};
void for_each_pivot(const Case& one,
                    const std::function<void(const Transition&, const Pivot&)>& see);

// Where a path leads a task, in a copy of the world; nullopt if it is refused.
std::optional<model::Location> where(model::World world, std::string_view task, const Path& path);
// A path that leads the task from its root to that place, if there is a plain one.
std::optional<Path> way_to(const model::World& world, const model::Task& task, model::Location to);

// A mount that is in some namespace and shows this directory (whether or not it is covered).
bool shows(const model::World& world, model::MountIndex mount, model::DentryId directory);
// The uppermost mount of the tree that this one hangs in.
model::MountIndex top_of(const model::World& world, model::MountIndex mount);
std::vector<model::MountIndex> all_mounts(const model::World& world);

// "" or the first thing about mounts, names or tasks that is not as it was.
std::string changed(const model::World& before, const model::World& after);
// The same about one mount: its place, its relations and its flags.
bool same_mount(const model::World& before, const model::World& after, model::MountIndex mount);

// That task performs one more step. It has a handle on each of `places` for this step only: no path
// is looked up that a mount could cover.
Path at_place(std::size_t number);  // the handle on places[number]
Verdict apply_at(const Case& one, model::World& world, const std::string& task,
                 const std::vector<model::Location>& places, const Op& op);

}  // namespace pivotcheck::props
