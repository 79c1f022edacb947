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
#include <string_view>

#include <fmt/format.h>

#include "view/mount_names.h"

namespace pivotcheck {
namespace {

// One value of a thing: both sides have the same facts of it, in the same order.
struct Fact {
  std::string what;  // ": mounted on"
  std::string value;
  bool is_object = false;  // a number that stands for a directory or file
};

// A mount, a task, or a handle.
struct Thing {
  std::string name;   // "namespace 1: mount /new"
  std::string shown;  // where only one side has it
  std::vector<Fact> facts;
  std::vector<Thing> parts;
};

// One side of the comparison.
class Side {
 public:
  explicit Side(const Snapshot& of) : snapshot_(of), name_(names(of)) {}

  [[nodiscard]] std::vector<Thing> mounts(std::size_t index) const {
    const std::vector<MountView>& mounts = snapshot_.namespaces[index].mounts;
    const std::vector<std::string> called = mount_names(mounts);
    std::vector<Thing> things;
    for (std::size_t i = 0; i < mounts.size(); ++i) {
      const MountView& each = mounts[i];
      const std::string on = mount(each.parent, index);
      const std::string shows = shown(each);
      const std::string words = propagation(each);
      things.push_back(
          {.name = fmt::format("namespace {}: mount {}", index + 1, called[i]),
           .shown = fmt::format(" (on {}, shows {}, {})", on, shows, words),
           .facts = {{": mounted on", on},
                     {": shows", shows},
                     {": flags", each.flags.empty() ? "none" : to_string(each.flags)},
                     {": filesystem", each.filesystem_read_only ? "read-only" : "writable"},
                     {"", words}},
           .parts = {}});
    }
    return things;
  }

  [[nodiscard]] std::vector<Thing> tasks() const {
    std::vector<Thing> things;
    for (const TaskView& task : snapshot_.tasks) {
      const std::size_t home = task.mount_namespace;
      Thing& thing = things.emplace_back();
      thing.name = "task " + task.name;
      thing.facts.push_back({": mount namespace", std::to_string(home + 1)});
      add_location(thing, ": root", task.root, home);
      add_location(thing, ": current directory", task.current_directory, home);
      for (const HandleView& handle : task.handles) {
        Thing& part = thing.parts.emplace_back();
        part.name = thing.name + ": handle " + handle.name;
        add_location(part, "", handle.location, home);
      }
    }
    return things;
  }

 private:
  // "/new" or "namespace 2: /new", as seen from namespace `home`.
  [[nodiscard]] std::string mount(MountId id, std::size_t home) const {
    if (id == 0) return "nothing";
    const auto found = name_.mounts.find(id);
    if (found == name_.mounts.end()) return "unknown mount #" + std::to_string(id);
    const std::string prefix = "namespace " + std::to_string(home + 1) + ": ";
    return found->second.starts_with(prefix) ? found->second.substr(prefix.size()) : found->second;
  }
  // "1 (namespace 1: /a)": in brackets the name of the group, if that is another mount.
  [[nodiscard]] std::string group(std::uint64_t id, MountId self) const {
    const std::string& called = name_.groups.at(id);
    const bool first = name_.mounts.at(self) == called;
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
    const std::string& called = name_.filesystems.at(mount.filesystem);
    const bool first = name_.mounts.at(mount.id) == called;
    return quoted_if_needed(mount.root) + (mount.root_removed ? " (removed)" : "") + " of " +
           (first ? "its own filesystem" : "the filesystem of " + called);
  }
  void add_location(Thing& to, const std::string& what, const LocationView& at,
                    std::size_t home) const {
    const std::string on =
        at.detached ? "detached #" + std::to_string(at.mount) : mount(at.mount, home);
    to.facts.push_back(
        {what, quoted_if_needed(at.path) + (at.removed ? " (removed)" : "") + " on " + on});
    to.facts.push_back({what, std::to_string(at.object), true});
  }

  const Snapshot& snapshot_;
  Names name_;
};

const Thing* find(const std::vector<Thing>& things, const std::string& name) {
  const auto found = std::ranges::find(things, name, &Thing::name);
  return found == things.end() ? nullptr : &*found;
}

void compare(const std::vector<Thing>& kernel, const std::vector<Thing>& model,
             std::vector<std::string>& lines) {
  for (const Thing& one : kernel) {
    const Thing* other = find(model, one.name);
    if (other == nullptr) {
      lines.push_back(one.name + ": only the kernel has it" + one.shown);
      continue;
    }
    for (std::size_t i = 0; i < one.facts.size(); ++i) {
      const auto& [what, value, is_object] = one.facts[i];
      const std::string& model_value = other->facts[i].value;
      if (value == model_value) continue;
      lines.push_back(
          is_object ? fmt::format("{}{}: another directory or file (of those in which tasks stand, "
                                  "kernel: no. {}, model: no. {})",
                                  one.name, what, value, model_value)
                    : fmt::format("{}{}: kernel {}, model {}", one.name, what, value, model_value));
    }
    compare(one.parts, other->parts, lines);
  }
  for (const Thing& one : model) {
    if (find(kernel, one.name) == nullptr) {
      lines.push_back(one.name + ": only the model has it" + one.shown);
    }
  }
}

}  // namespace

std::vector<std::string> differences(const Snapshot& kernel, const Snapshot& model) {
  if (kernel == model) return {};
  const Snapshot renumbered = numbered_like(kernel, model);
  const Side kernel_side(kernel);
  const Side model_side(renumbered);
  std::vector<std::string> lines;
  const std::size_t kernel_count = kernel.namespaces.size();
  const std::size_t model_count = renumbered.namespaces.size();
  if (kernel_count != model_count) {
    lines.push_back(
        fmt::format("mount namespaces: kernel {}, model {}", kernel_count, model_count));
  }
  for (std::size_t i = 0; i < std::min(kernel_count, model_count); ++i) {
    compare(kernel_side.mounts(i), model_side.mounts(i), lines);
  }
  compare(kernel_side.tasks(), model_side.tasks(), lines);
  // Names show all that numbers show, so one of the snapshots is not canonical.
  if (lines.empty()) {
    lines.emplace_back("the same mounts, groups and tasks, but numbered or ordered differently");
  }
  return lines;
}

}  // namespace pivotcheck
