// SPDX-License-Identifier: Apache-2.0
// tasks.cc: the laws about roots, directories and handles: pivot_root, path lookup, new namespaces.
#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "check/laws/law_functions.h"

namespace pivotcheck::laws {
namespace {

// Whatever is left out here, canonical states are compared by.
bool same_but_place(MountState was, const MountState& is) {
  was.parent = is.parent;
  was.place = is.place;
  was.filesystem_read_only = is.filesystem_read_only;
  return was == is;
}

const MountState* lowest_of(const State& state, std::uint32_t tree) {
  const auto found = std::ranges::find_if(state.mounts, [tree](const MountState& mount) {
    return mount.tree == tree && mount.parent == 0;
  });
  return found == state.mounts.end() ? nullptr : &*found;
}

bool same_handles(const TaskState& was, const TaskState& is) {
  return std::ranges::equal(was.handles, is.handles, [](const auto& one, const auto& other) {
    return one.name == other.name && one.at.is(other.at);
  });
}

// What the path of a successful call leads to, and where the task is then.
struct Walk {
  const Path& path;
  const PlaceState& end;
};
std::optional<Walk> walk_of(const Event& event) {
  const TaskState* task = event.after.task(event.step.task.text);
  if (task == nullptr) return std::nullopt;
  if (const auto* op = op_of<Chdir>(event)) return Walk{op->path, task->current_directory};
  if (const auto* op = op_of<Chroot>(event)) return Walk{op->path, task->root};
  const auto* op = op_of<Open>(event);
  if (op == nullptr) return std::nullopt;
  const auto handle = std::ranges::find(task->handles, op->handle.text, &HandleState::name);
  if (handle == task->handles.end()) return std::nullopt;
  return Walk{op->path, handle->at};
}

// By the names and the mount points that lead up from it; false where that is not known.
bool is_at_or_below(const State& state, PlaceState at, const PlaceState& top) {
  for (;;) {
    if (at.mount == top.mount && is_below_or_at(at.path, top.path)) return true;
    const MountState* mount = state.mount(at.mount);
    if (mount == nullptr || mount->parent == 0) return false;
    at.path = mount->place;
    at.mount = mount->parent;
  }
}

bool is_on_shared(const State& state, const MountState& mount) {
  const MountState* below = state.mount(mount.parent);
  return below != nullptr && below->group != 0;
}

}  // namespace

void pivot_is_restricted(const Event& event, Inquiry& inquiry) {
  const auto* op = op_of<PivotRoot>(event);
  const TaskState* caller = event.actor();
  if (op == nullptr || !event.outcome.ok() || caller == nullptr) return;
  const auto new_root = event.find(op->new_root);
  const auto named_put_old = event.find(op->put_old);
  if (!new_root || !named_put_old) return;
  const State& before = event.before;
  // As a mount point: what is on top there (observed).
  const PlaceState put_old = topmost(before, *named_put_old);
  const auto require = [&](bool holds, const char* what) {
    inquiry.require(holds, [&] { return std::string(what); });
  };
  inquiry.held();
  for (const PlaceState* place : {&caller->root, &*new_root}) {
    const MountState* mount = before.mount(place->mount);
    require(mount != nullptr && mount->tree == caller->tree && mount->root == place->path &&
                !mount->root_removed,
            "root or new_root is no mount point of this namespace");
    if (mount == nullptr) return;
    require(!is_on_shared(before, *mount), "root or new_root is mounted on a shared mount");
  }
  const MountState* under_put_old = before.mount(put_old.mount);
  require(under_put_old != nullptr && !put_old.removed, "put_old is gone");
  require(under_put_old == nullptr || under_put_old->group == 0, "put_old is on a shared mount");
  require(new_root->mount != caller->root.mount && put_old.mount != caller->root.mount,
          "new_root or put_old is on the root's mount");
  require(is_at_or_below(before, *new_root, caller->root), "new_root is not below the root");
  require(is_at_or_below(before, put_old, *new_root), "put_old is not below new_root");
}

void pivot_only_exchanges(const Event& event, Inquiry& inquiry) {
  if (op_of<PivotRoot>(event) == nullptr || !event.outcome.ok()) return;
  const TaskState* was_there = event.actor();
  const TaskState* is_there = event.after.task(event.step.task.text);
  if (was_there == nullptr || is_there == nullptr) return;
  inquiry.held();
  inquiry.require(event.before.mounts.size() == event.after.mounts.size(),
                  [] { return std::string("a mount was made or lost"); });
  const MountId old_root = was_there->root.mount;
  const MountId new_root = is_there->root.mount;
  inquiry.require(old_root != new_root, [] { return std::string("the root is the old one"); });
  for (const MountState& was : event.before.mounts) {
    const MountState* is = event.after.mount(was.id);
    const bool moves = was.id == old_root || was.id == new_root;
    inquiry.require(is != nullptr && (moves ? same_but_place(was, *is) : was == *is),
                    [&] { return described(was) + " changed"; });
    if (is == nullptr || was.id != new_root) continue;
    const MountState* old = event.before.mount(old_root);
    inquiry.require(old == nullptr || (is->parent == old->parent && is->place == old->place),
                    [] { return std::string("the new root is not where the old one was"); });
  }
}

void pivot_moves_who_stood_there(const Event& event, Inquiry& inquiry) {
  if (op_of<PivotRoot>(event) == nullptr || !event.outcome.ok()) return;
  const TaskState* caller = event.after.task(event.step.task.text);
  if (event.actor() == nullptr || caller == nullptr) return;
  const PlaceState& old_root = event.actor()->root;
  const auto moved = [&](const PlaceState& was, const PlaceState& is) {
    return is.is(was.is(old_root) ? caller->root : was);
  };
  for (const TaskState& was : event.before.tasks) {
    const TaskState* is = event.after.task(was.name);
    inquiry.held();
    inquiry.require(is != nullptr && moved(was.root, is->root),
                    [&] { return "the root of task " + was.name + " is elsewhere"; });
    inquiry.require(is != nullptr && moved(was.current_directory, is->current_directory),
                    [&] { return "the current directory of task " + was.name + " is elsewhere"; });
    inquiry.require(is != nullptr && same_handles(was, *is),
                    [&] { return "a handle of task " + was.name + " moved"; });
  }
}

void tasks_move_themselves(const Event& event, Inquiry& inquiry) {
  if (op_of<PivotRoot>(event) != nullptr) return;
  for (const TaskState& was : event.before.tasks) {
    if (was.name == event.step.task.text) continue;
    const TaskState* is = event.after.task(was.name);
    inquiry.held();
    inquiry.require(is != nullptr && is->root.is(was.root) &&
                        is->current_directory.is(was.current_directory) && same_handles(was, *is),
                    [&] { return "task " + was.name + " is elsewhere, and did nothing"; });
  }
}

void paths_cross_mounts(const Event& event, Inquiry& inquiry) {
  if (!event.outcome.ok()) return;
  const auto walk = walk_of(event);
  if (!walk || walk->end.path.empty()) return;
  const auto wanted = event.find(walk->path);
  if (!wanted || !has_path(event.before, *event.before.mount(wanted->mount))) return;
  inquiry.held();
  inquiry.require(wanted->mount == walk->end.mount && wanted->path == walk->end.path, [&] {
    return fmt::format("the path leads to {} of another mount or place than {}", walk->end.path,
                       wanted->path);
  });
}

void setns_enters_at_the_top(const Event& event, Inquiry& inquiry) {
  const auto* op = op_of<Setns>(event);
  if (op == nullptr || !op->kinds.has(NamespaceKind::mnt) || !event.outcome.ok()) return;
  const TaskState* task = event.after.task(event.step.task.text);
  const TaskState* other = event.after.task(op->task.text);
  const MountState* lowest = task == nullptr ? nullptr : lowest_of(event.after, task->tree);
  if (other == nullptr || lowest == nullptr) return;
  const PlaceState bottom{.mount = lowest->id, .object = 0, .path = lowest->root};
  if (two_on_one_place(event.after, bottom)) return;
  inquiry.held();
  const PlaceState top = topmost(event.after, bottom);
  inquiry.require(task->tree == other->tree && task->root.mount == top.mount &&
                      task->root.path == top.path && task->current_directory.is(task->root),
                  [] { return std::string("the task is not at the root that is on top"); });
}

// --- new namespaces

namespace {

using Pairs = std::vector<std::pair<const MountState*, const MountState*>>;  // original, copy

// A place of the original must be the same place of the copy.
bool follows(const Pairs& pairs, const PlaceState& was, const PlaceState& is) {
  const auto pair =
      std::ranges::find(pairs, was.mount, [](const auto& each) { return each.first->id; });
  return is.object == was.object &&
         is.mount == (pair == pairs.end() ? was.mount : pair->second->id);
}

bool is_same_copy(const Event& event, const MountState& was, const MountState& is, bool reduced) {
  const bool enslaved = was.group != 0 && reduced;
  const std::uint64_t master = enslaved ? was.group : was.master;
  // The old namespace may have ended, and with it a group; then another one is the master.
  const bool ended =
      std::ranges::find(event.after.mounts, master, &MountState::group) == event.after.mounts.end();
  const bool excused = event.quirks.namespace_copy_loses_unbindable && !is.unbindable;
  return is.group == (reduced ? 0 : was.group) && (is.master == master || ended) &&
         (is.unbindable == was.unbindable || excused) && is.flags == was.flags &&
         is.filesystem == was.filesystem && is.root == was.root;
}

}  // namespace

void namespace_is_copied(const Event& event, Inquiry& inquiry) {
  const auto* op = op_of<Unshare>(event);
  const TaskState* was_there = event.actor();
  const TaskState* is_there = event.after.task(event.step.task.text);
  if (op == nullptr || !op->kinds.has(NamespaceKind::mnt) || !event.outcome.ok()) return;
  if (was_there == nullptr || is_there == nullptr || hides_groups(event.before)) return;
  if (event.quirks.two_mounts_at_one_place) return;
  const MountState* original = lowest_of(event.before, was_there->tree);
  const MountState* copy = lowest_of(event.after, is_there->tree);
  if (original == nullptr || copy == nullptr) return;
  inquiry.held();
  const bool reduced = event.standing.user_ns != event.stood.owner;
  Pairs pairs{{original, copy}};
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto [was, is] = pairs[i];
    inquiry.require(event.is_new(*is) && is_same_copy(event, *was, *is, reduced),
                    [&] { return described(*is) + " is not as its original"; });
    for (const MountState& child : event.before.mounts) {
      if (child.parent != was->id || child.place.empty()) continue;
      const MountState* copied = event.after.mounted_at(is->id, child.place);
      inquiry.require(copied != nullptr,
                      [&] { return described(child) + " is missing in the new namespace"; });
      if (copied != nullptr) pairs.emplace_back(&child, copied);
    }
  }
  const auto in_copy = [&](const MountState& mount) {
    return mount.tree == copy->tree && has_path(event.after, mount);
  };
  inquiry.require(std::ranges::count_if(event.after.mounts, in_copy) == std::ssize(pairs),
                  [] { return std::string("the new namespace has other mounts as well"); });
  inquiry.require(follows(pairs, was_there->root, is_there->root) &&
                      follows(pairs, was_there->current_directory, is_there->current_directory),
                  [] { return std::string("root or current directory did not follow"); });
}

