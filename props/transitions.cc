// SPDX-License-Identifier: Apache-2.0
// transitions.cc: see transitions.h.
#include "transitions.h"

#include <algorithm>
#include <utility>

#include "model/lookup.h"

namespace pivotcheck::props {

using model::DentryId;
using model::Location;
using model::MountIndex;
using model::Task;
using model::World;

const Task& Transition::actor() const { return before[before.find_task(step.task.text)]; }

void for_each_transition(const Case& one, const std::function<void(const Transition&)>& see) {
  World world(one.scenario.effective_privilege(), one.traits());
  const Program program = resolve(one.scenario).value();
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const World before = world;
    const Step step = step_of(program, i);
    const Verdict verdict = apply(world, program.steps[i]);
    if (verdict.stop != Verdict::Stop::no) return;
    const Transition transition{before, world, step, i, verdict};
    one.subjects.after_step(transition, world);
    see(transition);
  }
}

std::optional<Location> where(World world, std::string_view task, const Path& path) {
  const auto found = model::look_up(world, world[world.find_task(task)], path);
  if (found.refused != Rule::none) return std::nullopt;
  return found.at;
}

std::optional<Arrival> arrival(const Transition& transition) {
  if (!transition.ok()) return std::nullopt;
  const auto target = std::visit(
      []<class Operation>(const Operation& op) -> std::optional<Path> {
        if constexpr (std::is_same_v<Operation, Mount>) return op.path;
        if constexpr (std::is_same_v<Operation, Bind>) return op.target;
        if constexpr (std::is_same_v<Operation, Move>) return op.target;
        if constexpr (std::is_same_v<Operation, MoveMount>) {
          if (op.flags.empty()) return op.target;
        }
        return std::nullopt;
      },
      transition.step.op);
  if (!target) return std::nullopt;
  const auto place = where(transition.before, transition.step.task.text, *target);
  if (!place) return std::nullopt;
  const Location at = transition.before.topmost(*place);
  const MountIndex mount = transition.after.mounted_at(at.mount, at.dentry);
  if (!mount.exists()) throw Broken("what was mounted is not in its place");
  return Arrival{.mount = mount,
                 .at = at,
                 .group = transition.before[at.mount].group};
}

void for_each_pivot(const Case& one,
                    const std::function<void(const Transition&, const Pivot&)>& see) {
  for_each<PivotRoot>(one, [&](const Transition& transition, const PivotRoot& op) {
    if (!transition.ok()) return;
    const auto new_root = where(transition.before, transition.step.task.text, op.new_root);
    if (!new_root) return;
    const auto& mount = transition.before[new_root->mount];
    see(transition, {.old_root = transition.actor().root,
                     .new_root = *new_root,
                     .new_roots_place = {mount.parent, mount.mount_point}});
  });
}

namespace {

// The names from the root of mount `top` down to a place in the tree below it.
std::string names_below(const World& world, MountIndex top, Location to) {
  std::string names;
  while (world.prepend_path_in_mount(to, names) && to.mount != top && world.has_parent(to.mount)) {
    to = {world[to.mount].parent, world[to.mount].mount_point};
  }
  return names;
}

}  // namespace

std::optional<Path> way_to(const World& world, const Task& task, Location to) {
  const std::string names = names_below(world, task.root.mount, to);
  // What is stacked on the root itself is reached by way of "/..".
  for (const std::string& text : {names.empty() ? std::string("/..") : names, "/.." + names}) {
    if (where(world, task.name, Path(text)) == to) return Path(text);
  }
  return std::nullopt;
}

bool shows(const World& world, MountIndex mount, DentryId directory) {
  return world[mount].exists && world[mount].mount_ns.exists() &&
         world.is_below_or_at(directory, world[mount].root);
}

MountIndex top_of(const World& world, MountIndex mount) {
  while (world.has_parent(mount)) mount = world[mount].parent;
  return mount;
}

std::vector<MountIndex> all_mounts(const World& world) {
  std::vector<MountIndex> mounts;
  for (std::uint32_t i = 0; i < world.mounts.size(); ++i) {
    if (world.mounts[i].exists) mounts.push_back({i});
  }
  return mounts;
}

bool same_mount(const World& before, const World& after, MountIndex mount) {
  const auto& one = before[mount];
  const auto& other = after[mount];
  return one.exists == other.exists && one.root == other.root && one.parent == other.parent &&
         (!one.parent.exists() || one.mount_point == other.mount_point) &&
         one.mount_ns == other.mount_ns && one.group == other.group &&
         before.master(mount) == after.master(mount) && one.flags == other.flags &&
         one.locked_flags == other.locked_flags && one.locked == other.locked &&
         one.unbindable == other.unbindable;
}

namespace {

bool same_name(const model::Dentry& one, const model::Dentry& other) {
  return one.parent == other.parent && one.name == other.name && one.target == other.target &&
         one.mode == other.mode && one.kind == other.kind && one.removed == other.removed;
}

bool same_handle(const model::Handle& one, const model::Handle& other) {
  return one.name == other.name && one.at == other.at;
}

bool same_task(const Task& one, const Task& other) {
  return one.alive == other.alive && one.root == other.root &&
         one.current_directory == other.current_directory && one.mount_ns == other.mount_ns &&
         one.user_ns == other.user_ns && one.capabilities == other.capabilities &&
         std::ranges::equal(one.handles, other.handles, same_handle);
}

}  // namespace

std::string changed(const World& before, const World& after) {
  if (before.mounts.size() != after.mounts.size()) return "a mount was made";
  for (std::uint32_t i = 0; i < before.mounts.size(); ++i) {
    if (!same_mount(before, after, MountIndex{i})) return "mount " + std::to_string(i) + " changed";
  }
  if (!std::ranges::equal(before.dentries, after.dentries, same_name)) return "a name changed";
  if (!std::ranges::equal(before.filesystems, after.filesystems, {}, &model::Filesystem::read_only,
                          &model::Filesystem::read_only)) {
    return "a filesystem changed";
  }
  if (before.mount_namespaces.size() != after.mount_namespaces.size() ||
      before.user_namespaces.size() != after.user_namespaces.size()) {
    return "a namespace was made";
  }
  if (!std::ranges::equal(before.tasks, after.tasks, same_task)) return "a task changed";
  return "";
}

namespace {

// With a slot that no scenario has.
model::Handle handle_on(std::size_t number, const Location& at) {
  constexpr int first_slot = 1000;
  return {.name = "place" + std::to_string(number),
          .slot = first_slot + static_cast<int>(number),
          .at = at,
          .keeps = {}};
}

}  // namespace

Path at_place(std::size_t number) { return handle_on(number, {}).path(); }

Verdict apply_at(const Case& one, World& world, const std::string& task,
                 const std::vector<Location>& places, const Op& op) {
  const auto handles = [&]() -> auto& { return world[world.find_task(task)].handles; };
  const std::size_t own = handles().size();
  for (std::size_t i = 0; i < places.size(); ++i) {
    handles().push_back(handle_on(i, places[i]));
  }
  const World before = world;
  const Step step{TaskName{task}, op};
  const Verdict verdict =
      apply(world, {.task = static_cast<int>(world.find_task(task).value), .op = op});
  one.subjects.after_step({before, world, step, 0, verdict}, world);
  handles().resize(own);
  return verdict;
}

}  // namespace pivotcheck::props
