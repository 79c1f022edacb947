// SPDX-License-Identifier: Apache-2.0
// faults_table.cc: shows that every property can fail. Each is tried on a few scenarios under each
// fault: those of the model (model/faults.h), which the model is built with here, and a few, in
// brackets, of what else the properties look at. Prints which faults break which property; exit 1
// if a property is broken by none of the model (unless that can't be, which it says), by none at
// all, or by something though nothing is wrong.
//
//     faults_table [PROPERTY-SUBSTRING]       all faults; without an argument, enough of them
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "model/faults.h"
#include "runner.h"

namespace {

using namespace pivotcheck;
using props::Property;
using props::Report;
using props::RunOptions;
using props::Subjects;

constexpr std::uint64_t seed = 1;
constexpr int cases = 15;
constexpr std::size_t enough = 3;  // faults of one property, where not all are asked for

struct PlantedFault {
  std::string name;
  bool in_model = false;
  Subjects subjects = {};
};

std::string print_without_quotes(const Scenario& scenario) {
  std::string text = print(scenario);
  std::erase(text, '"');
  return text;
}

std::string print_and_forget(const Scenario& scenario) {
  Scenario shorter = scenario;
  if (!shorter.steps.empty() && shorter.steps.back().stated) shorter.steps.pop_back();
  return print(shorter);
}

Snapshot with_its_ids(Snapshot snapshot) { return snapshot; }

Snapshot one_more_each_time(Snapshot snapshot) {
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

void tree_falls_apart(model::World& world, const Step&, const Verdict&) {
  for (model::Mount& mount : world.mounts) {
    if (mount.children.size() > 1) mount.children.pop_back();
  }
}

void refused_but_done(model::World& world, const Step&, const Verdict& verdict) {
  if (verdict.rule == Rule::name_missing) world.tasks.front().capabilities = {};
}

void pivot_reaches_shared(model::World& world, const Step& step, const Verdict& verdict) {
  if (!verdict.outcome.ok() || !std::holds_alternative<PivotRoot>(step.op)) return;
  for (model::Mount& mount : world.mounts) {
    if (mount.group.exists() || mount.own_master.exists()) mount.flags.set(MountFlag::nosuid);
  }
}

void mountinfo_shows_read_only(Snapshot& seen) {
  for (auto& mount_ns : seen.namespaces) {
    for (MountView& mount : mount_ns.mounts) mount.flags.set(MountFlag::ro);
  }
}

std::vector<PlantedFault> all_faults() {
  std::vector<PlantedFault> faults;
  const auto other = [&](std::string_view name) -> Subjects& {
    faults.push_back({.name = std::string(name)});
    return faults.back().subjects;
  };
  for (const FaultInfo& row : fault_table()) {
    faults.push_back({.name = std::string(row.name), .in_model = true});
  }
  other("(print leaves quotes out)").print = print_without_quotes;
  other("(print forgets the last step if it states an outcome)").print = print_and_forget;
  other("(the canonical form keeps the ids)").canonical = with_its_ids;
  other("(the canonical form goes on and on)").canonical = one_more_each_time;
  other("(the canonical form has no flags)").canonical = without_flags;
  other("(a mount forgets a child)").behind_step = tree_falls_apart;
  other("(a task pays for a refusal)").behind_step = refused_but_done;
  other("(a pivot reaches shared mounts and slaves)").behind_step = pivot_reaches_shared;
  other("(mountinfo shows all as read-only)").seen_by_mountinfo = mountinfo_shows_read_only;
  return faults;
}

Report try_under(const PlantedFault& fault, const Property& property, props::Kernel* kernel) {
  plant(fault.in_model ? fault.name : "");
  const RunOptions options{.seed = seed,
                           .cases = cases,
                           .subjects = fault.subjects,
                           .shrink = false,
                           .locked_worlds_only = true,
                           .failures = std::nullopt};
  Report report = run(property, options, kernel);
  plant("");
  return report;
}

// Why no fault of the model can break it; "" if one has to.
std::string_view beyond_the_model(const Property& property) {
  if (property.needs == Property::Needs::text) return "the model is not asked";
  if (property.sentence.contains("observers")) return "the model is not asked";
  if (property.sentence.contains("one tree")) return "they must leave its world in one piece";
  return "";
}

// False if nothing breaks it, or if it is broken as it is.
bool one_row(const Property& property, bool every_fault, props::Kernel* kernel) {
  fmt::print("{}\n", property.sentence);
  const Report sound = try_under({.name = "(nothing is wrong)"}, property, kernel);
  if (sound.kind != Report::Kind::holds) fmt::print("    NOT EVEN SO: {}\n", sound.what);
  const std::string_view why_none = beyond_the_model(property);
  std::size_t in_model = 0;
  std::size_t elsewhere = 0;
  for (const PlantedFault& fault : all_faults()) {
    if (in_model + elsewhere >= enough && !every_fault) break;
    if (fault.in_model && !why_none.empty()) continue;
    const Report report = try_under(fault, property, kernel);
    if (report.kind != Report::Kind::fails) continue;
    ++(fault.in_model ? in_model : elsewhere);
    fmt::print("    {}: {}\n", fault.name, report.what);
  }
  if (!why_none.empty()) fmt::print("    no fault of the model breaks it: {}\n", why_none);
  const bool broken = in_model > 0 || (!why_none.empty() && elsewhere > 0);
  if (!broken) fmt::print("    {}\n", elsewhere > 0 ? "NO FAULT OF THE MODEL BREAKS IT"
                                                      : "NOTHING BREAKS IT");
  std::fflush(stdout);
  return broken && sound.kind == Report::Kind::holds;
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
      failed += one_row(property, argc > 1, kernel ? &*kernel : nullptr) ? 0 : 1;
    }
  }
  if (not_run > 0) {
    fmt::print(stderr, "NOT RUN: {} properties of the kernel: {}\n", not_run, kernel.error().what);
  }
  fmt::print("{} properties can't be shown to fail, or fail by themselves\n", failed);
  return failed == 0 ? 0 : 1;
}
