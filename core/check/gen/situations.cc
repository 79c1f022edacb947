// SPDX-License-Identifier: Apache-2.0
// situations.cc: the conditions of the situations, in the order of situation_rows.h. Before each
// step that may unmount or move something, what is looked at later is noted: an index is the same
// mount before and after it.
#include "check/gen/situations.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "model/apply.h"
#include "model/propagation.h"

namespace pivotcheck::gen {
namespace {

using model::GroupId;
using model::MountIndex;
using model::NamespaceId;
using model::World;
using enum Situation;

constexpr SituationInfo table[] = {
#define SITUATION(identifier, sentence) {name_of<#identifier>, sentence},
#include "check/gen/situation_rows.h"
#undef SITUATION
};

constexpr std::size_t many_namespaces = 4;
constexpr std::size_t several_namespaces = 3;
constexpr int deep_user_namespace = 3;
constexpr int many_mounts_min = 32;

int groups_above(const World& world, GroupId master) {
  int depth = 0;
  for (; master.exists(); master = world[master].master) ++depth;
  return depth;
}

// Few namespaces, so a vector is the fastest set.
void insert(std::vector<NamespaceId>& namespaces, NamespaceId one) {
  if (std::ranges::find(namespaces, one) == namespaces.end()) namespaces.push_back(one);
}

// What a mount was before the step.
struct Was {
  NamespaceId mount_ns;
  MountIndex parent;
  model::DentryId mount_point;
  GroupId group;
  GroupId master;
  bool in_detached_tree;
  bool locked;
  bool in_use;  // of a task's root, current directory or handle
};

class Watch {
 public:
  explicit Watch(const Prediction& scenario)
      : world_(scenario.program.privilege, scenario.world.traits) {}

  void perform(const ProgramStep& step) {
    step_ = &step;
    if (mounting() || unmounting()) note_mounts();
    if (is<PivotRoot>()) note_root();
    const Verdict verdict = apply(world_, step);
    if (!verdict.outcome.ok()) {
      if (verdict.rule == Rule::umount_propagation_busy) reach(umount_with_busy_copy);
      return;
    }
    look_at_world();
    if (mounting()) look_at_mounting();
    if (unmounting()) look_at_unmounting();
    if (is<PivotRoot>()) look_at_pivot();
  }

  [[nodiscard]] const Situations& reached() const { return reached_; }

 private:
  template <class... Ops>
  [[nodiscard]] bool is() const {
    return (std::holds_alternative<Ops>(step_->op) || ...);
  }
  [[nodiscard]] bool mounting() const { return is<Mount, Bind, Move, MoveMount>(); }
  [[nodiscard]] bool ends_namespace() const { return is<Exit, Unshare, Setns>(); }
  [[nodiscard]] bool unmounting() const {
    return is<Umount, Rmdir, Unlink, Rename>() || ends_namespace();
  }
  void reach(Situation situation, bool is_reached = true) {
    if (is_reached) reached_.set(static_cast<std::size_t>(situation));
  }
  [[nodiscard]] const model::Task& performer() const {
    return world_.tasks[static_cast<std::size_t>(step_->task)];
  }
  [[nodiscard]] MountIndex mount(std::size_t i) const { return {static_cast<std::uint32_t>(i)}; }

  void note_mounts() {
    was_.clear();
    for (std::size_t i = 0; i < world_.mounts.size(); ++i) {
      const model::Mount& m = world_.mounts[i];
      was_.push_back({.mount_ns = m.mount_ns,
                      .parent = m.parent,
                      .mount_point = m.mount_point,
                      .group = m.group,
                      .master = world_.master(mount(i)),
                      .in_detached_tree = world_.is_detached_tree(m.mount_ns),
                      .locked = m.locked,
                      .in_use = false});
    }
    masters_.clear();
    for (const model::PeerGroup& group : world_.groups) masters_.push_back(group.master);
    if (!is<Umount>()) return;
    const auto note = [this](const model::Location& at) { was_[at.mount.value].in_use = true; };
    for (const model::Task& task : world_.tasks) {
      if (!task.alive) continue;
      note(task.root);
      note(task.current_directory);
      for (const model::Handle& handle : task.handles) note(handle.at);
    }
  }
  void note_root() {
    const model::Location& root = performer().root;
    foreign_task_at_root_ = std::ranges::any_of(world_.tasks, [&](const model::Task& task) {
      return task.alive && task.mount_ns != performer().mount_ns &&
             (task.root == root || task.current_directory == root);
    });
    root_has_receivers_ = !model::receivers(world_, root.mount).empty();
  }

