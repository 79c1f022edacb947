// SPDX-License-Identifier: Apache-2.0
// probing_end.cc: start reading at add_probing_end, at the end.
#include "check/gen/probing_end.h"

#include <algorithm>
#include <cerrno>
#include <ranges>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "check/gen/named_mounts.h"
#include "model/world.h"

namespace pivotcheck::gen {
namespace {

using model::GroupId;
using model::Location;
using model::MountIndex;
using model::NamespaceId;
using model::Task;
using model::TaskIndex;
using model::UserNamespaceId;
using model::World;

constexpr std::size_t mounts_tried_max = 64;  // of a namespace: far more than scenarios have
constexpr std::string_view handle_name = "probe";

class ProbingEnd {
 public:
  ProbingEnd(Predictor& predictor, Choices& choices, ProbeCounts& counts)
      : predictor_(predictor),
        choices_(choices),
        counts_(counts),
        takes_apart_(choices.chance(50)) {}

  // Each detached tree, on the root of a task that has a handle of it.
  void attach_trees() {
    std::set<NamespaceId> left;
    for (std::uint32_t i = 0; i < world().tasks.size(); ++i) {
      const std::vector<model::Handle> handles = world().tasks[i].handles;
      for (const model::Handle& handle : handles) {
        const NamespaceId tree = world()[handle.at.mount].mount_ns;
        if (!world().tasks[i].alive || !world().is_detached_tree(tree)) continue;
        const bool attached = !world().has_parent(handle.at.mount) &&
                              may_probe({i}, world()[world().tasks[i].mount_ns].owner) &&
                              perform({i}, MoveMount{handle.path(), {"/"}, {}});
        if (attached) {
          ++counts_.trees_attached;
          left.erase(tree);
        } else {
          left.insert(tree);
        }
      }
    }
    counts_.trees_left += left.size();
  }

  void try_namespaces() {
    std::vector<NamespaceId> all;
    for (std::uint32_t i = 0; i < world().mount_namespaces.size(); ++i) {
      if (world().mount_namespaces[i].rootfs.exists()) all.push_back({i});
    }
    std::ranges::stable_sort(all, std::ranges::greater(), [this](NamespaceId mount_ns) {
      return world()[world()[mount_ns].owner].level;
    });
    std::vector<TaskIndex> probers;
    for (const NamespaceId mount_ns : all) {
      const TaskIndex prober = task_for(mount_ns);
      if (prober.exists()) {
        probers.push_back(prober);
        try_mounts(prober);
      } else {
        ++counts_.namespaces_left;
      }
    }
    // Last, because what arrives covers what is there.
    if (takes_apart_) return;
    for (const TaskIndex prober : probers) mount_on_groups(prober);
  }

 private:
  [[nodiscard]] const World& world() const { return predictor_.so_far().world; }
  bool perform(TaskIndex task, Op op) {
    return predictor_.add(static_cast<int>(task.value), std::move(op)) &&
           predictor_.last().outcome.ok();
  }

  [[nodiscard]] bool may_probe(TaskIndex task, UserNamespaceId owner) const {
    const auto capable = [&](Capability each) {
      return world().capable(world()[task], each, owner);
    };
    return world()[task].alive && capable(Capability::sys_admin) &&
           capable(Capability::sys_chroot) && capable(Capability::dac);
  }

  // A task in that namespace that may probe it, the one that can name most; moved to the top of
  // the namespace, if it can name more from there.
  TaskIndex task_for(NamespaceId mount_ns) {
    const UserNamespaceId owner = world()[mount_ns].owner;
    TaskIndex inside;
    TaskIndex elsewhere;
    std::size_t named = 0;
    for (std::uint32_t i = 0; i < world().tasks.size(); ++i) {
      if (!may_probe({i}, owner)) continue;
      if (world().tasks[i].mount_ns != mount_ns) {
        elsewhere = {i};
        continue;
      }
      const std::size_t names = named_mounts(world(), world().tasks[i]).size();
      if (inside.exists() && names <= named) continue;
      inside = {i};
      named = names;
    }
    const Location top = world().namespace_root(mount_ns);
    if (!inside.exists()) {
      return elsewhere.exists() && top.mount.exists() ? enter(elsewhere, mount_ns) : TaskIndex{};
    }
    if (named_mounts(world(), mount_ns, top).size() > named) {
      perform(inside, Setns{{world()[inside].name}, {NamespaceKind::mnt}});
    }
    return inside;
  }

