// SPDX-License-Identifier: Apache-2.0
// can_fail.cc: shows that every property can fail. Each is tried on a few scenarios under each
// alteration below: of the world after a step, of the text, or of what an observer saw. Prints
// which alteration breaks which property. Exit 1 if none breaks it and props/broken_by.txt names no
// fault of the model that does (ci/mutants --properties tries those), or if it fails by itself.
//
//     properties_can_fail [PROPERTY-SUBSTRING]
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "model/propagation.h"
#include "transitions.h"

namespace {

using namespace pivotcheck;
using model::MountIndex;
using model::World;
using props::Property;
using props::Report;
using props::RunOptions;
using props::Subjects;
using props::Transition;

constexpr int cases = 30;
constexpr std::uint64_t seeds = 10;  // as long as nothing breaks a property

template <class WantedOp>
const WantedOp* done(const Transition& t) {
  return t.ok() ? std::get_if<WantedOp>(&t.step.op) : nullptr;
}

MountIndex first_new_mount(const Transition& t) {
  return {static_cast<std::uint32_t>(t.before.mounts.size())};
}

void toggle(MountFlags& flags, MountFlag flag) { flags.set(flag, !flags.has(flag)); }

void mount_copy(World& world, MountIndex original, MountIndex parent, model::DentryId mount_point) {
  const MountIndex copy = world.new_mount(world[original].root);
  world[copy].mount_ns = world[parent].mount_ns;
  ++world.mount_count;
  world.attach(copy, parent, mount_point);
}

void slave_gives(const Transition& t, World& world) {
  if (done<Mount>(t) == nullptr) return;
  const model::GroupId master = t.before.master(world[first_new_mount(t)].parent);
  if (!master.exists()) return;
  const MountIndex member = t.before[master].members.front();
  mount_copy(world, first_new_mount(t), member, world[member].root);
}

void bind_copies_unbindable(const Transition& t, World& world) {
  const auto* bind = done<Bind>(t);
  if (bind == nullptr) return;
  const auto source = props::where(t.before, t.step.task.text, bind->source);
  const auto arrived = props::arrival(t);
  if (!source || !arrived) return;
  for (const MountIndex child : t.before[source->mount].children) {
    if (!t.before[child].unbindable) continue;
    mount_copy(world, child, arrived->mount, t.before[child].mount_point);
  }
}

void beneath_goes_on_top(const Transition& t, World& world) {
  const auto* op = done<MoveMount>(t);
  if (op == nullptr || !op->flags.has(MoveMountFlag::beneath)) return;
  const auto source = props::where(t.before, t.step.task.text, op->source);
  if (!source || world[source->mount].children.empty()) return;
  const MountIndex moved = source->mount;
  const MountIndex top = world[moved].children.back();
  const model::Location place{world[moved].parent, world[moved].mount_point};
  world.detach_from_parent(top);
  world.detach_from_parent(moved);
  world.attach(top, place.mount, place.dentry);
  world.attach(moved, top, world[top].root);
}

struct Alteration {
  std::string_view name;
  Subjects subjects;
};

void add_views(std::vector<Alteration>& all) {
  all.push_back({"print leaves quotes out", {.print = [](const Scenario& scenario) {
                   std::string text = print(scenario);
                   std::erase(text, '"');
                   return text;
                 }}});
  all.push_back({"print forgets the last step if it states an outcome",
                 {.print = [](const Scenario& scenario) {
                   Scenario shorter = scenario;
                   if (!shorter.steps.empty() && shorter.steps.back().stated) {
                     shorter.steps.pop_back();
                   }
                   return print(shorter);
                 }}});
  all.push_back({"the canonical form keeps the ids",
                 {.canonical = [](Snapshot snapshot) { return snapshot; }}});
  all.push_back({"the canonical form gets longer each time", {.canonical = [](Snapshot snapshot) {
                   snapshot = canonical(std::move(snapshot));
                   for (TaskView& task : snapshot.tasks) task.root.path += '/';
                   return snapshot;
                 }}});
  all.push_back({"the canonical form has no flags", {.canonical = [](Snapshot snapshot) {
                   snapshot = canonical(std::move(snapshot));
                   for (auto& mount_ns : snapshot.namespaces) {
                     for (MountView& mount : mount_ns.mounts) mount.flags = {};
                   }
                   return snapshot;
                 }}});
  all.push_back({"mountinfo shows all as read-only", {.seen_by_mountinfo = [](Snapshot& seen) {
                   for (auto& mount_ns : seen.namespaces) {
                     for (MountView& mount : mount_ns.mounts) mount.flags.set(MountFlag::ro);
                   }
                 }}});
  all.push_back({"what the kernel shows depends on how it was asked",
                 {.shown_by_kernel = [](const Scenario& scenario, Snapshot& seen) {
                   if (print(scenario).size() % 2 == 0 || seen.namespaces.empty()) return;
                   for (MountView& mount : seen.namespaces.front().mounts) {
                     toggle(mount.flags, MountFlag::noexec);
                   }
                 }}});
}

std::vector<Alteration> all_alterations() {
  std::vector<Alteration> all;
  add_views(all);
  const auto add = [&](std::string_view name, void (*after_step)(const Transition&, World&)) {
    all.push_back({name, {.after_step = after_step}});
  };
  // Not one where a task is: then there would be no state to compare.
  add("a mount forgets a child", [](const Transition&, World& world) {
    for (model::Mount& mount : world.mounts) {
      if (mount.children.size() < 2) continue;
      const MountIndex child = mount.children.back();
      const bool is_used = world.is_referenced(child) || !world[child].children.empty();
      if (!is_used) mount.children.pop_back();
    }
  });
  add("a refused step changes a flag", [](const Transition& t, World& world) {
    if (!t.ok()) toggle(world.mounts.front().flags, MountFlag::nosuid);
  });
  add("what peers and slaves receive is private", [](const Transition& t, World& world) {
    if (done<Mount>(t) == nullptr) return;
    for (const MountIndex mount : props::all_mounts(world)) {
      if (mount > first_new_mount(t)) change_propagation(world, mount, Propagation::private_);
    }
  });
  add("a slave gives to its master", slave_gives);
  add("a mount on a name with x is unbindable", [](const Transition& t, World& world) {
    const auto* mount = done<Mount>(t);
    if (mount == nullptr || !mount->path.text.contains('x')) return;
    world[first_new_mount(t)].unbindable = true;
  });
  add("every second step marks what it mounts", [](const Transition& t, World& world) {
    if (done<Mount>(t) == nullptr || t.number % 2 == 0) return;
    toggle(world[first_new_mount(t)].flags, MountFlag::noexec);
  });
  add("a recursive change of propagation marks what it changes", [](const Transition& t,
                                                                    World& world) {
    const auto* op = done<ChangePropagation>(t);
    if (op == nullptr || !op->recursive) return;
    for (model::Mount& mount : world.mounts) toggle(mount.flags, MountFlag::noexec);
  });
  add("a bind copies unbindable mounts", bind_copies_unbindable);
  add("what is bound is read-only", [](const Transition& t, World& world) {
    if (done<Bind>(t) == nullptr) return;
    if (const auto arrived = props::arrival(t)) toggle(world[arrived->mount].flags, MountFlag::ro);
  });
  add("a pivot changes shared mounts and slaves", [](const Transition& t, World& world) {
    if (done<PivotRoot>(t) == nullptr) return;
    for (model::Mount& mount : world.mounts) {
      if (mount.group.exists() || mount.own_master.exists()) mount.flags.set(MountFlag::nosuid);
    }
  });
  add("a pivot moves no task", [](const Transition& t, World& world) {
    if (done<PivotRoot>(t) != nullptr) world.tasks = t.before.tasks;
  });
  add("what goes beneath goes on top", beneath_goes_on_top);
  add("a detached tree outlives its handle", [](const Transition& t, World& world) {
    if (done<Close>(t) == nullptr) return;
    for (std::size_t i = 0; i < t.before.mount_namespaces.size(); ++i) {
      world.mount_namespaces[i].detached_root = t.before.mount_namespaces[i].detached_root;
    }
  });
  add("set_group makes no peers", [](const Transition& t, World& world) {
    const auto* op = done<MoveMount>(t);
    if (op == nullptr || !op->flags.has(MoveMountFlag::set_group)) return;
    for (const MountIndex mount : props::all_mounts(t.before)) {
      if (world[mount].group != t.before[mount].group) world.leave_group(mount);
    }
  });
  return all;
}

Report try_with(const Subjects& subjects, const Property& property, props::Kernel* kernel,
                std::uint64_t seed) {
  return run(property,
             {.seed = seed,
              .cases = cases,
              .subjects = subjects,
              .shrink = false,
              .locked_worlds_only = true,
              .failures = std::nullopt},
             kernel);
}

// The fault of the model that breaks it, by props/broken_by.txt ("FAULT PROPERTY"); "" if none.
std::string fault_that_breaks(std::string_view sentence) {
  std::ifstream file(PIVOTCHECK_BROKEN_BY);
  for (std::string line; std::getline(file, line);) {
    const std::size_t end = line.find(' ');
    if (line.starts_with('#') || end == std::string::npos) continue;
    if (line.substr(end + 1) == sentence) return line.substr(0, end);
  }
  return "";
}

// False if nothing breaks it, or if it is broken as it is.
bool can_fail(const Property& property, props::Kernel* kernel) {
  fmt::print("{}\n", property.sentence);
  if (const std::string fault = fault_that_breaks(property.sentence); !fault.empty()) {
    fmt::print("    by a wrong model: ci/mutants --properties --only {}\n", fault);
    return true;
  }
  const Report sound = try_with({}, property, kernel, 1);
  const bool holds = sound.kind == Report::Kind::holds;
  if (!holds) fmt::print("    NOT EVEN SO: {}\n", sound.what);
  bool broken = false;
  for (std::uint64_t seed = 1; !broken && seed <= seeds; ++seed) {
    for (const Alteration& alteration : all_alterations()) {
      const Report report = try_with(alteration.subjects, property, kernel, seed);
      if (report.kind != Report::Kind::fails) continue;
      broken = true;
      fmt::print("    {}: {}\n", alteration.name, report.what);
    }
  }
  if (!broken) fmt::print("    NOTHING BREAKS IT\n");
  std::fflush(stdout);
  return broken && holds;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view only = argc > 1 ? argv[1] : "";
  Expected<props::Kernel> kernel = props::Kernel::make();
  int failed = 0;
  int not_run = 0;
  for (const auto& properties : {props::model_properties(), props::mount_api_properties(),
                                 props::text_properties(), props::kernel_properties(),
                                 props::relation_properties()}) {
    for (const Property& property : properties) {
      if (!property.sentence.contains(only)) continue;
      if (property.needs == Property::Needs::kernel && !kernel) {
        ++not_run;
        continue;
      }
      failed += can_fail(property, kernel ? &*kernel : nullptr) ? 0 : 1;
    }
  }
  if (not_run > 0) {
    fmt::print(stderr, "NOT RUN: {} properties of the kernel: {}\n", not_run, kernel.error().what);
  }
  fmt::print("{} properties can't be shown to fail, or fail by themselves\n", failed);
  return failed == 0 ? 0 : 1;
}