  void look_at_world() {
    if (is<Unshare>()) {
      const auto is_alive = [](const model::Namespace& each) { return each.rootfs.exists(); };
      const auto alive = std::ranges::count_if(world_.mount_namespaces, is_alive);
      reach(four_namespaces, static_cast<std::size_t>(alive) >= many_namespaces);
      reach(user_namespaces_three_deep, world_[performer().user_ns].level >= deep_user_namespace);
    }
    reach(many_mounts, world_.mount_count >= many_mounts_min);
    if (mounting() || is<ChangePropagation, MountSetattr, Unshare, OpenTree>()) look_at_groups();
  }
  void look_at_groups() {
    int deepest = 0;
    for (std::size_t i = 0; i < world_.mounts.size(); ++i) {
      if (world_.mounts[i].mount_ns.exists()) {
        deepest = std::max(deepest, masters_above(world_, mount(i)));
      }
    }
    reach(slave_chain_2, deepest >= 2);
    reach(slave_chain_3, deepest >= 3);
    reach(slave_chain_4, deepest >= 4);
    for (const model::PeerGroup& group : world_.groups) {
      if (group.members.size() < several_namespaces) continue;
      std::vector<NamespaceId> namespaces;
      for (const MountIndex member : group.members) insert(namespaces, world_[member].mount_ns);
      reach(group_in_3_namespaces, namespaces.size() >= several_namespaces);
    }
  }

  void look_at_mounting() {
    bool was_detached = false;
    bool was_moved = false;
    std::vector<NamespaceId> namespaces;
    for (std::size_t i = 0; i < was_.size(); ++i) {
      const model::Mount& m = world_.mounts[i];
      if (!m.mount_ns.exists() || m.parent == was_[i].parent) continue;
      if (m.parent.value >= was_.size()) {
        reach(copy_tucked_beneath);  // beneath a copy, so it has not moved itself
      } else {
        insert(namespaces, m.mount_ns);
        was_moved = true;
      }
      was_detached = was_detached || (was_[i].in_detached_tree && m.mount_ns != was_[i].mount_ns);
    }
    const bool is_move = is<Move, MoveMount>();
    const std::size_t copies = look_at_new_mounts(namespaces);
    reach(mount_over_3_namespaces, namespaces.size() >= several_namespaces);
    if (!is_move || !was_moved || copies == 0) return;
    const auto* call = std::get_if<MoveMount>(&step_->op);
    const bool beneath = call != nullptr && call->flags.has(MoveMountFlag::beneath);
    reach(detached_tree_propagates, was_detached);
    reach(beneath_propagates, beneath);
    reach(move_propagates, !beneath && !was_detached);
  }
  // Returns how many there are.
  std::size_t look_at_new_mounts(std::vector<NamespaceId>& namespaces) {
    for (std::size_t i = was_.size(); i < world_.mounts.size(); ++i) {
      const model::Mount& m = world_.mounts[i];
      if (!m.mount_ns.exists()) continue;
      insert(namespaces, m.mount_ns);
      reach(mount_reaches_slave_of_slave, masters_above(world_, m.parent) >= 2);
      reach(copy_arrives_locked, m.locked && m.mount_ns != performer().mount_ns);
    }
    return world_.mounts.size() - was_.size();
  }

