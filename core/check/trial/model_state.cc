// SPDX-License-Identifier: Apache-2.0
// model_state.cc: see model_state.h.
#include "check/trial/model_state.h"

#include <algorithm>
#include <utility>

#include "model/apply.h"

namespace pivotcheck {
namespace {

using model::MountIndex;
using model::World;

std::uint64_t number(auto id) { return id.exists() ? std::uint64_t{id.value} + 1 : 0; }

laws::MountState mount_state(const World& world, MountIndex id) {
  const model::Mount& mount = world[id];
  const bool is_lowest = !mount.parent.exists() || mount.parent == world[mount.mount_ns].rootfs;
  const model::DentryId root = mount.root;
  return {.id = number(id),
          .parent = is_lowest ? 0 : number(mount.parent),
          .tree = mount.mount_ns.value,
          .detached = world.is_detached_tree(mount.mount_ns),
          .filesystem = number(world[root].filesystem),
          .place = is_lowest ? "" : world.path_in_filesystem(mount.mount_point),
          .root = world.path_in_filesystem(root),
          .root_removed = world[root].removed,
          .flags = mount.flags,
          .filesystem_read_only = world[world[root].filesystem].read_only,
          .group = number(mount.group),
          .master = number(world.master(id)),
          .unbindable = mount.unbindable};
}

laws::PlaceState place_state(const World& world, const model::Location& at) {
  return {.mount = number(at.mount),
          .object = number(at.dentry),
          .path = world.path_in_filesystem(at.dentry),
          .removed = world.looks_removed(at)};
}

}  // namespace

bool has_expiry_mark(const World& world) {
  return std::ranges::any_of(
      world.mounts, [](const model::Mount& mount) { return mount.exists && mount.expiry_mark; });
}

laws::State state_of(const World& world) {
  laws::State state;
  state.shows_all = true;
  for (std::uint32_t i = 0; i < world.mounts.size(); ++i) {
    const model::Mount& mount = world.mounts[i];
    if (!mount.exists || !mount.mount_ns.exists()) continue;
    if (world[mount.mount_ns].rootfs == MountIndex{i}) continue;
    state.mounts.push_back(mount_state(world, MountIndex{i}));
  }
  for (const model::Task& task : world.tasks) {
    if (!task.alive) continue;
    laws::TaskState& view = state.tasks.emplace_back();
    view.name = task.name;
    view.tree = task.mount_ns.value;
    view.root = place_state(world, task.root);
    view.current_directory = place_state(world, task.current_directory);
    for (const model::Handle& handle : task.handles) {
      view.handles.push_back({handle.name, place_state(world, handle.at)});
    }
    std::ranges::sort(view.handles, {}, &laws::HandleState::name);
  }
  return state;
}

laws::Quirks quirks_of(const KernelTraits& traits) {
  return {.two_mounts_at_one_place = !traits.tucks_beneath_whole_stack,
          .set_group_leaves_unbindable = traits.set_group_leaves_unbindable,
          .umount_takes_busy_copies = traits.umount_takes_busy_copies,
          .namespace_copy_loses_unbindable = traits.namespace_copy_loses_unbindable,
          .lock_rises_with_cover = traits.lock_rises_with_cover,
          .arrival_unlocks_cover = traits.arrival_unlocks_cover,
          .umounts_by_older_rules = !traits.umounts_largest_set,
          .starves_slaves_of_detached = traits.starves_slaves_of_detached};
}

std::optional<laws::Breach> broken_by_model(const Program& program, const KernelTraits& traits,
                                            const laws::Quirks& quirks, laws::AskedCounts& asked) {
  World world(program.privilege, traits);
  laws::Watch watch(quirks, asked);
  watch.begin(state_of(world));
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const Verdict verdict = apply(world, program.steps[i]);
    if (verdict.stop != Verdict::Stop::no) break;
    watch.after(step_of(program, i), verdict.outcome, state_of(world));
    if (!watch.breaches().empty()) return watch.breaches().front();
  }
  return std::nullopt;
}

}  // namespace pivotcheck