  // A new task of that one, which enters the namespace; none if it may not.
  TaskIndex enter(TaskIndex from, NamespaceId mount_ns) {
    const auto is_open = [&](const Task& task) {
      const UserNamespaceId own = world()[from].user_ns;
      return task.alive && task.mount_ns == mount_ns &&
             (task.user_ns == own || world().is_below(task.user_ns, own));
    };
    const auto other = std::ranges::find_if(world().tasks, is_open);
    if (other == world().tasks.end()) return {};
    const std::string host = other->name;
    const TaskIndex entered{static_cast<std::uint32_t>(world().tasks.size())};
    std::string name = "P";
    const auto is_taken = [&](const Task& task) { return task.name == name; };
    while (std::ranges::any_of(world().tasks, is_taken)) name += 'P';
    const bool is_in = perform(from, Spawn{{name}}) &&
                       perform(entered, Setns{{host}, {NamespaceKind::mnt}});
    return is_in ? entered : TaskIndex{};
  }

  void try_mounts(TaskIndex task) {
    const NamespaceId mount_ns = world()[task].mount_ns;
    std::set<MountIndex> tried;
    while (tried.size() < mounts_tried_max) {
      const std::vector<NamedMount> named = named_mounts(world(), world()[task]);
      const auto is_new = [&](const NamedMount& each) { return !tried.contains(each.mount); };
      const auto next = std::ranges::find_if(named.rbegin(), named.rend(), is_new);
      if (next == named.rend()) break;
      tried.insert(next->mount);
      try_mount(task, *next);
      if (predictor_.so_far().stop != Verdict::Stop::no) return;
    }
    counts_.mounts += tried.size();
    for (std::uint32_t i = 0; i < world().mounts.size(); ++i) {
      const bool is_unnamed = world().mounts[i].mount_ns == mount_ns && !tried.contains({i}) &&
                              world()[mount_ns].rootfs != MountIndex{i};
      counts_.mounts_unnamed += is_unnamed ? 1 : 0;
    }
  }

  // On one mount of each peer group, the innermost first, because it covers what is below.
  void mount_on_groups(TaskIndex task) {
    const std::vector<NamedMount> named = named_mounts(world(), world()[task]);
    for (const NamedMount& each : named | std::views::reverse) {
      const GroupId group = world()[each.mount].group;
      if (!group.exists() || !groups_done_.insert(group).second) continue;
      perform(task, Mount{FilesystemType::tmpfs, each.path, {}});
      if (predictor_.so_far().stop != Verdict::Stop::no) return;
      ++counts_.groups_mounted_on;
    }
  }

  void try_mount(TaskIndex task, const NamedMount& named) {
    change_flags(task, named);
    perform(task, OpenTree{{std::string(handle_name)}, named.path, {OpenTreeFlag::clone}});
    if (!takes_apart_) return;
    const bool moved = perform(task, Move{named.path, {"/"}});
    const Path path = moved ? Path("/..") : named.path;
    const bool is_root = named.mount == world()[task].root.mount;
    if (perform(task, Umount{path, {}}) || is_root) return;
    // What is busy may cover something.
    if (predictor_.last().outcome.error == EBUSY) perform(task, Umount{path, {UmountFlag::detach}});
  }

  // All flags at once; where that is refused, each alone: which are locked?
  void change_flags(TaskIndex task, const NamedMount& named) {
    const MountFlags flags = world()[named.mount].flags;
    const MountFlags noatime{MountFlag::noatime};
    const bool by_remount = choices_.chance(50);
    const auto change = [&](MountFlags changed) {
      const MountFlags set = changed.without(flags);
      const MountFlags cleared = changed.intersect(flags);
      if (by_remount) {
        MountFlags wanted = flags.without(cleared).with(set);
        const bool is_relatime = wanted.intersect(atime_flags).empty();
        if (is_relatime && !changed.intersect(atime_flags).empty()) {
          wanted.set(MountFlag::relatime);  // otherwise the remount would keep what there is
        }
        return perform(task, Remount{named.path, {wanted}});
      }
      return perform(task, MountSetattr{named.path, {set, cleared, {}}, {}});
    };
    const MountFlags all = flags.with(noatime);
    if (change(all) || all == noatime) return;
    for (std::size_t i = 0; i < FlagNames<MountFlag>::names.size(); ++i) {
      const MountFlags flag{static_cast<MountFlag>(i)};
      if (all.contains(flag)) change(flag);
    }
  }

  Predictor& predictor_;
  Choices& choices_;
  ProbeCounts& counts_;
  bool takes_apart_;
  std::set<GroupId> groups_done_;
};

}  // namespace

void add_probing_end(Predictor& predictor, Choices& choices, ProbeCounts& counts) {
  if (predictor.so_far().stop != Verdict::Stop::no) return;
  ProbingEnd end(predictor, choices, counts);
  ++counts.cases;
  end.attach_trees();
  end.try_namespaces();
}

}  // namespace pivotcheck::gen
