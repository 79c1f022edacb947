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
  for_each_transition(one, [&](const Transition& transition) {
    if (transition.ok()) return;
    one.note_relevant();
    one.require(changed(transition.before, transition.after).empty(),
                print(transition.step) + " was refused, but " +
                    changed(transition.before, transition.after));
  });
}

// Shows the directory, and is not in a detached tree: those don't receive.
bool receives(const World& world, MountIndex mount, model::DentryId directory) {
  return shows(world, mount, directory) && !world.is_detached_tree(world[mount].mount_ns);
}

void mounts_form_a_tree(Case& one) {
  for_each_transition(one, [&](const Transition& transition) {
    const World& world = transition.after;
    if (world.mount_count > 1) one.note_relevant();
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
  for_each_arrival(one, [&](const Transition& transition, const Arrival& arrived) {
    const World& after = transition.after;
    for (const MountIndex peer : transition.before[arrived.group].members) {
      if (peer == arrived.at.mount || !receives(transition.before, peer, arrived.at.dentry))
        continue;
      one.note_relevant();
      const MountIndex received = after.mounted_at(peer, arrived.at.dentry);
      one.require(received.exists(), "a peer did not receive what was mounted");
      one.require(after[received].root == after[arrived.mount].root, "a peer received another");
      one.require(after[received].group.exists() &&
                      after[received].group == after[arrived.mount].group,
                  "what a peer received is not a peer of what was mounted");
    }
  });
}

void slaves_receive(Case& one) {
  for_each_arrival(one, [&](const Transition& transition, const Arrival& arrived) {
    for (const MountIndex slave : all_mounts(transition.before)) {
      if (transition.before.master(slave) != arrived.group) continue;
      if (!receives(transition.before, slave, arrived.at.dentry)) continue;
      one.note_relevant();
      const MountIndex received = transition.after.mounted_at(slave, arrived.at.dentry);
      one.require(received.exists(), "a slave did not receive what was mounted on its master");
      one.require(transition.after.master(received) == transition.after[arrived.mount].group,
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
      one.note_relevant();
      one.require(after[member].children == before[member].children, "a slave fed its master");
    }
  }
}

// A slave with slaves of its own is rare in random worlds, so each slave mounts something here.
void slave_never_feeds(Case& one) {
  const World end = predict(one.scenario, one.traits()).world;
  for (const MountIndex slave : all_mounts(end)) {
    const auto* task = somebody_in(end, end[slave].mount_ns);
    if (!end.master(slave).exists() || task == nullptr) continue;
    const Path here = at_place(0);
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
void require_no_unbindable(Case& one, const Transition& transition, MountIndex original,
                           MountIndex copy) {
  for (const MountIndex child : transition.before[original].children) {
    const MountIndex copied =
        transition.after.mounted_at(copy, transition.before[child].mount_point);
    if (transition.before[child].unbindable) one.note_relevant();
    if (!copied.exists()) continue;
    one.require(!transition.before[child].unbindable, "an unbindable mount was copied");
    require_no_unbindable(one, transition, child, copied);
  }
}

void unbindable_stays(Case& one) {
  for_each<Bind>(one, [&](const Transition& transition, const Bind& bind) {
    const auto source = where(transition.before, transition.step.task.text, bind.source);
    if (!source) return;
    if (transition.before[source->mount].unbindable) {
      one.note_relevant();
      one.require(!transition.ok(), "an unbindable mount was bound");
    } else if (const auto arrived = arrival(transition)) {
      require_no_unbindable(one, transition, source->mount, arrived->mount);
    }
  });
}

void pivot_and_back(Case& one) {
  for_each_pivot(one, [&](const Transition& transition, const Pivot& there) {
    one.note_relevant();
    World world = transition.after;
    const Verdict back =
        apply_at(one, world, transition.step.task.text, {there.old_root, there.new_roots_place},
                 PivotRoot{at_place(0), at_place(1)});
    one.require(back.outcome.ok(), "the pivot back was refused");
    // A task at the new root would move as well.
    for (std::size_t i = 0; i < world.tasks.size(); ++i) {
      const Task& before = transition.before.tasks[i];
      if (stands_at(before, there.new_root)) world.tasks[i] = before;
    }
    const std::string what = changed(transition.before, world);
    one.require(what.empty(), "after the pivot back, " + what);
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
  for (const model::Handle& handle : task.handles) ways.push_back(handle.path("/.."));
  for (const Path& way : ways) {
    const auto end = where(world, task.name, way);
    one.require(!end || top_of(world, end->mount) != old_root, "a path leads to the old root");
  }
}

void detached_is_gone(Case& one) {
  for_each_pivot(one, [&](const Transition& transition, const Pivot& there) {
    World world = transition.after;
    apply_at(one, world, transition.step.task.text, {there.old_root},
             Umount{at_place(0), {UmountFlag::detach}});
    const MountIndex old_root = there.old_root.mount;
    if (world[old_root].exists && !world[old_root].unmounted) return;  // its cover went
    for (const Task& task : transition.before.tasks) {
      if (!comes_along(transition.before, task, there)) continue;
      one.note_relevant();
      require_no_way_out(one, world, world[world.find_task(task.name)], old_root);
    }
  });
}

void pivot_never_propagates(Case& one) {
  for_each_pivot(one, [&](const Transition& transition, const Pivot& there) {
    one.require(transition.before.mounts.size() == transition.after.mounts.size(),
                "a mount was made");
    for (const MountIndex mount : all_mounts(transition.before)) {
      if (mount == there.old_root.mount || mount == there.new_root.mount) continue;
      if (transition.before[mount].group.exists() || transition.before.master(mount).exists())
        one.note_relevant();
      one.require(same_mount(transition.before, transition.after, mount), "another mount changed");
    }
  });
}

void pivot_moves_who_stands_there(Case& one) {
  for_each_pivot(one, [&](const Transition& transition, const Pivot& there) {
    const auto moved = [&](const Location& place) {
      return place == there.old_root ? there.new_root : place;
    };
    for (std::size_t i = 0; i < transition.before.tasks.size(); ++i) {
      const Task& before = transition.before.tasks[i];
      const Task& after = transition.after.tasks[i];
      if (before.alive && !stands_at(before, there.old_root)) one.note_relevant();
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
