// SPDX-License-Identifier: Apache-2.0
// compare.cc: mounts are matched by namespace and name (view/mount_names.h), not by number. So a
// mount that only one side has is one difference, not one for every later mount:
//
//     namespace 1: mount /new: kernel shared 1, model private
//     namespace 1: mount /new/x: only the kernel has it (fs-2:/, slave of 1)
//     task B: current directory: kernel /new/x on /new, model /new/x on /
//
// Groups and filesystems have the name of their first mount; numbers are those of the kernel's
// side.
#include "check/compare/compare.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "view/mount_names.h"

namespace pivotcheck {
namespace {

// One side of the comparison.
struct Side {
  explicit Side(const Snapshot& of) : snapshot(of), name(names(of)) {}
  const Snapshot& snapshot;
  Names name;

  // "/new" or "namespace 2: /new", as seen from namespace `home`.
  [[nodiscard]] std::string mount(MountId id, std::size_t home) const {
    if (id == 0) return "nothing";
    const auto found = name.mounts.find(id);
    if (found == name.mounts.end()) return "unknown mount #" + std::to_string(id);
    const std::string prefix = "namespace " + std::to_string(home + 1) + ": ";
    return found->second.starts_with(prefix) ? found->second.substr(prefix.size()) : found->second;
  }
  // "1 (namespace 1: /a)": in brackets the name of the group, if that is another mount.
  [[nodiscard]] std::string group(std::uint64_t id, MountId self) const {
    const std::string& called = name.groups.at(id);
    const bool first = name.mounts.at(self) == called;
    return std::to_string(id) + (first ? "" : " (" + called + ")");
  }
  [[nodiscard]] std::string propagation(const MountView& mount) const {
    std::string words;
    const auto add = [&](std::string_view word, std::uint64_t id) {
      if (id != 0) words.append(words.empty() ? "" : ", ").append(word).append(group(id, mount.id));
    };
    add("shared ", mount.peer_group);
    add("slave of ", mount.master_group);
    add("receives from ", mount.receives_from);
    if (mount.unbindable) words.append(words.empty() ? "" : ", ").append("unbindable");
    return words.empty() ? "private" : words;
  }
  [[nodiscard]] std::string shown(const MountView& mount) const {
    const std::string& called = name.filesystems.at(mount.filesystem);
    const bool first = name.mounts.at(mount.id) == called;
    std::string words = quoted_if_needed(mount.root);
    if (mount.root_removed) words += " (removed)";
    return words + " of " + (first ? "its own filesystem" : "the filesystem of " + called);
  }
  [[nodiscard]] std::string location(const LocationView& where, std::size_t home) const {
    std::string words = quoted_if_needed(where.path);
    if (where.removed) words += " (removed)";
    return words + " on " +
           (where.detached ? "detached #" + std::to_string(where.mount) : mount(where.mount, home));
  }
};

class Comparison {
 public:
  Comparison(const Snapshot& kernel, const Snapshot& model) : kernel_(kernel), model_(model) {}

  std::vector<std::string> run() {
    compare_namespaces();
    compare_tasks();
    return std::move(lines_);
  }

 private:
  void note(const std::string& thing, std::string_view kernel, std::string_view model) {
    if (kernel == model) return;
    lines_.push_back(thing + ": kernel " + std::string(kernel) + ", model " + std::string(model));
  }

  void compare_namespaces() {
    const std::size_t kernel_count = kernel_.snapshot.namespaces.size();
    const std::size_t model_count = model_.snapshot.namespaces.size();
    note("mount namespaces", std::to_string(kernel_count), std::to_string(model_count));
    for (std::size_t i = 0; i < std::min(kernel_count, model_count); ++i) compare_mounts(i);
  }

  void compare_mounts(std::size_t index) {
    const std::vector<MountView>& kernel = kernel_.snapshot.namespaces[index].mounts;
    const std::vector<MountView>& model = model_.snapshot.namespaces[index].mounts;
    const std::vector<std::string> kernel_names = mount_names(kernel);
    const std::vector<std::string> model_names = mount_names(model);
    std::map<std::string_view, const MountView*> by_name;
    for (std::size_t i = 0; i < model.size(); ++i) by_name.emplace(model_names[i], &model[i]);
    for (std::size_t i = 0; i < kernel.size(); ++i) {
      const auto found = by_name.find(kernel_names[i]);
      if (found == by_name.end()) {
        note_lonely(index, kernel_names[i], kernel_, "kernel", kernel[i]);
      } else {
        compare_mount(index, kernel_names[i], kernel[i], *found->second);
        by_name.erase(found);
      }
    }
    for (std::size_t i = 0; i < model.size(); ++i) {
      if (by_name.contains(model_names[i])) {
        note_lonely(index, model_names[i], model_, "model", model[i]);
      }
    }
  }

