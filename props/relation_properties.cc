// SPDX-License-Identifier: Apache-2.0
// relation_properties.cc: relations between runs. Two scenarios that differ in a stated way end in
// the same state; nothing is said of what that state is, so no model is needed to say it, and a fault
// that kernel and model share breaks it in both. Each is asked of the model, and of the kernel.
//
//     mkdir /a                 mkdir /a
//     mount tmpfs /a           mount tmpfs /a
//     rbind / /a               open_tree relation / clone,recursive     the same end
//                              move_mount @relation /a
//                              close relation
//
// (The fifth, a pivot and its undoing, is in model_properties.cc and kernel_properties.cc.)
#include <algorithm>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "check/compare/compare.h"
#include "model/propagation.h"
#include "property.h"
#include "scenario/edit.h"
#include "transitions.h"

namespace pivotcheck::props {
namespace {

using model::GroupId;
using model::Location;
using model::MountIndex;
using model::Task;
using model::World;

struct Pair {
  Scenario one;
  Scenario other;
  void (*map)(Snapshot& of_one) = [](Snapshot&) {};  // to what must be the other's end
};
using Relate = std::vector<Pair> (*)(const Case&);

Scenario with_steps(Scenario scenario, std::size_t count, const std::vector<Op>& more) {
  const TaskName task = scenario.steps[count].step.task;
  scenario.steps.resize(count);
  for (const Op& op : more) {
    scenario.steps.push_back({.step = {.task = task, .op = op}, .stated = {}});
  }
  return scenario;
}

// --- names

// "/a//./.." becomes "/xa//./..".
void put_x_before_names(std::string& path) {
  std::string longer;
  for (std::size_t i = 0; i <= path.size();) {
    const std::size_t end = std::min(path.find('/', i), path.size());
    const std::string name = path.substr(i, end - i);
    if (!name.empty() && name != "." && name != "..") longer += 'x';
    longer += name;
    if (end < path.size()) longer += '/';
    i = end + 1;
  }
  path = longer;
}

void put_x_before_all_names(Snapshot& snapshot) {
  for (NamespaceView& mount_ns : snapshot.namespaces) {
    for (MountView& mount : mount_ns.mounts) {
      put_x_before_names(mount.mount_point);
      put_x_before_names(mount.root);
    }
  }
  for (TaskView& task : snapshot.tasks) {
    put_x_before_names(task.root.path);
    put_x_before_names(task.current_directory.path);
    for (HandleView& handle : task.handles) put_x_before_names(handle.location.path);
  }
}

// The new names are in the same order as the old ones, so canonical forms stay what they are.
std::vector<Pair> names_prefixed(const Case& one) {
  constexpr std::size_t longest_path = 200;  // the kernel's limits are no relation
  Scenario other = one.scenario;
  bool is_long = false;
  for (ScenarioStep& step : other.steps) {
    edit::for_each_path(step.step.op, [&](std::string& text, const Path*) {
      is_long = is_long || text.size() > longest_path;
      put_x_before_names(text);
    });
  }
  if (is_long) return {};
  return {{one.scenario, other, put_x_before_all_names}};
}

// --- order

// What a step changes, if it is one of those that only change one mount, or what is mounted on it and
// its receivers, or the task's own places.
struct Footprint {
  Path path;
  MountIndex mount;  // none: the task's own places only
};

// Where it leads, and what is mounted on that: some calls act on the one, some on the other.
struct Target {
  Location at;
  Location top;
  bool operator==(const Target&) const = default;
};
std::optional<Target> target(const World& world, const std::string& task, const Path& path) {
  const auto at = where(world, task, path);
  return at ? std::optional(Target{*at, world.topmost(*at)}) : std::nullopt;
}

std::optional<Footprint> footprint(const Transition& transition) {
  const Op& op = transition.step.op;
  const auto on_mount = [&](const Path& path) -> std::optional<Footprint> {
    const auto found = target(transition.before, transition.step.task.text, path);
    if (!found) return std::nullopt;
    return Footprint{path, std::holds_alternative<Mount>(op) ? found->top.mount : found->at.mount};
  };
  if (!transition.ok()) return std::nullopt;
  if (const auto* mount = std::get_if<Mount>(&op)) return on_mount(mount->path);
  if (const auto* remount = std::get_if<Remount>(&op)) return on_mount(remount->path);
  if (const auto* change = std::get_if<ChangePropagation>(&op); change && !change->recursive) {
    return on_mount(change->path);
  }
  if (const auto* chdir = std::get_if<Chdir>(&op)) return Footprint{chdir->path, {}};
  if (const auto* open = std::get_if<Open>(&op)) return Footprint{open->path, {}};
  return std::nullopt;
}

// The groups that give to this mount's or receive from it, however far away.
std::set<GroupId> related_groups(const World& world, MountIndex mount) {
  std::set<GroupId> related;
  for (const GroupId own : {world[mount].group, world[mount].own_master}) {
    if (own.exists()) related.insert(own);
  }
  for (std::size_t before = 0; related.size() > before;) {
    before = related.size();
    for (std::uint32_t i = 0; i < world.groups.size(); ++i) {
      const GroupId master = world.groups[i].master;
      if (!master.exists()) continue;
      if (related.contains(GroupId{i})) related.insert(master);
      if (related.contains(master)) related.insert(GroupId{i});
    }
  }
  return related;
}

bool are_apart(const World& world, const Footprint& a, const Footprint& b) {
  if (!a.mount.exists() || !b.mount.exists()) return true;
  if (a.mount == b.mount) return false;
  const std::set<GroupId> groups = related_groups(world, a.mount);
  return std::ranges::none_of(related_groups(world, b.mount),
                              [&](GroupId group) { return groups.contains(group); });
}

// Neighbours that act on different mounts and groups. Neither may change where the other's path leads.
std::vector<Pair> neighbours_swapped(const Case& one) {
  struct Seen {
    World before;
    Step step;
    Footprint footprint;
  };
  std::optional<Seen> last;
  std::vector<Pair> pairs;
  for_each_transition(one, [&](const Transition& transition) {
    auto own = footprint(transition);
    if (own && last && are_apart(last->before, last->footprint, *own)) {
      const std::string& task = transition.step.task.text;
      const std::string& lasts = last->step.task.text;
      const bool same_places =
          target(last->before, task, own->path) == target(transition.before, task, own->path) &&
          target(last->before, lasts, last->footprint.path) ==
              target(transition.after, lasts, last->footprint.path);
      const bool both_of_one_task =
          task == lasts && !own->mount.exists() && !last->footprint.mount.exists();
      if (same_places && !both_of_one_task) {
        Scenario as_it_was = one.scenario;
        as_it_was.steps.resize(transition.number + 1);
        Scenario other = as_it_was;
        std::swap(other.steps[transition.number - 1], other.steps[transition.number]);
        pairs.push_back({as_it_was, other});
      }
    }
    last.reset();
    if (own) last.emplace(transition.before, transition.step, *std::move(own));
  });
  return pairs;
}

// --- other ways to the same end

std::vector<Pair> rbind_by_descriptor(const Case& one) {
  std::vector<Pair> pairs;
  for_each<Bind>(one, [&](const Transition& transition, const Bind& bind) {
    if (!transition.ok() || !bind.recursive) return;
    const HandleName handle{"relation"};
    pairs.push_back({with_steps(one.scenario, transition.number, {transition.step.op}),
                     with_steps(one.scenario, transition.number,
                                {OpenTree{handle, bind.source,
                                          {OpenTreeFlag::clone, OpenTreeFlag::recursive}},
                                 MoveMount{Path(handle.text, ""), bind.target, {}},
                                 Close{handle}})});
  });
  return pairs;
}

// A path to each mount of the tree, the lowest first; nothing if one of them has none.
std::vector<Path> ways_to_all(const World& world, const Task& task, MountIndex lowest) {
  std::vector<Path> ways;
  for (const MountIndex mount : world.subtree(lowest)) {
    const auto way = way_to(world, task, {mount, world[mount].root});
    if (!way) return {};
    ways.push_back(*way);
  }
  return ways;
}

std::vector<Pair> one_mount_after_the_other(const Case& one) {
  std::vector<Pair> pairs;
  for_each<ChangePropagation>(one, [&](const Transition& transition, const ChangePropagation& op) {
    if (!transition.ok() || !op.recursive) return;
    const auto at = where(transition.before, transition.step.task.text, op.path);
    if (!at) return;
    std::vector<Op> single;
    for (const Path& way : ways_to_all(transition.before, transition.actor(), at->mount)) {
      single.push_back(ChangePropagation{way, op.to, false});
    }
    if (single.size() < 2) return;
    pairs.push_back({with_steps(one.scenario, transition.number, {transition.step.op}),
                     with_steps(one.scenario, transition.number, single)});
  });
  return pairs;
}

// --- both ends

// As the model has it; nullopt if a step of the last `wanted` is refused, or the run ends early.
std::optional<Snapshot> end_in_model(const Case& like, const Scenario& scenario,
                                     std::size_t wanted) {
  Case run(scenario, like.subjects, nullptr);
  std::optional<Snapshot> end;
  for_each_transition(run, [&](const Transition& transition) {
    const std::size_t left = scenario.steps.size() - transition.number - 1;
    if (left < wanted && !transition.ok()) return;
    if (left == 0) end = canonical(snapshot(transition.after));
  });
  return end;
}

std::optional<Snapshot> end_in_kernel(Case& like, const Scenario& scenario, std::size_t wanted) {
  const auto result = agreed(like, scenario);
  if (!result || result->state_unseen || result->verdicts.size() < scenario.steps.size()) {
    return std::nullopt;
  }
  const auto last = std::span(result->verdicts).last(wanted);
  const bool all_done = std::ranges::all_of(last, [](const Verdict& v) { return v.outcome.ok(); });
  if (!all_done) return std::nullopt;
  Snapshot shown = result->kernel_view;
  like.subjects.shown_by_kernel(scenario, shown);
  return shown;
}

std::size_t steps_that_differ(const Scenario& scenario, const Scenario& other) {
  const auto differs = std::ranges::mismatch(scenario.steps, other.steps);
  return static_cast<std::size_t>(scenario.steps.end() - differs.in1);
}

void require_same_end(Case& one, const Pair& pair, const auto& end_of) {
  const bool renamed = pair.one.steps.size() == one.scenario.steps.size() && pair.one == one.scenario;
  const std::size_t wanted = renamed ? 0 : steps_that_differ(pair.one, pair.other);
  const std::size_t wanted_of_other = renamed ? 0 : steps_that_differ(pair.other, pair.one);
  auto first = end_of(pair.one, wanted);
  const auto second = end_of(pair.other, wanted_of_other);
  if (!first || !second) return;
  one.note_relevant();
  pair.map(*first);
  const auto found = differences(*first, *second);
  one.require(found.empty(), found.empty() ? "" : "the ends differ: " + found.front());
}

template <Relate relate>
void in_model(Case& one) {
  for (const Pair& pair : relate(one)) {
    require_same_end(one, pair, [&](const Scenario& scenario, std::size_t wanted) {
      return end_in_model(one, scenario, wanted);
    });
  }
}

// The last pair only: each is two runs.
template <Relate relate>
void in_kernel(Case& one) {
  const auto pairs = relate(one);
  if (pairs.empty()) return;
  require_same_end(one, pairs.back(), [&](const Scenario& scenario, std::size_t wanted) {
    return end_in_kernel(one, scenario, wanted);
  });
}

constexpr auto model = Property::Needs::model;
constexpr auto kernel = Property::Needs::kernel;
constexpr Property all[] = {
    {"other names lead to the same state under these names", model, in_model<names_prefixed>},
    {"steps on different mounts and groups may come in either order", model,
     in_model<neighbours_swapped>},
    {"rbind does what open_tree, move_mount and close do", model, in_model<rbind_by_descriptor>},
    {"a recursive change of propagation is one of each mount", model,
     in_model<one_mount_after_the_other>},
    {"in the kernel, other names lead to the same state under these names", kernel,
     in_kernel<names_prefixed>},
    {"in the kernel, steps on different mounts and groups may come in either order", kernel,
     in_kernel<neighbours_swapped>},
    {"in the kernel, rbind does what open_tree, move_mount and close do", kernel,
     in_kernel<rbind_by_descriptor>},
    {"in the kernel, a recursive change of propagation is one of each mount", kernel,
     in_kernel<one_mount_after_the_other>},
};

}  // namespace

std::span<const Property> relation_properties() { return all; }

}  // namespace pivotcheck::props
