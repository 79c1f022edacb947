// SPDX-License-Identifier: Apache-2.0
// remedy.cc: see remedy.h. A plan is made of the fixes one after the other, each tried in the model;
// then what makes mounts private is moved in front of what makes new ones (which would otherwise
// appear in every peer of their parent), and what turns out not to be needed is left out. Whatever
// is printed was performed in the model, in its final order, in each possible world, and pivot_root
// succeeded.
#include "explain/remedy.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <ranges>

#include <fmt/format.h>

#include "model/lookup.h"
#include "model/propagation.h"

namespace pivotcheck::explain {
namespace {

using model::Location;
using model::MountIndex;
using model::World;

constexpr int rounds_max = 16;  // there are fewer rules than that

// The Unicode Standard, table 3-7: which bytes may follow each other.
bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text.front());
    const std::size_t size = first < 0x80                    ? 1
                             : first >= 0xc2 && first < 0xe0 ? 2
                             : first >= 0xe0 && first < 0xf0 ? 3
                             : first >= 0xf0 && first < 0xf5 ? 4
                                                             : 0;
    if (size == 0 || size > text.size()) return false;
    const unsigned char lowest = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const unsigned char highest = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    const auto second = static_cast<unsigned char>(size > 1 ? text[1] : lowest);
    if (second < lowest || second > highest) return false;
    for (const char c : text.substr(1, size - 1)) {
      if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) return false;
    }
    text.remove_prefix(size);
  }
  return true;
}

// "$(printf '\351t\351')"
std::string printed(const std::string& word) {
  std::string text;
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    text += std::isalnum(byte) != 0 || c == '/' ? std::string(1, c) : fmt::format("\\{:03o}", byte);
  }
  return "\"$(printf '" + text + "')\"";
}

// An argument of a command: a path that begins with '-' is no option.
std::string argument(const std::string& path) {
  return shell_word(path.starts_with('-') ? "./" + path : path);
}

// --- names of places