  void note_lonely(std::size_t index, const std::string& place, const Side& side,
                   std::string_view side_name, const MountView& mount) {
    lines_.push_back(heading(index, place) + ": only the " + std::string(side_name) +
                     " has it (on " + side.mount(mount.parent, index) + ", shows " +
                     side.shown(mount) + ", " + side.propagation(mount) + ")");
  }

  static std::string heading(std::size_t index, const std::string& place) {
    return "namespace " + std::to_string(index + 1) + ": mount " + place;
  }

  void compare_mount(std::size_t index, const std::string& place, const MountView& kernel,
                     const MountView& model) {
    const std::string thing = heading(index, place);
    const auto flags = [](MountFlags set) { return set.empty() ? "none" : to_string(set); };
    const auto access = [](bool read_only) { return read_only ? "read-only" : "writable"; };
    note(thing + ": mounted on", kernel_.mount(kernel.parent, index),
         model_.mount(model.parent, index));
    note(thing + ": shows", kernel_.shown(kernel), model_.shown(model));
    note(thing + ": flags", flags(kernel.flags), flags(model.flags));
    note(thing + ": filesystem", access(kernel.filesystem_read_only),
         access(model.filesystem_read_only));
    note(thing, kernel_.propagation(kernel), model_.propagation(model));
  }

  // Tasks or handles, by name; `compare` is for those that both sides have.
  template <class Named>
  void compare_named(const std::string& thing, const std::vector<Named>& kernel,
                     const std::vector<Named>& model, auto compare) {
    std::map<std::string_view, const Named*> only_model;
    for (const Named& each : model) only_model.emplace(each.name, &each);
    for (const Named& each : kernel) {
      const auto found = only_model.find(each.name);
      if (found == only_model.end()) {
        lines_.push_back(thing + each.name + ": only the kernel has it");
        continue;
      }
      compare(each, *found->second);
      only_model.erase(found);
    }
    for (const auto& [name, each] : only_model) {
      lines_.push_back(thing + std::string(name) + ": only the model has it");
    }
  }

  void compare_tasks() {
    compare_named("task ", kernel_.snapshot.tasks, model_.snapshot.tasks,
                  [this](const auto& kernel, const auto& model) { compare_task(kernel, model); });
  }

  void compare_task(const TaskView& kernel, const TaskView& model) {
    const std::string thing = "task " + kernel.name + ": ";
    note(thing + "mount namespace", std::to_string(kernel.mount_namespace + 1),
         std::to_string(model.mount_namespace + 1));
    const auto compare = [&](const std::string& which, const LocationView& left,
                             const LocationView& right) {
      note(thing + which, kernel_.location(left, kernel.mount_namespace),
           model_.location(right, model.mount_namespace));
      if (left.object != right.object) {
        lines_.push_back(thing + which + ": another directory or file (of those in which tasks " +
                         "stand, kernel: no. " + std::to_string(left.object) + ", model: no. " +
                         std::to_string(right.object) + ")");
      }
    };
    compare("root", kernel.root, model.root);
    compare("current directory", kernel.current_directory, model.current_directory);
    compare_named(thing + "handle ", kernel.handles, model.handles,
                  [&](const HandleView& left, const HandleView& right) {
                    compare("handle " + left.name, left.location, right.location);
                  });
  }

  Side kernel_;
  Side model_;
  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> differences(const Snapshot& kernel, const Snapshot& model) {
  if (kernel == model) return {};
  const Snapshot renumbered = numbered_like(kernel, model);
  std::vector<std::string> lines = Comparison(kernel, renumbered).run();
  // Names show all that numbers show, so one of the snapshots is not canonical.
  if (lines.empty()) {
    lines.emplace_back("the same mounts, groups and tasks, but numbered or ordered differently");
  }
  return lines;
}

}  // namespace pivotcheck