  [[nodiscard]] bool went(std::size_t i) const {
    return was_[i].mount_ns.exists() && !world_.mounts[i].mount_ns.exists();
  }
  // Before the step, what was mounted on `giving` was mounted on `receiving`, too.
  [[nodiscard]] bool received(MountIndex receiving, MountIndex giving) const {
    const Was& from = was_[giving.value];
    const Was& to = was_[receiving.value];
    GroupId group = to.group.exists() ? to.group : to.master;
    while (group.exists() && group != from.group) group = masters_[group.value];
    return group.exists();
  }
  // The mount on the same place of one that receives.
  [[nodiscard]] bool is_copy(std::size_t copy, std::size_t original) const {
    const Was& one = was_[copy];
    const Was& other = was_[original];
    return copy != original && one.mount_ns.exists() && one.parent.exists() &&
           other.parent.exists() && one.mount_point == other.mount_point &&
           received(one.parent, other.parent);
  }

  void look_at_unmounting() {
    std::vector<std::size_t> gone;
    for (std::size_t i = 0; i < was_.size(); ++i) {
      if (went(i)) gone.push_back(i);
      if (ends_namespace() && world_.mounts[i].mount_ns.exists() && was_[i].master.exists()) {
        reach(namespace_leaves_slaves, world_.master(mount(i)) != was_[i].master);
      }
    }
    if (gone.empty()) return;
    if (is<Umount>()) return look_at_umount(gone);
    if (ends_namespace()) return;
    for (const std::size_t i : gone) {
      reach(name_takes_foreign_mount, was_[i].mount_ns != performer().mount_ns);
    }
  }

  void look_at_umount(const std::vector<std::size_t>& gone) {
    const bool is_plain = !std::get<Umount>(step_->op).flags.has(UmountFlag::detach);
    std::vector<NamespaceId> namespaces;
    for (const std::size_t i : gone) {
      insert(namespaces, was_[i].mount_ns);
      reach(umount_takes_busy_copy, is_plain && was_[i].in_use);
      const MountIndex parent = was_[i].parent;
      reach(nested_mounts_go, was_[i].mount_ns != performer().mount_ns && parent.exists() &&
                                  went(parent.value) && was_[i].mount_point != world_[parent].root);
      for (std::size_t copy = 0; copy < was_.size(); ++copy) {
        if (!was_[copy].in_use && !was_[copy].locked) continue;
        if (!is_copy(copy, i)) continue;
        reach(umount_with_busy_copy, is_plain && was_[copy].in_use);
        reach(locked_copy_stays, world_.mounts[copy].locked && !went(copy));
      }
    }
    reach(umount_over_3_namespaces, namespaces.size() >= several_namespaces);
    for (std::size_t i = 0; i < was_.size(); ++i) {
      const model::Mount& m = world_.mounts[i];
      if (!m.exists) continue;
      reach(cover_reparented, m.mount_ns.exists() && m.parent != was_[i].parent);
      reach(unmounted_tree_stays_together, m.unmounted && m.parent.exists());
    }
  }

  void look_at_pivot() {
    reach(pivot_moves_foreign_task, foreign_task_at_root_);
    reach(pivot_of_shared_root, root_has_receivers_);
  }

  World world_;
  Situations reached_;
  const ProgramStep* step_ = nullptr;
  // Before the step:
  std::vector<Was> was_;               // each mount
  std::vector<GroupId> masters_;       // of each group
  bool foreign_task_at_root_ = false;  // of pivot_root
  bool root_has_receivers_ = false;
};

}  // namespace

std::span<const SituationInfo> situation_table() { return table; }

int masters_above(const World& world, MountIndex mount) {
  return groups_above(world, world.master(mount));
}

Situations situations_of(const Prediction& scenario) {
  Watch watch(scenario);
  for (const ProgramStep& step : scenario.program.steps) watch.perform(step);
  return watch.reached();
}

}  // namespace pivotcheck::gen
