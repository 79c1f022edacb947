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
#include "runner.h"
#include "transitions.h"

namespace {

using namespace pivotcheck;
using model::MountIndex;
using model::World;
using props::Property;
using props::Report;
using props::RunOptions;
using props::Subjects;

constexpr std::uint64_t seed = 1;
constexpr int cases = 15;

// --- text and views

std::string print_without_quotes(const Scenario& scenario) {
  std::string text = print(scenario);
  std::erase(text, '"');
  return text;
}

std::string print_without_stated_step(const Scenario& scenario) {
  Scenario shorter = scenario;
  if (!shorter.steps.empty() && shorter.steps.back().stated) shorter.steps.pop_back();
  return print(shorter);
}

Snapshot with_its_ids(Snapshot snapshot) { return snapshot; }

Snapshot longer_each_time(Snapshot snapshot) {
  snapshot = canonical(std::move(snapshot));
  for (TaskView& task : snapshot.tasks) task.root.path += '/';
  return snapshot;
}

Snapshot without_flags(Snapshot snapshot) {
  snapshot = canonical(std::move(snapshot));
  for (auto& mount_ns : snapshot.namespaces) {
    for (MountView& mount : mount_ns.mounts) mount.flags = {};
  }
  return snapshot;
}

void mountinfo_shows_read_only(Snapshot& seen) {
  for (auto& mount_ns : seen.namespaces) {
    for (MountView& mount : mount_ns.mounts) mount.flags.set(MountFlag::ro);
  }
}

// --- the world after a step

template <class WantedOp>
const WantedOp* done(const Step& step, const Verdict& verdict) {
  return verdict.outcome.ok() ? std::get_if<WantedOp>(&step.op) : nullptr;
}

bool is_new(const World& before, MountIndex mount) { return mount.value >= before.mounts.size(); }

void toggle(World& world, MountIndex mount, MountFlag flag) {
  world[mount].flags.set(flag, !world[mount].flags.has(flag));
}

void mount_forgets_a_child(const World&, World& world, const Step&, const Verdict&) {
  for (model::Mount& mount : world.mounts) {
    if (mount.children.size() > 1) mount.children.pop_back();
  }
}

void refusal_changes_a_flag(const World&, World& world, const Step&, const Verdict& verdict) {
  if (!verdict.outcome.ok()) toggle(world, {0}, MountFlag::nosuid);
}

// All new mounts but the first, which is what was mounted.
void received_is_private(const World& before, World& world, const Step& step, const Verdict& v) {
  if (done<Mount>(step, v) == nullptr) return;
  for (const MountIndex mount : props::all_mounts(world)) {
    if (mount.value == before.mounts.size() || !is_new(before, mount)) continue;
    change_propagation(world, mount, Propagation::private_);
  }
}

void slave_gives(const World& before, World& world, const Step& step, const Verdict& verdict) {
  const MountIndex mount{static_cast<std::uint32_t>(before.mounts.size())};
  if (done<Mount>(step, verdict) == nullptr) return;
  const model::GroupId master = before.master(world[mount].parent);
  if (!master.exists()) return;
  const MountIndex member = before[master].members.front();
  const MountIndex given = world.new_mount(world[mount].root);
  world[given].mount_ns = world[member].mount_ns;
  ++world.mount_count;
  world.attach(given, member, world[member].root);
}

void bind_copies_unbindable(const World& before, World& world, const Step& step,
                            const Verdict& verdict) {
  const auto* bind = done<Bind>(step, verdict);
  if (bind == nullptr) return;
  const auto source = props::where(before, step.task.text, bind->source);
  const auto arrived = props::arrival({before, world, step, 0, verdict});
  if (!source || !arrived) return;
  for (const MountIndex child : before[source->mount].children) {
    if (!before[child].unbindable) continue;
    const MountIndex copy = world.new_mount(before[child].root);
    world[copy].mount_ns = world[arrived->mount].mount_ns;
    ++world.mount_count;
    world.attach(copy, arrived->mount, before[child].mount_point);
  }
}

void bound_is_read_only(const World& before, World& world, const Step& step, const Verdict& v) {
  if (done<Bind>(step, v) == nullptr) return;
  const auto arrived = props::arrival({before, world, step, 0, v});
  if (arrived) toggle(world, arrived->mount, MountFlag::ro);
}

void pivot_reaches_shared(const World&, World& world, const Step& step, const Verdict& verdict) {
  if (done<PivotRoot>(step, verdict) == nullptr) return;
  for (const MountIndex mount : props::all_mounts(world)) {
    if (world.is_shared(mount) || world.master(mount).exists()) {
      world[mount].flags.set(MountFlag::nosuid);
    }
  }
}

void pivot_leaves_tasks(const World& before, World& world, const Step& step, const Verdict& v) {
  if (done<PivotRoot>(step, v) == nullptr) return;
  for (std::size_t i = 0; i < world.tasks.size(); ++i) {
    world.tasks[i].root = before.tasks[i].root;
    world.tasks[i].current_directory = before.tasks[i].current_directory;
  }
}

void beneath_goes_on_top(const World& before, World& world, const Step& step, const Verdict& v) {
  const auto* op = done<MoveMount>(step, v);
  if (op == nullptr || !op->flags.has(MoveMountFlag::beneath)) return;
  const auto source = props::where(before, step.task.text, op->source);
  const auto target = props::where(before, step.task.text, op->target);
  if (!source || !target) return;
  const MountIndex moved = source->mount;
  const MountIndex top = before.topmost(*target).mount;
  if (world[top].parent != moved) return;
  const model::Location place{world[moved].parent, world[moved].mount_point};
  world.detach_from_parent(top);
  world.detach_from_parent(moved);
  world.attach(top, place.mount, place.dentry);
  world.attach(moved, top, world[top].root);
}

void detached_outlives_handle(const World& before, World& world, const Step& step,
                              const Verdict& verdict) {
  if (done<Close>(step, verdict) == nullptr) return;
  for (std::size_t i = 0; i < before.mount_namespaces.size(); ++i) {
    world.mount_namespaces[i].detached_root = before.mount_namespaces[i].detached_root;
  }
}

void set_group_makes_no_peers(const World& before, World& world, const Step& step,
                              const Verdict& verdict) {
  const auto* op = done<MoveMount>(step, verdict);
  if (op == nullptr || !op->flags.has(MoveMountFlag::set_group)) return;
  for (const MountIndex mount : props::all_mounts(before)) {
    if (world[mount].group != before[mount].group) world.leave_group(mount);
  }
}

struct Alteration {
  std::string_view name;
  Subjects subjects;
};

std::vector<Alteration> all_alterations() {
  std::vector<Alteration> all;
  const auto add = [&](std::string_view name) -> Subjects& {
    return all.emplace_back(Alteration{.name = name, .subjects = {}}).subjects;
  };
  add("print leaves quotes out").print = print_without_quotes;
  add("print forgets the last step if it states an outcome").print = print_without_stated_step;
  add("the canonical form keeps the ids").canonical = with_its_ids;
  add("the canonical form gets longer each time").canonical = longer_each_time;
  add("the canonical form has no flags").canonical = without_flags;
  add("mountinfo shows all as read-only").seen_by_mountinfo = mountinfo_shows_read_only;
  add("a mount forgets a child").after_step = mount_forgets_a_child;
  add("a refused step changes a flag").after_step = refusal_changes_a_flag;
  add("what peers and slaves receive is private").after_step = received_is_private;
  add("a slave gives to its master").after_step = slave_gives;
  add("a bind copies unbindable mounts").after_step = bind_copies_unbindable;
  add("what is bound is read-only").after_step = bound_is_read_only;
  add("a pivot changes shared mounts and slaves").after_step = pivot_reaches_shared;
  add("a pivot moves no task").after_step = pivot_leaves_tasks;
  add("what goes beneath goes on top").after_step = beneath_goes_on_top;
  add("a detached tree outlives its handle").after_step = detached_outlives_handle;
  add("set_group makes no peers").after_step = set_group_makes_no_peers;
  return all;
}

Report try_with(const Subjects& subjects, const Property& property, props::Kernel* kernel) {
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
  const Report sound = try_with({}, property, kernel);
  const bool holds = sound.kind == Report::Kind::holds;
  if (!holds) fmt::print("    NOT EVEN SO: {}\n", sound.what);
  bool broken = false;
  for (const Alteration& alteration : all_alterations()) {
    const Report report = try_with(alteration.subjects, property, kernel);
    if (report.kind != Report::Kind::fails) continue;
    broken = true;
    fmt::print("    {}: {}\n", alteration.name, report.what);
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
                                 props::text_properties(), props::kernel_properties()}) {
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
