// SPDX-License-Identifier: Apache-2.0
// model_properties.cc: what is true of every world of the model, in any scenario. That the kernel's
// worlds are like that too follows from their agreement (kernel_properties.cc).
#include <algorithm>

#include "transitions.h"
#include "property.h"

namespace pivotcheck::props {
namespace {

using model::GroupId;
using model::Location;
using model::MountIndex;
using model::Task;
using model::World;

bool stands_at(const Task& task, const Location& place) {
  return task.root == place || task.current_directory == place;
}

void refused_changes_nothing(Case& one) {
  for_each_moment(one, [&](const Transition& moment) {
    if (moment.ok()) return;
    one.met();
    one.require(changed(moment.before, moment.after).empty(),
                print(moment.step) + " was refused, but " + changed(moment.before, moment.after));
  });
}

// Shows the directory, and is not in a detached tree: those don't receive.
bool receives(const World& world, MountIndex mount, model::DentryId directory) {
  return shows(world, mount, directory) && !world.is_detached_tree(world[mount].mount_ns);
}

void mounts_form_a_tree(Case& one) {
  for_each_moment(one, [&](const Transition& moment) {
    const World& world = moment.after;
    if (world.mount_count > 1) one.met();
    const std::string broken = broken_invariant(world);
    one.require(broken.empty(), broken);
    for (const MountIndex mount : all_mounts(world)) {
      const auto mount_ns = world[mount].mount_ns;
      const MountIndex lowest = !mount_ns.exists()                 ? MountIndex{}
                                : world.is_detached_tree(mount_ns) ? world[mount_ns].detached_root
                                                                : world[mount_ns].rootfs;
      one.require(!mount_ns.exists() || top_of(world, mount) == lowest,
                  "a mount is not in the tree of its namespace");
    }
  });
}

void peers_receive(Case& one) {
  for_each_moment(one, [&](const Transition& moment) {
    const auto arrived = arrival(moment);
    if (!arrived || !arrived->group.exists()) return;
    const World& after = moment.after;
    for (const MountIndex peer : moment.before[arrived->group].members) {
      if (peer == arrived->at.mount || !receives(moment.before, peer, arrived->at.dentry)) continue;
      one.met();
      const MountIndex received = after.mounted_at(peer, arrived->at.dentry);
      one.require(received.exists(), "a peer did not receive what was mounted");
      one.require(after[received].root == after[arrived->mount].root, "a peer received another");
      one.require(after[received].group.exists() &&
                      after[received].group == after[arrived->mount].group,
                  "what a peer received is not a peer of what was mounted");
    }
  });
}

void slaves_receive(Case& one) {
  for_each_moment(one, [&](const Transition& moment) {
    const auto arrived = arrival(moment);
    if (!arrived || !arrived->group.exists()) return;
    for (const MountIndex slave : all_mounts(moment.before)) {
      if (moment.before.master(slave) != arrived->group) continue;
      if (!receives(moment.before, slave, arrived->at.dentry)) continue;
      one.met();
      const MountIndex received = moment.after.mounted_at(slave, arrived->at.dentry);
      one.require(received.exists(), "a slave did not receive what was mounted on its master");
      one.require(moment.after.master(received) == moment.after[arrived->mount].group,
                  "what a slave received is not a slave of what was mounted");
    }
  });
}

const Task* somebody_in(const World& world, model::NamespaceId mount_ns) {
  const auto task = std::ranges::find_if(
      world.tasks, [&](const Task& each) { return each.alive && each.mount_ns == mount_ns; });
  return task == world.tasks.end() ? nullptr : &*task;
}

// No member of this group, or of one above it, has more mounts on it than before.
void require_unfed(Case& one, const World& before, const World& after, GroupId master) {
  for (; master.exists(); master = before[master].master) {
    for (const MountIndex member : before[master].members) {
      one.met();
      one.require(after[member].children == before[member].children, "a slave fed its master");
    }
  }
}

// Who gives and receives is rare in random worlds, so each slave is made to give here.
void slave_never_feeds(Case& one) {
  const World end = predict(one.scenario, one.traits(), one.scenario.steps.size()).world;
  for (const MountIndex slave : all_mounts(end)) {
    const auto* task = somebody_in(end, end[slave].mount_ns);
    if (!end.master(slave).exists() || task == nullptr) continue;
    const Path here{place_name(0), ""};
    const std::vector<Location> places{end.topmost({slave, end[slave].root})};
    World before = end;
    apply_at(one, before, task->name, places, ChangePropagation{here, Propagation::shared_, false});
    World after = before;
    const auto mounted =
        apply_at(one, after, task->name, places, Mount{FilesystemType::tmpfs, here, {}});
    if (!mounted.outcome.ok()) continue;
    require_unfed(one, before, after, before.master(places.front().mount));
  }
}

// Beside each other through the original and its copy: what is unbindable has no counterpart.
void require_no_unbindable(Case& one, const Transition& moment, MountIndex original, MountIndex copy) {
  for (const MountIndex child : moment.before[original].children) {
    const MountIndex copied = moment.after.mounted_at(copy, moment.before[child].mount_point);
    if (moment.before[child].unbindable) one.met();
    if (!copied.exists()) continue;
    one.require(!moment.before[child].unbindable, "an unbindable mount was copied");
    require_no_unbindable(one, moment, child, copied);
  }
}

void unbindable_stays(Case& one) {
  for_each<Bind>(one, [&](const Transition& moment, const Bind& bind) {
    const auto source = where(moment.before, moment.step.task.text, bind.source);
    if (!source) return;
    if (moment.before[source->mount].unbindable) {
      one.met();
      one.require(!moment.ok(), "an unbindable mount was bound");
    } else if (const auto arrived = arrival(moment)) {
      require_no_unbindable(one, moment, source->mount, arrived->mount);
    }
  });
}

void pivot_and_back(Case& one) {
  for_each<PivotRoot>(one, [&](const Transition& moment, const PivotRoot&) {
    const auto there = pivot(moment);
    if (!there) return;
    one.met();
    World world = moment.after;
    const Verdict back =
        apply_at(one, world, moment.step.task.text, {there->old_root, there->new_roots_place},
                 PivotRoot{{place_name(0), ""}, {place_name(1), ""}});
    one.require(back.outcome.ok(), "the pivot back was refused");
    for (std::size_t i = 0; i < world.tasks.size(); ++i) {  // who stood there would come along
      const Task& before = moment.before.tasks[i];
      if (stands_at(before, there->new_root)) world.tasks[i] = before;
    }
    const std::string what = changed(moment.before, world);
    one.require(what.empty(), "behind the pivot back, " + what);
  });
}

// Before a pivot: is the task, with all it holds, at the old root exactly, or inside the new one?
bool comes_along(const World& before, const Task& task, const Pivot& there) {
  const auto is_inside = [&](const Location& place) {
    const auto inside = before.subtree(there.new_root.mount);
    return std::ranges::find(inside, place.mount) != inside.end();
  };
  const bool at_old = task.root == there.old_root && task.current_directory == there.old_root;
  const bool inside = is_inside(task.root) && is_inside(task.current_directory);
  return task.alive && (at_old || inside) &&
         std::ranges::all_of(task.handles, is_inside, &model::Handle::at);
}

void require_no_way_out(Case& one, const World& world, const Task& task, MountIndex old_root) {
  std::vector<Path> ways{"/", "/..", "/../..", "", ".", "..", "../..", "../../.."};
  for (const model::Handle& handle : task.handles) ways.push_back({handle.name, "/.."});
  for (const Path& way : ways) {
    const auto end = where(world, task.name, way);
    one.require(!end || top_of(world, end->mount) != old_root, "a path leads to the old root");
  }
}

void detached_is_gone(Case& one) {
  for_each<PivotRoot>(one, [&](const Transition& moment, const PivotRoot&) {
    const auto there = pivot(moment);
    if (!there) return;
    World world = moment.after;
    apply_at(one, world, moment.step.task.text, {there->old_root},
             Umount{{place_name(0), ""}, {UmountFlag::detach}});
    const MountIndex old_root = there->old_root.mount;
    if (world[old_root].exists && !world[old_root].unmounted) return;  // its cover went
    for (const Task& task : moment.before.tasks) {
      if (!comes_along(moment.before, task, *there)) continue;
      one.met();
      require_no_way_out(one, world, world[world.find_task(task.name)], old_root);
    }
  });
}

void pivot_never_propagates(Case& one) {
  for_each<PivotRoot>(one, [&](const Transition& moment, const PivotRoot&) {
    const auto there = pivot(moment);
    if (!there) return;
    one.require(moment.before.mounts.size() == moment.after.mounts.size(), "a mount was made");
    for (const MountIndex mount : all_mounts(moment.before)) {
      if (mount == there->old_root.mount || mount == there->new_root.mount) continue;
      if (moment.before[mount].group.exists() || moment.before.master(mount).exists()) one.met();
      one.require(same_mount(moment.before, moment.after, mount), "another mount changed");
    }
  });
}

void pivot_moves_who_stands_there(Case& one) {
  for_each<PivotRoot>(one, [&](const Transition& moment, const PivotRoot&) {
    const auto there = pivot(moment);
    if (!there) return;
    const auto moved = [&](const Location& place) {
      return place == there->old_root ? there->new_root : place;
    };
    for (std::size_t i = 0; i < moment.before.tasks.size(); ++i) {
      const Task& before = moment.before.tasks[i];
      const Task& after = moment.after.tasks[i];
      if (before.alive && !stands_at(before, there->old_root)) one.met();
      one.require(after.root == moved(before.root) || !before.alive, "a root is elsewhere");
      one.require(after.current_directory == moved(before.current_directory) || !before.alive,
                  "a current directory is elsewhere");
      for (std::size_t h = 0; h < before.handles.size(); ++h) {
        one.require(after.handles[h].at == before.handles[h].at, "a handle moved");
      }
    }
  });
}

constexpr auto model = Property::Needs::model;
constexpr Property all[] = {
    {"a refused operation changes nothing", model, refused_changes_nothing},
    {"the mounts of a namespace form one tree", model, mounts_form_a_tree},
    {"every peer that shows a directory, but in a detached tree, receives the mounts on it", model,
     peers_receive},
    {"a slave receives what is mounted on its master, as a slave of it", model, slaves_receive},
    {"a slave never feeds its master", model, slave_never_feeds},
    {"an unbindable mount is never copied by a bind", model, unbindable_stays},
    {"a pivot and the pivot back restore every mount, and every task of which neither root nor "
     "current directory was at the new root before",
     model, pivot_and_back},
    {"after pivot and detach, no path of a task whose root and current directory were both at the "
     "old root or both inside the new one, and that holds no handle outside it, leads to the old "
     "root",
     model, detached_is_gone},
    {"pivoting never propagates", model, pivot_never_propagates},
    {"pivoting moves the roots and current directories that are exactly the old root, and a task "
     "whose root and current directory are elsewhere does not move",
     model, pivot_moves_who_stands_there},
};

}  // namespace

std::span<const Property> model_properties() { return all; }

}  // namespace pivotcheck::props
