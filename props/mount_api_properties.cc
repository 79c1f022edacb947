// SPDX-License-Identifier: Apache-2.0
// mount_api_properties.cc: what the mount API by descriptors promises beside the older calls: that
// it does the same in other words, that it does all or nothing, that what goes beneath is there
// when it is uncovered.
#include <algorithm>

#include "transitions.h"
#include "property.h"
#include "view/snapshot.h"

namespace pivotcheck::props {
namespace {

using model::Location;
using model::MountIndex;
using model::Task;
using model::World;

// Another way to do the same bind.
void attached_copy_is_a_bind(Case& one) {
  for_each<Bind>(one, [&](const Transition& transition, const Bind& bind) {
    if (!transition.ok()) return;
    World world = transition.before;
    const int caller = static_cast<int>(world.find_task(transition.step.task.text).value);
    const model::Handle handle{.name = "copy", .slot = 1000, .at = {}, .keeps = {}};
    OpenTree copy{
        .handle = {handle.name, handle.slot}, .path = bind.source, .flags = {OpenTreeFlag::clone}};
    if (bind.recursive) copy.flags.set(OpenTreeFlag::recursive);
    const Verdict copied = apply(world, {.task = caller, .op = copy});
    if (copied.stop != Verdict::Stop::no) return;
    one.require(copied.outcome.ok(), "the copy was refused");
    const Verdict attached =
        apply(world, {.task = caller, .op = MoveMount{handle.path(), bind.target, {}}});
    if (attached.stop != Verdict::Stop::no) return;
    apply(world, {.task = caller, .op = Close{copy.handle}});
    one.note_relevant();
    one.require(attached.outcome.ok(), "it could be bound, but not attached");
    one.require(one.subjects.canonical(snapshot(world)) ==
                    one.subjects.canonical(snapshot(transition.after)),
                "what was attached is not as what was bound");
  });
}

// In the world at the end, each attribute is taken from each tree of mounts in turn.
void all_or_nothing(Case& one) {
  const World end = predict(one.scenario, one.traits()).world;
  for (const Task& task : end.tasks) {
    if (!task.alive) continue;
    for (const MountIndex mount : all_mounts(end)) {
      if (end[mount].children.empty()) continue;
      for (const MountFlag flag : {MountFlag::ro, MountFlag::nosuid, MountFlag::noatime}) {
        World world = end;
        const AttributeChange change{.set = {MountFlag::nodev}, .clear = {flag}, .propagation = {}};
        const Verdict verdict =
            apply_at(one, world, task.name, {{mount, end[mount].root}},
                     MountSetattr{at_place(0), change, {.on = true}});
        if (verdict.rule == Rule::setattr_locked_flag) one.note_relevant();
        if (verdict.outcome.ok()) continue;
        one.require(changed(end, world).empty(), "a refused mount_setattr changed something");
      }
    }
  }
}

void beneath_is_seen_when_uncovered(Case& one) {
  for_each<MoveMount>(one, [&](const Transition& transition, const MoveMount& op) {
    if (!transition.ok() || !op.flags.has(MoveMountFlag::beneath)) return;
    const std::string& task = transition.step.task.text;
    const auto source = where(transition.before, task, op.source);
    const auto target = where(transition.before, task, op.target);
    if (!source || !target) return;
    const MountIndex top = transition.before.topmost(*target).mount;
    const Location place{transition.before[top].parent, transition.before[top].mount_point};
    const Location seen = transition.after.topmost(place);
    one.require(seen.mount == top, "something else is on top");
    // Private, or unmounting the one may propagate to the other.
    World world = transition.after;
    apply_at(one, world, task, {{source->mount, world[source->mount].root}},
             ChangePropagation{at_place(0), Propagation::private_, true});
    const Verdict uncovered = apply_at(one, world, task, {{top, world[top].root}},
                                       Umount{at_place(0), {UmountFlag::detach}});
    if (!uncovered.outcome.ok()) return;
    one.note_relevant();
    one.require(world.topmost(place).mount == source->mount,
                "what went beneath is not what is seen");
  });
}

void lasts_as_long_as_its_handle(Case& one) {
  for_each_transition(one, [&](const Transition& transition) {
    const World& world = transition.after;
    for (std::uint32_t i = 0; i < transition.before.mount_namespaces.size(); ++i) {
      const model::NamespaceId mount_ns{i};
      if (!transition.before.is_detached_tree(mount_ns)) continue;
      one.note_relevant();
      const auto keeps = [mount_ns](const Task& task) {
        return task.alive && std::ranges::find(task.handles, mount_ns, &model::Handle::keeps) !=
                                 task.handles.end();
      };
      const MountIndex root = transition.before[mount_ns].detached_root;
      const bool is_kept = std::ranges::any_of(world.tasks, keeps);
      const bool is_attached = world[root].exists && world.has_parent(root);
      one.require(is_kept || is_attached || !world.is_detached_tree(mount_ns),
                  "a detached tree outlived its handle");
      one.require(!is_kept || is_attached || world.is_detached_tree(mount_ns),
                  "a detached tree went though a handle keeps it");
    }
  });
}

// In the world at the end, whichever mount may take over the group of whichever other.
void set_group_makes_peers(Case& one) {
  const World end = predict(one.scenario, one.traits()).world;
  const std::string& task = std::ranges::find(end.tasks, true, &Task::alive)->name;
  for (const MountIndex from : all_mounts(end)) {
    if (!end.is_shared(from) && !end.master(from).exists()) continue;
    for (const MountIndex to : all_mounts(end)) {
      World world = end;
      const Verdict verdict =
          apply_at(one, world, task, {{from, end[from].root}, {to, end[to].root}},
                   MoveMount{at_place(0), at_place(1), {MoveMountFlag::set_group}});
      if (!verdict.outcome.ok()) continue;
      one.note_relevant();
      one.require(world[from].group == world[to].group, "they are no peers");
      one.require(world.master(from) == world.master(to), "they receive from different groups");
    }
  }
}

constexpr auto model = Property::Needs::model;
constexpr Property all[] = {
    {"a bind is as if its copy had been made detached, and then attached", model,
     attached_copy_is_a_bind},
    {"a recursive mount_setattr that one mount refuses changes nothing", model, all_or_nothing},
    {"a mount that went beneath another is what is seen when that one is unmounted", model,
     beneath_is_seen_when_uncovered},
    {"a detached tree lasts until it is attached, or its last handle is closed", model,
     lasts_as_long_as_its_handle},
    {"set_group makes peers, with the same master", model, set_group_makes_peers},
};

}  // namespace

std::span<const Property> mount_api_properties() { return all; }

}  // namespace pivotcheck::props