std::optional<std::string> climb(const World& world, Location at, Location root) {
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

// A path by which the task comes to a place; nullopt if there is none, as where it is covered.
std::optional<std::string> path_to(Hypothesis& hypothesis, Location at) {
  World& world = hypothesis.world;
  const model::Task& task = task_of(hypothesis);
  const auto leads_there = [&](const std::string& path) {
    const auto found = model::look_up(world, task, Path(path));
    return found.refused == Rule::none && found.at == at;
  };
  const auto climbed = climb(world, at, task.root);
  if (climbed && leads_there(*climbed)) return climbed;
  if (leads_there("/..")) return "/..";
  return std::nullopt;
}

Location root_of(const World& world, MountIndex mount) { return {mount, world[mount].root}; }

// --- commands

Remedy with_op(std::string text, Op op) {
  Remedy command;
  command.text = std::move(text);
  command.perform = [op = std::move(op)](Hypothesis& hypothesis) {
    return perform(hypothesis, op);
  };
  return command;
}

Remedy make_private(const std::string& path, bool recursive) {
  Remedy command =
      with_op(fmt::format("mount --make-{}private {}", recursive ? "r" : "", argument(path)),
              ChangePropagation{.path = path, .to = Propagation::private_, .recursive = recursive});
  command.movable = true;
  return command;
}

Remedy bind_to_itself(const std::string& source, const Path& model_path, bool recursive) {
  return with_op(fmt::format("mount --{} {} {}", recursive ? "rbind" : "bind", argument(source),
                             argument(source)),
                 Bind{.source = model_path, .target = model_path, .recursive = recursive});
}

// The task's root becomes a mount of its own, on top of what it was.
std::vector<Remedy> new_root_over_own(const Hypothesis& hypothesis) {
  std::vector<Remedy> commands;
  const MountIndex mount = hypothesis.world.tasks.front().root.mount;
  if (hypothesis.world.is_shared(mount) &&
      hypothesis.world.is_mount_root(hypothesis.world.tasks.front().root)) {
    commands.push_back(make_private("/", false));
  }
  commands.push_back(bind_to_itself("/", Path("/"), true));
  // chroot(8) goes to the new root's "/"; relative arguments want to start from where they were.
  const auto standing = climb(hypothesis.world, hypothesis.world.tasks.front().current_directory,
                              hypothesis.world.tasks.front().root);
  const std::string back = standing ? *standing : "/";
  Remedy enter;
  enter.text = "chroot /.. sh -c";
  enter.changes_process = true;
  if (back != "/") enter.inside_first = "cd " + argument(back);
  enter.perform = [back](Hypothesis& b) {
    return perform(b, Chroot{"/.."}) && perform(b, Chdir{"/"}) && perform(b, Chdir{back});
  };
  commands.push_back(std::move(enter));
  return commands;
}

// One mount is to be private. Where no path leads to it, all below a mount above it.
std::vector<Remedy> unshare_mount(Hypothesis& hypothesis, const ProcessView& process,
                                  MountIndex mount) {
  World& world = hypothesis.world;
  for (MountIndex at = mount; at.exists(); at = world[at].parent) {
    if (const auto path = path_to(hypothesis, root_of(world, at))) {
      return {make_private(*path, at != mount)};
    }
  }
  // It lies outside of the root. Somebody at the namespace's root may know its path there.
  const auto id =
      std::ranges::find(hypothesis.mounts, mount, &std::pair<const MountId, MountIndex>::second);
  const MountId wanted = id == hypothesis.mounts.end() ? 0 : id->first;
  // Offline, the text is that of the namespace's root, wherever the process is.
  const auto& views = process.offline ? process.mounts : process.elsewhere;
  const auto seen =
      std::ranges::find(views, wanted, [](const SeenMount& m) { return m.line.mount.id; });
  if (seen != views.end() && (process.all_is_seen || process.offline)) {
    Remedy command;
    command.text = "mount --make-private " + argument(seen->line.mount.mount_point);
    command.outside_root = true;
    command.movable = true;
    command.perform = [wanted](Hypothesis& b) {
      const auto found = b.mounts.find(wanted);
      if (found == b.mounts.end()) return false;
      change_propagation(b.world, found->second, Propagation::private_);
      return true;
    };
    return {command};
  }
  // Or the process takes another root, on which it has all it needs.
  return hypothesis.world.is_mount_root(task_of(hypothesis).root) &&
                 mount != world[task_of(hypothesis).root.mount].parent
             ? std::vector<Remedy>{}
             : new_root_over_own(hypothesis);
}

std::vector<Remedy> make_directories(const Place& place, const Path& path) {
  if (place.dangling || path.text.empty()) return {};
  Remedy command;
  command.text = "mkdir -p " + argument(place.asked);
  command.perform = [path](Hypothesis& hypothesis) {
    for (std::size_t end = 1; end <= path.text.size(); ++end) {
      if (end != path.text.size() && path.text[end] != '/') continue;
      const Path part(path.handle, path.text.substr(0, end));
      const auto there = model::look_up(hypothesis.world, task_of(hypothesis), part);
      if (there.refused == Rule::none) continue;
      if (!perform(hypothesis, Mkdir{part})) return false;
    }
    return true;
  };
  return {command};
}

// new_root becomes a mount of its own.
std::vector<Remedy> bind_new_root(Hypothesis& hypothesis, const ProcessView& process) {
  const auto at = new_root_in(hypothesis);
  if (!at) return {};
  World& world = hypothesis.world;
  std::vector<Remedy> commands;
  if (world[at->mount].unbindable) {
    commands = unshare_mount(hypothesis, process, at->mount);
    if (commands.empty()) return {};
  }
  const bool holds_mounts = std::ranges::any_of(world[at->mount].children, [&](MountIndex child) {
    return world.is_below_or_at(world[child].mount_point, at->dentry);
  });
  const bool recursive =
      holds_mounts || !process.machine_owns || process.may_be_copy || !process.may_mount;
  commands.push_back(
      bind_to_itself(hypothesis.new_root_place.asked, hypothesis.new_root, recursive));
  // Who stands in the directory itself still stands below the new mount.
  const bool stands_there = task_of(hypothesis).current_directory == *at &&
                            !hypothesis.new_root_place.asked.starts_with('/');
  if (!stands_there) return commands;
  const auto path = climb(world, *at, task_of(hypothesis).root);
  if (!path) return {};
  Remedy enter = with_op("cd \"$PWD\"", Chdir{*path});
  if (process.pid != 0) {
    enter.text = "sh -c";
    enter.changes_process = true;
    enter.inside_first = "cd " + argument(*path);
  }
  commands.push_back(std::move(enter));
  return commands;
}

std::string joined(const std::string& directory, std::string_view name) {
  return directory.ends_with('/') ? directory + std::string(name)
                                  : directory + "/" + std::string(name);
}

// The call needs another put_old: a directory in new_root, or new_root itself where none can be
// made.
std::vector<Remedy> other_put_old(Hypothesis& hypothesis) {
  static constexpr std::string_view name = ".put_old";
  const auto at = new_root_in(hypothesis);
  if (!at) return {};
  const bool writable = !model::is_read_only(hypothesis.world, at->mount);
  const std::string asked = hypothesis.new_root_place.asked;
  const Path model_path = hypothesis.new_root;
  Remedy command;
  command.new_put_old = writable ? joined(asked, name) : asked;
  command.text = writable ? "mkdir -p " + argument(command.new_put_old) : "";
  command.perform = [=](Hypothesis& b) {
    b.put_old_place = {};
    b.put_old_place.asked = writable ? joined(asked, name) : asked;
    b.put_old_place.mount = 1;
    b.put_old = model_path;
    if (!writable) return true;
    b.put_old.text = joined(model_path.text, name);
    const auto there = model::look_up(b.world, task_of(b), b.put_old);
    return there.refused == Rule::none || perform(b, Mkdir{b.put_old});
  };
  return {command};
}

// unshare(1) makes all mounts private in the new namespace, where its root allows it.
std::vector<Remedy> own_namespace(const Hypothesis& hypothesis, const ProcessView& process) {
  const model::Task& task = hypothesis.world.tasks.front();
  const bool has_power = process.capabilities.has(Capability::sys_admin);
  const bool root_is_mount = hypothesis.world.is_mount_root(task.root);
  const bool was_rootfs = hypothesis.rootfs.exists() && task.root.mount == hypothesis.rootfs;
  Remedy command;
  command.text =
      fmt::format("unshare {}--mount{} sh -c", has_power ? "" : "--user --map-root-user ",
                  root_is_mount ? "" : " --propagation unchanged");
  command.changes_process = true;
  command.perform = [=](Hypothesis& b) {
    NamespaceKinds kinds{NamespaceKind::mnt};
    if (!has_power) kinds.set(NamespaceKind::user);
    if (!perform(b, Unshare{kinds})) return false;
    if (was_rootfs) b.rootfs = task_of(b).root.mount;
    return !root_is_mount ||
           perform(b,
                   ChangePropagation{.path = "/", .to = Propagation::private_, .recursive = true});
  };
  return {command};
}

bool is_about_put_old(Reason reason, Hypothesis& hypothesis) {
  switch (reason->rule) {
    case Rule::put_old_gone:
    case Rule::put_old_on_root_mount:
    case Rule::put_old_not_under_new_root: return true;
    default: return reason->syscall == "*path*" && new_root_in(hypothesis).has_value();
  }
}

}  // namespace

