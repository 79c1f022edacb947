// SPDX-License-Identifier: Apache-2.0
// remedy.cc: which remedies there are for which refusal, and which of them are needed.
#include "explain/remedy.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "model/lookup.h"
#include "model/propagation.h"

namespace pivotcheck::explain {
namespace {

using model::Location;
using model::MountIndex;
using model::World;

// --- paths

// From `root` to `at`, by names only; nullopt where no names lead there.
std::optional<std::string> names_to(const World& world, Location at, Location root) {
  std::string path;
  while (at != root) {
    const model::Mount& mount = world[at.mount];
    if (at.dentry == mount.root) {
      if (!mount.parent.exists()) return std::nullopt;
      at = {mount.parent, mount.mount_point};
      continue;
    }
    const model::Dentry& dentry = world[at.dentry];
    if (dentry.parent == at.dentry || dentry.removed) return std::nullopt;
    path.insert(0, "/" + dentry.name);
    at.dentry = dentry.parent;
  }
  return path.empty() ? "/" : path;
}

// A path by which the task reaches a mount; nullopt if there is none, as where it is covered.
std::optional<std::string> path_to(Hypothesis& hypothesis, MountIndex mount) {
  World& world = hypothesis.world;
  const model::Task& task = task_of(hypothesis);
  const Location at{mount, world[mount].root};
  const auto leads_there = [&](const std::string& path) {
    const auto found = model::look_up(world, task, Path(path));
    return !found.refused && found.at == at;
  };
  auto path = names_to(world, at, task.root);
  if (path && leads_there(*path)) return path;
  return leads_there("/..") ? std::optional<std::string>("/..") : std::nullopt;
}

std::string joined(const std::string& directory, std::string_view name) {
  return directory + (directory.ends_with('/') ? "" : "/") + std::string(name);
}

// --- single commands

Remedy with_op(std::string text, Op op) {
  return {.text = std::move(text),
          .perform = [op = std::move(op)](Hypothesis& h) { return perform(h, op); }};
}

Remedy make_private(const std::string& path, bool recursive) {
  Remedy remedy =
      with_op(fmt::format("mount --make-{}private {}", recursive ? "r" : "", shell_path(path)),
              ChangePropagation{.path = path, .to = Propagation::private_, .recursive = recursive});
  remedy.movable = true;
  return remedy;
}

Remedy bind_to_itself(const std::string& path, const Path& model_path, bool recursive) {
  const std::string word = shell_path(path);
  return with_op(fmt::format("mount --{}bind {} {}", recursive ? "r" : "", word, word),
                 Bind{.source = model_path, .target = model_path, .recursive = recursive});
}

// The process's root becomes a mount of its own, on top of what it was.
Remedies new_root_over_own(Hypothesis& hypothesis) {
  Remedies remedies;
  const World& world = hypothesis.world;
  const model::Task& task = task_of(hypothesis);
  if (world.is_shared(task.root.mount) && world.is_mount_root(task.root)) {
    remedies.push_back(make_private("/", false));
  }
  remedies.push_back(bind_to_itself("/", Path("/"), true));
  // chroot(8) changes to "/"; relative arguments need the directory from before.
  const std::string directory = names_to(world, task.current_directory, task.root).value_or("/");
  remedies.push_back({.text = "chroot /.. sh -c",
                      .perform =
                          [directory](Hypothesis& h) {
                            return perform(h, Chroot{"/.."}) && perform(h, Chdir{"/"}) &&
                                   perform(h, Chdir{directory});
                          },
                      .changes_process = true,
                      .inside_first = directory == "/" ? "" : "cd " + shell_path(directory)});
  return remedies;
}

// Makes one mount private; where no path leads to it, all mounts below one above it.
Remedies unshare_mount(Hypothesis& hypothesis, const ProcessView& process, MountIndex mount) {
  const World& world = hypothesis.world;
  for (MountIndex at = mount; at.exists(); at = world[at].parent) {
    if (const auto path = path_to(hypothesis, at)) return {make_private(*path, at != mount)};
  }
  // It is outside of the process's root, but a path from the namespace's root may be known.
  // Offline, the text is that of the namespace's root, whatever the process's root is.
  const auto entry =
      std::ranges::find(hypothesis.mounts, mount, &std::pair<const MountId, MountIndex>::second);
  const MountId id = entry == hypothesis.mounts.end() ? 0 : entry->first;
  const SeenMount* seen = find_mount(process.offline ? process.mounts : process.elsewhere, id);
  if (seen != nullptr && (process.all_is_seen || process.offline)) {
    const auto perform = [id](Hypothesis& h) {
      const auto found = h.mounts.find(id);
      if (found == h.mounts.end()) return false;
      change_propagation(h.world, found->second, Propagation::private_);
      return true;
    };
    return {{.text = "mount --make-private " + shell_path(seen->mount.mount_point),
             .perform = perform,
             .at_namespace_root = true,
             .movable = true}};
  }
  // Or the process takes another root, with all it needs below it.
  const Location root = task_of(hypothesis).root;
  if (world.is_mount_root(root) && mount != world[root.mount].parent) return {};
  return new_root_over_own(hypothesis);
}

Remedies make_directories(const ResolvedPath& resolved, const Path& path) {
  if (resolved.dangling || path.text.empty()) return {};
  const auto make = [path](Hypothesis& h) {
    for (std::size_t end = 1; end <= path.text.size(); ++end) {
      if (end != path.text.size() && path.text[end] != '/') continue;
      Path part = path;  // with its handle's slot
      part.text.resize(end);
      const auto there = model::look_up(h.world, task_of(h), part);
      if (there.refused && !perform(h, Mkdir{part})) return false;
    }
    return true;
  };
  return {{.text = "mkdir -p " + shell_path(resolved.asked), .perform = make}};
}

// Makes new_root a mount of its own.
Remedies bind_new_root(Hypothesis& hypothesis, const ProcessView& process) {
  const auto at = new_root_in(hypothesis);
  if (!at) return {};
  const World& world = hypothesis.world;
  const std::string& asked = hypothesis.resolved_new_root.asked;
  Remedies remedies;
  if (world[at->mount].unbindable) {
    remedies = unshare_mount(hypothesis, process, at->mount);
    if (remedies.empty()) return {};
  }
  const bool holds_mounts = std::ranges::any_of(world[at->mount].children, [&](MountIndex child) {
    return world.is_below_or_at(world[child].mount_point, at->dentry);
  });
  const bool may_hold_locked = !process.offline && process.new_root.locked.value_or(true);
  const bool recursive =
      holds_mounts || !process.machine_owns || may_hold_locked || !process.may_mount;
  remedies.push_back(bind_to_itself(asked, hypothesis.new_root, recursive));
  // A process whose current directory is new_root is still below the new mount.
  const model::Task& task = task_of(hypothesis);
  if (task.current_directory != *at || asked.starts_with('/')) return remedies;
  const auto path = names_to(world, *at, task.root);
  if (!path) return {};
  Remedy enter = with_op("cd \"$PWD\"", Chdir{*path});
  if (process.pid != 0) {
    enter.text = "sh -c";
    enter.changes_process = true;
    enter.inside_first = "cd " + shell_path(*path);
  }
  remedies.push_back(std::move(enter));
  return remedies;
}

// Another put_old for the call: a directory in new_root, or new_root itself if that is read-only.
Remedies other_put_old(Hypothesis& hypothesis) {
  static constexpr std::string_view name = ".put_old";
  const auto at = new_root_in(hypothesis);
  if (!at) return {};
  const bool writable = !model::is_read_only(hypothesis.world, at->mount);
  const std::string& asked = hypothesis.resolved_new_root.asked;
  Path put_old = hypothesis.new_root;
  if (writable) put_old.text = joined(put_old.text, name);
  const std::string text = writable ? joined(asked, name) : asked;
  const auto make = [=](Hypothesis& h) {
    h.resolved_put_old = {};
    h.resolved_put_old.asked = text;
    h.resolved_put_old.mount = 1;
    h.put_old = put_old;
    return !writable || !model::look_up(h.world, task_of(h), put_old).refused ||
           perform(h, Mkdir{put_old});
  };
  return {{.text = writable ? "mkdir -p " + shell_path(text) : "",
           .perform = make,
           .new_put_old = text}};
}

// unshare(1) makes all mounts private in the new namespace, if its root is a mount.
Remedies own_namespace(Hypothesis& hypothesis, const ProcessView& process) {
  const model::Task& task = task_of(hypothesis);
  const bool has_power = process.capabilities.has(Capability::sys_admin);
  if (!has_power && !process.no_user_namespace.empty()) return {};
  const bool root_is_mount = hypothesis.world.is_mount_root(task.root);
  const bool was_rootfs = hypothesis.rootfs.exists() && task.root.mount == hypothesis.rootfs;
  const auto enter = [=](Hypothesis& h) {
    NamespaceKinds kinds{NamespaceKind::mnt};
    if (!has_power) kinds.set(NamespaceKind::user);
    if (!perform(h, Unshare{kinds})) return false;
    if (was_rootfs) h.rootfs = task_of(h).root.mount;
    return !root_is_mount || perform(h, ChangePropagation{"/", Propagation::private_, true});
  };
  return {
      {.text = fmt::format("unshare {}--mount{} sh -c", has_power ? "" : "--user --map-root-user ",
                           root_is_mount ? "" : " --propagation unchanged"),
       .perform = enter,
       .changes_process = true}};
}

// The remedies of one refusal in this world, in order; empty: there is none.
Remedies remedies_for(Reason reason, Hypothesis& hypothesis, const ProcessView& process) {
  const World& world = hypothesis.world;
  switch (reason->fix) {
    case Fix::none: return {};
    case Fix::own_namespace: return own_namespace(hypothesis, process);
    case Fix::mount_root: return new_root_over_own(hypothesis);
    case Fix::make_root_parent_private:
      return unshare_mount(hypothesis, process, world[task_of(hypothesis).root.mount].parent);
    case Fix::make_put_old_mount_private: {
      const auto at = put_old_in(hypothesis);
      return at ? unshare_mount(hypothesis, process, at->mount) : Remedies{};
    }
    case Fix::make_new_root_parent_private: {
      const auto at = new_root_in(hypothesis);
      return at ? unshare_mount(hypothesis, process, world[at->mount].parent) : Remedies{};
    }
    case Fix::bind_new_root: return bind_new_root(hypothesis, process);
    case Fix::make_directory: {
      if (!new_root_in(hypothesis)) {
        return make_directories(hypothesis.resolved_new_root, hypothesis.new_root);
      }
      Remedies made = make_directories(hypothesis.resolved_put_old, hypothesis.put_old);
      Hypothesis trial = hypothesis;
      if (!made.empty() && made.front().perform(trial)) return made;
      return other_put_old(hypothesis);
    }
    case Fix::other_put_old: return other_put_old(hypothesis);
  }
  return {};
}

// --- the plan

constexpr int rounds_max = 16;  // more than there are rules that a remedy can lead to

struct Planner {
  const ProcessView& process;
  const std::vector<Assumption>& assumptions;
  Answer& answer;
  Remedies remedies{};