// --- capabilities

namespace {

// user_namespaces(7): in its own namespace what it did not drop; in those below it all.
bool may(const Event& event, Capability capability, int user_ns) {
  if (user_ns == event.stood.user_ns) return !event.stood.dropped.has(capability);
  while (user_ns >= 0 && user_ns != event.stood.user_ns) {
    user_ns = event.user_parents[static_cast<std::size_t>(user_ns)];
  }
  return user_ns >= 0;
}

}  // namespace

void calls_need_their_capability(const Event& event, Inquiry& inquiry) {
  if (!event.outcome.ok()) return;
  const bool mounts = std::visit(
      []<class Operation>(const Operation&) {
        return OneOf<Operation, Mount, Bind, Move, ChangePropagation, Remount, Umount, PivotRoot,
                     MoveMount, MountSetattr, Fsmount>;
      },
      event.step.op);
  const auto* open_tree = op_of<OpenTree>(event);
  const bool clones = open_tree != nullptr && open_tree->flags.has(OpenTreeFlag::clone);
  const bool chroots = op_of<Chroot>(event) != nullptr;
  if (!mounts && !clones && !chroots) return;
  inquiry.held();
  inquiry.require(chroots ? may(event, Capability::sys_chroot, event.stood.user_ns)
                          : may(event, Capability::sys_admin, event.stood.owner),
                  [] { return std::string("the task has not the capability"); });
}

}  // namespace pivotcheck::laws