std::string shell_word(const std::string& word) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("/._-+=:,@%").contains(c);
  };
  if (!word.empty() && std::ranges::all_of(word, plain)) return word;
  const bool odd = !is_utf8(word) || std::ranges::any_of(word, [](char c) {
    return std::iscntrl(static_cast<unsigned char>(c)) != 0;
  });
  if (odd && !word.ends_with('\n')) return printed(word);  // $(...) takes line breaks off the end
  std::string result = "'";
  for (const char c : word) {
    if (c == '\'') {
      result += "'\\''";
    } else {
      result += c;
    }
  }
  return result + "'";
}

std::vector<Remedy> remedies_for(Reason reason, Hypothesis& hypothesis,
                                 const ProcessView& process) {
  if (reason == &root_is_rootfs) return new_root_over_own(hypothesis);
  const auto parent_of = [&](MountIndex mount) { return hypothesis.world[mount].parent; };
  switch (reason->rule) {
    case Rule::pivot_no_capability: return own_namespace(hypothesis, process);
    case Rule::root_not_mount_point: return new_root_over_own(hypothesis);
    case Rule::root_parent_shared:
      return unshare_mount(hypothesis, process, parent_of(task_of(hypothesis).root.mount));
    case Rule::put_old_mount_shared:
      if (const auto at = put_old_in(hypothesis))
        return unshare_mount(hypothesis, process, at->mount);
      return {};
    case Rule::new_root_parent_shared:
      if (const auto at = new_root_in(hypothesis)) {
        return unshare_mount(hypothesis, process, parent_of(at->mount));
      }
      return {};
    case Rule::new_root_locked:
    case Rule::new_root_on_root_mount:
    case Rule::new_root_not_mount_point: return bind_new_root(hypothesis, process);
    case Rule::name_missing:
      if (!new_root_in(hypothesis))
        return make_directories(hypothesis.new_root_place, hypothesis.new_root);
      if (auto made = make_directories(hypothesis.put_old_place, hypothesis.put_old);
          !made.empty()) {
        Hypothesis trial = hypothesis;
        if (made.front().perform(trial)) return made;
      }
      return other_put_old(hypothesis);
    default:
      return is_about_put_old(reason, hypothesis) ? other_put_old(hypothesis)
                                                  : std::vector<Remedy>{};
  }
}