  static bool perform_all(const Remedies& all, Hypothesis& hypothesis) {
    return std::ranges::all_of(all,
                               [&](const Remedy& remedy) { return remedy.perform(hypothesis); });
  }

  // Adds remedies until pivot_root succeeds under this assumption; false if nothing helps.
  bool extend(const Assumption& assumption) {
    Hypothesis hypothesis = build_world(process, assumption);
    if (!perform_all(remedies, hypothesis)) return false;
    Reason first = nullptr;
    for (int round = 0; round < rounds_max; ++round) {
      Hypothesis trial = hypothesis;
      const Reason reason = evaluate(trial).reason;
      if (reason == nullptr) return true;
      if (first == nullptr) first = reason;
      const bool is_new = reason != first && std::ranges::count(answer.further, reason) == 0;
      if (is_new && &assumption == &assumptions.front()) answer.further.push_back(reason);
      answer.no_fix_for = reason;
      const Remedies next = remedies_for(reason, hypothesis, process);
      if (next.empty() || !perform_all(next, hypothesis)) return false;
      remedies.insert(remedies.end(), next.begin(), next.end());
    }
    return false;
  }

  // Takes this list instead if it helps under each assumption as well.
  bool replace(Remedies other) {
    const bool helps = std::ranges::all_of(assumptions, [&](const Assumption& assumption) {
      Hypothesis hypothesis = build_world(process, assumption);
      return perform_all(other, hypothesis) && evaluate(hypothesis).reason == nullptr;
    });
    if (helps) remedies = std::move(other);
    return helps;
  }

  void move_private_first() {
    for (std::ptrdiff_t i = 1; i < std::ssize(remedies); ++i) {
      if (!remedies[static_cast<std::size_t>(i)].movable) continue;
      for (std::ptrdiff_t place = 0; place < i; ++place) {
        Remedies other = remedies;
        std::rotate(other.begin() + place, other.begin() + i, other.begin() + i + 1);
        if (replace(std::move(other))) break;
      }
    }
  }

  void drop_needless() {
    for (std::ptrdiff_t i = std::ssize(remedies); i-- > 0;) {
      Remedies other = remedies;
      other.erase(other.begin() + i);
      replace(std::move(other));
    }
  }
};

}  // namespace

Remedies suggest_fixes(const ProcessView& process, const std::vector<Assumption>& assumptions,
                       Answer& answer) {
  Planner planner{process, assumptions, answer};
  for (const Assumption& assumption : assumptions) {
    if (!planner.extend(assumption)) return {};
  }
  answer.no_fix_for = nullptr;
  planner.move_private_first();
  planner.drop_needless();
  return std::move(planner.remedies);
}

}  // namespace pivotcheck::explain