namespace {

// Performs a plan in one possible world, and says whether pivot_root succeeds behind it.
bool works(const ProcessView& process, const Assumption& assumption,
           const std::vector<Remedy>& commands) {
  Hypothesis hypothesis = build_world(process, assumption);
  for (const Remedy& command : commands) {
    if (!command.perform(hypothesis)) return false;
  }
  return evaluate(hypothesis).reason == nullptr;
}

bool works_in_all(const ProcessView& process, const std::vector<Assumption>& assumptions,
                  const std::vector<Remedy>& commands) {
  return std::ranges::all_of(assumptions, [&](const Assumption& assumption) {
    return works(process, assumption, commands);
  });
}

// Private first, and nothing that is not needed.
void tidy(const ProcessView& process, const std::vector<Assumption>& assumptions,
          std::vector<Remedy>& commands) {
  for (std::size_t i = 1; i < commands.size(); ++i) {
    if (!commands[i].movable) continue;
    for (std::size_t place = 0; place < i; ++place) {
      std::vector<Remedy> other = commands;
      std::rotate(other.begin() + static_cast<std::ptrdiff_t>(place),
                  other.begin() + static_cast<std::ptrdiff_t>(i),
                  other.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      if (!works_in_all(process, assumptions, other)) continue;
      commands = std::move(other);
      break;
    }
  }
  for (std::size_t i = commands.size(); i-- > 0;) {
    std::vector<Remedy> other = commands;
    other.erase(other.begin() + static_cast<std::ptrdiff_t>(i));
    if (works_in_all(process, assumptions, other)) commands = std::move(other);
  }
}

// Mends one world until pivot_root succeeds there; false if nothing does.
bool extend(const ProcessView& process, Hypothesis hypothesis, bool tell_further,
            RemedyPlan& plan) {
  for (const Remedy& command : plan.commands) {
    if (!command.perform(hypothesis)) return false;
  }
  Reason first = nullptr;
  for (int round = 0; round < rounds_max; ++round) {
    Hypothesis trial = hypothesis;
    const Reason reason = evaluate(trial).reason;
    if (reason == nullptr) return true;
    first = first == nullptr ? reason : first;
    if (tell_further && reason != first &&
        std::ranges::find(plan.further, reason) == plan.further.end()) {
      plan.further.push_back(reason);
    }
    plan.no_fix_for = reason;
    const std::vector<Remedy> next = remedies_for(reason, hypothesis, process);
    if (next.empty()) return false;
    for (const Remedy& command : next) {
      if (!command.perform(hypothesis)) return false;
      plan.commands.push_back(command);
    }
  }
  return false;
}

}  // namespace

RemedyPlan suggest_fixes(const ProcessView& process, const std::vector<Assumption>& assumptions) {
  RemedyPlan plan;
  for (std::size_t i = 0; i < assumptions.size(); ++i) {
    if (!extend(process, build_world(process, assumptions[i]), i == 0, plan)) {
      plan.commands.clear();
      return plan;
    }
  }
  plan.no_fix_for = nullptr;
  tidy(process, assumptions, plan.commands);
  return plan;
}

namespace {

// How a command gets to where the process stands, or to the root of its mount namespace.
std::string entering(const ProcessView& process, bool outside_root) {
  std::string words = fmt::format("nsenter --target {} ", process.pid);
  if (process.needs_user_entry) words += "--user ";
  if (process.needs_user_entry && process.keeps_ids) words += "--preserve-credentials ";
  if (process.needs_mount_entry || outside_root) words += "--mount ";
  if (!outside_root) words += "--root --wd ";
  return words;
}

}  // namespace

std::vector<std::string> shell_lines(const RemedyPlan& plan, const ProcessView& process) {
  struct Line {
    std::string text;
    bool outside_root;
  };
  static const std::string to_own_root = "nsenter --mount=/proc/self/ns/mnt ";
  std::string put_old = process.put_old.asked;
  bool makes_call = false;
  for (const Remedy& command : plan.commands) {
    if (!command.new_put_old.empty()) put_old = command.new_put_old;
    makes_call = makes_call || command.changes_process || !command.new_put_old.empty();
  }
  std::vector<Line> lines;  // from the innermost script outwards
  if (makes_call) {
    lines.push_back(
        {fmt::format("pivot_root {} {}", argument(process.new_root.asked), argument(put_old)),
         false});
  }
  for (const Remedy& command : plan.commands | std::views::reverse) {
    if (!command.changes_process) {
      if (!command.text.empty()) {
        lines.insert(lines.begin(), {command.text, command.outside_root});
      }
      continue;
    }
    std::string inside = command.inside_first;
    for (const Line& line : lines) {
      inside += (inside.empty() ? "" : " && ") + (line.outside_root ? to_own_root : "") + line.text;
    }
    lines = {{command.text + " " + shell_word(inside), false}};
  }
  std::vector<std::string> result;
  for (const Line& line : lines) {
    const std::string own = line.outside_root ? to_own_root : "";
    result.push_back((process.pid == 0 ? own : entering(process, line.outside_root)) + line.text);
  }
  return result;
}

std::string advice(Reason reason) {
  if (reason == &root_is_rootfs) {
    return "On an initramfs, programs do not pivot: they mount the new root, cd to it, move it to "
           "/ "
           "(mount --move . /) and chroot . (switch_root does it). Or make / a mount of its own "
           "first.";
  }
  if (reason == &seccomp_filter) {
    return "Whoever set the filter up (a container runtime, a service manager) must allow "
           "pivot_root.";
  }
  switch (reason->rule) {
    case Rule::pivot_no_capability:
      return "Call it with CAP_SYS_ADMIN in the user namespace that owns the mount namespace: in "
             "new "
             "namespaces of your own, or as root.";
    case Rule::new_root_on_root_mount:
      return "new_root must be a mount of its own; if it is the root itself, name another "
             "directory.";
    case Rule::new_root_not_mount_point: return "Bind new_root to itself.";
    case Rule::new_root_locked:
      return "A mount that came from a more privileged namespace can't be moved; a recursive bind "
             "of "
             "it to itself can.";
    case Rule::root_not_mount_point:
      return "A chroot to a plain directory is no mount: the process must chroot to a mount, or "
             "leave the chroot.";
    case Rule::put_old_on_root_mount:
    case Rule::put_old_not_under_new_root:
      return "put_old must be new_root or a directory below it; new_root itself will do.";
    case Rule::put_old_gone: return "Name a directory in new_root that is there.";
    case Rule::new_root_removed:
    case Rule::new_root_foreign:
      return "Name new_root by a path that leads to a directory of this mount namespace.";
    case Rule::new_root_not_under_root:
      return "new_root must lie below the root of the process; its current directory does not.";
    case Rule::root_mount_foreign:
      return "The root of the process has been unmounted: enter the mount namespace anew (setns, "
             "nsenter --mount).";
    case Rule::name_missing: return "Make the directory.";
    case Rule::not_a_directory: return "Both arguments must be directories.";
    case Rule::search_denied: return "Every directory on the way must be searchable (x).";
    default: return "";
  }
}

}  // namespace pivotcheck::explain
