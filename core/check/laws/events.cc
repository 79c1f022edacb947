// SPDX-License-Identifier: Apache-2.0
// events.cc: the laws about mounts that come and go. Which mount a step is about is seen from the
// difference between the states, where that is enough: no path can be misread then.
#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "check/laws/law_functions.h"

namespace pivotcheck::laws {
namespace {

const Path* target_of(const Event& event) {
  if (const auto* op = op_of<Mount>(event)) return &op->path;
  if (const auto* op = op_of<Bind>(event)) return &op->target;
  if (const auto* op = op_of<Move>(event)) return &op->target;
  const auto* op = op_of<MoveMount>(event);
  return op != nullptr && !op->flags.has(MoveMountFlag::set_group) ? &op->target : nullptr;
}

// Of a mount event; false where the path starts in a tree that the state does not show.
bool is_visible_event(const Event& event) {
  const Path* target = target_of(event);
  const TaskState* actor = event.actor();
  if (target == nullptr || actor == nullptr || !event.outcome.ok()) return false;
  const PlaceState* start =
      target->text.starts_with('/') ? &actor->root : &actor->current_directory;
  for (const HandleState& handle : actor->handles) {
    if (handle.name == target->handle) start = &handle.at;
  }
  return event.before.mount(start->mount) != nullptr && !hides_groups(event.before);
}

bool has_arrived(const Event& event, const MountState& is) {
  const MountState* was = event.before.mount(is.id);
  return was == nullptr || was->parent != is.parent || was->place != is.place;
}

// It lies on what came to its place; the place of the lowest mount of a namespace is that, too.
bool was_tucked(const Event& event, const MountState& is) {
  const MountState* was = event.before.mount(is.id);
  if (was == nullptr || (was->parent == 0 && was->tree != is.tree)) return false;
  const MountState* below = event.after.mount(is.parent);
  for (std::size_t i = 0; below != nullptr && i < event.after.mounts.size(); ++i) {
    if (below->parent == was->parent && below->place == was->place) return true;
    below = event.after.mount(below->parent);
  }
  return false;
}

// A tree that came: its lowest mount, and the mount of the state before on which it came.
struct Arrival {
  const MountState* top;
  const MountState* on;
};
std::vector<Arrival> arrivals(const Event& event) {
  std::vector<Arrival> result;
  for (const MountState& mount : event.after.mounts) {
    const MountState* on = event.before.mount(mount.parent);
    if (on == nullptr || !has_arrived(event, mount) || was_tucked(event, mount)) continue;
    result.push_back({&mount, on});
  }
  return result;
}

// Exactly the mounts that receive from the first one of them have one at its place.
bool explains(const Event& event, const Arrival& first, const std::vector<Arrival>& all) {
  std::vector<MountId> wanted{first.on->id};
  for (const MountState* receiver : receivers(event.before, *first.on)) {
    if (!receiver->detached && shows(*receiver, first.top->place)) wanted.push_back(receiver->id);
  }
  if (wanted.size() != all.size()) return false;
  return std::ranges::all_of(all, [&](const Arrival& one) {
    return one.top->place == first.top->place &&
           std::ranges::find(wanted, one.on->id) != wanted.end();
  });
}

// How many mounts came: on a new one, those that are new; on a moved one, those that were on it. Not
// counted: what is on a directory that was renamed out of what the lowest one shows; it is not copied.
std::size_t size_of(const Event& event, const Arrival& arrival) {
  const bool is_new = event.is_new(*arrival.top);
  const State& state = is_new ? event.after : event.before;
  std::vector<const MountState*> came{state.mount(arrival.top->id)};
  for (std::size_t i = 0; i < came.size(); ++i) {
    for (const MountState& mount : state.mounts) {
      const bool came_as_well = mount.parent == came[i]->id && (!is_new || event.is_new(mount)) &&
                                (i > 0 || shows(*came[i], mount.place));
      if (came_as_well) came.push_back(&mount);
    }
  }
  return came.size();
}

// What is at the target after the step, and on what: known where the path is.
std::optional<Arrival> arrival_at_target(const Event& event) {
  if (!is_visible_event(event)) return std::nullopt;
  const auto named = event.find(*target_of(event));
  if (!named || two_on_one_place(event.before, *named)) return std::nullopt;
  const PlaceState at = topmost(event.before, *named);
  const MountState* on = event.before.mount(at.mount);
  const MountState* top = event.after.mounted_at(at.mount, at.path);
  if (on == nullptr || top == nullptr) return std::nullopt;
  return Arrival{top, on};
}

// A copy has the original's relations; on a shared mount it becomes shared.
bool is_copy(const MountState& original, const MountState& copy, bool on_shared) {
  const bool type =
      original.group != 0 ? copy.group == original.group : (copy.group != 0) == on_shared;
  return type && copy.master == original.master && !copy.unbindable &&
         copy.flags == original.flags && copy.filesystem == original.filesystem;
}

// Some mount may have a peer in a detached tree. Where those are not shown, a handle on none of the
// mounts may be on one.
bool may_have_peers_outside(const State& state) {
  const auto is_hidden = [&](const HandleState& handle) {
    return state.mount(handle.at.mount) == nullptr;
  };
  const auto has_hidden = [&](const TaskState& task) {
    return std::ranges::any_of(task.handles, is_hidden);
  };
  return std::ranges::any_of(state.mounts,
                             [](const MountState& mount) {
                               return mount.detached && mount.group != 0;
                             }) ||
         (!state.shows_all && std::ranges::any_of(state.tasks, has_hidden));
}

}  // namespace

void receivers_receive(const Event& event, Inquiry& inquiry) {
  if (!is_visible_event(event)) return;
  if (event.quirks.starves_slaves_of_detached && may_have_peers_outside(event.before)) return;
  const std::vector<Arrival> all = arrivals(event);
  const auto has_no_path = [](const Arrival& one) { return one.top->place.empty(); };
  if (all.empty() || std::ranges::any_of(all, has_no_path)) return;
  if (all.size() > 1) inquiry.held();
  const bool explained =
      std::ranges::any_of(all, [&](const Arrival& first) { return explains(event, first, all); });
  inquiry.require(explained, [&] {
    return fmt::format("it came to {} places, which are not those that receive from one of them",
                       all.size());
  });
}

void copies_are_related(const Event& event, Inquiry& inquiry) {
  if (!is_visible_event(event)) return;
  const std::vector<Arrival> all = arrivals(event);
  for (const Arrival& one : all) {
    inquiry.require(one.on->group == 0 || one.top->group != 0,
                    [&] { return described(*one.top) + " came to a shared mount and is not"; });
    for (const Arrival& other : all) {
      if (one.top == other.top) continue;
      inquiry.held();
      const bool peers = one.on->group != 0 && one.on->group == other.on->group;
      const bool slave = one.on->group != 0 && other.on->master == one.on->group;
      const bool related = (!peers || one.top->group == other.top->group) &&
                           (!slave || other.top->master == one.top->group);
      const bool same = one.top->filesystem == other.top->filesystem &&
                        one.top->root == other.top->root && one.top->flags == other.top->flags &&
                        size_of(event, one) == size_of(event, other);
      inquiry.require(related && same, [&] {
        return fmt::format("{} is not {}", described(*other.top),
                           related ? "the same as the other copies" : "related as they are");
      });
    }
  }
}

void mount_is_new(const Event& event, Inquiry& inquiry) {
  const auto* op = op_of<Mount>(event);
  if (const auto* fsmount = op_of<Fsmount>(event); fsmount != nullptr && event.outcome.ok()) {
    for (const MountState& mount : event.after.mounts) {
      if (!event.is_new(mount)) continue;
      inquiry.held();
      const bool flags = mount.flags == flags_of_new(fsmount->flags);
      inquiry.require(flags && mount.group == 0 && mount.master == 0,
                      [] { return std::string("fsmount made another mount than was asked for"); });
    }
  }
  if (op == nullptr) return;
  const auto arrived = arrival_at_target(event);
  if (!arrived) return;
  inquiry.held();
  const MountState& mount = *arrived->top;
  const bool is_new =
      event.is_new(mount) && mount.root == "/" && mount.flags == flags_of_new(op->flags);
  const bool type =
      mount.master == 0 && !mount.unbindable && (mount.group != 0) == (arrived->on->group != 0);
  inquiry.require(is_new && type, [&] {
    return fmt::format("{} is not what was to be mounted", described(mount));
  });
}

void bind_copies(const Event& event, Inquiry& inquiry) {
  const auto* op = op_of<Bind>(event);
  const auto arrived = op == nullptr ? std::nullopt : arrival_at_target(event);
  const auto source = op == nullptr ? std::nullopt : event.find(op->source);
  if (!arrived || !source || event.quirks.two_mounts_at_one_place) return;
  inquiry.held();
  const bool shared = arrived->on->group != 0;
  std::vector<std::pair<const MountState*, const MountState*>> copies;
  copies.emplace_back(event.before.mount(source->mount), arrived->top);
  inquiry.require(event.is_new(*arrived->top) && arrived->top->root == source->path,
                  [] { return std::string("what was mounted is not a copy of the source"); });
  for (std::size_t i = 0; i < copies.size(); ++i) {
    const auto [original, copy] = copies[i];
    inquiry.require(!original->unbindable && is_copy(*original, *copy, shared),
                    [&] { return described(*copy) + " is not as the original"; });
    for (const MountState& child : event.before.mounts) {
      if (!op->recursive || child.parent != original->id || child.unbindable) continue;
      if (i == 0 && !is_below_or_at(child.place, source->path)) continue;
      const MountState* copied = event.after.mounted_at(copy->id, child.place);
      inquiry.require(copied != nullptr && event.is_new(*copied),
                      [&] { return described(child) + " was not copied"; });
      if (copied != nullptr && event.is_new(*copied)) copies.emplace_back(&child, copied);
    }
  }
  inquiry.require(size_of(event, *arrived) == copies.size(),
                  [] { return std::string("more was copied than is below the source"); });
}

void move_keeps(const Event& event, Inquiry& inquiry) {
  if (op_of<Move>(event) == nullptr && op_of<MoveMount>(event) == nullptr) return;
  if (!is_visible_event(event)) return;
  for (const Arrival& arrived : arrivals(event)) {
    if (event.is_new(*arrived.top)) continue;
    inquiry.held();
    for (const MountState* was : subtree(event.before, *event.before.mount(arrived.top->id))) {
      const MountState* is = event.after.mount(was->id);
      const bool on_it = is != nullptr && (was->id == arrived.top->id ||
                                           (is->parent == was->parent && is->place == was->place) ||
                                           was_tucked(event, *is));
      inquiry.require(on_it, [&] { return described(*was) + " did not come along"; });
      if (!on_it) continue;
      const bool shared =
          was->group != 0 ? is->group == was->group : (is->group != 0) == (arrived.on->group != 0);
      inquiry.require(shared && is->master == was->master && is->unbindable == was->unbindable,
                      [&] { return described(*is) + " has other relations than before"; });
    }
  }
}

void shared_mounts_keep_what_is_on_them(const Event& event, Inquiry& inquiry) {
  const auto* move = op_of<Move>(event);
  const auto* move_mount = op_of<MoveMount>(event);
  const bool moves = move != nullptr ||
                     (move_mount != nullptr && !move_mount->flags.has(MoveMountFlag::set_group));
  if (!moves || !event.outcome.ok()) return;
  const MountState* source = mount_named(event, move != nullptr ? move->source : move_mount->source);
  const MountState* below = source == nullptr ? nullptr : event.before.mount(source->parent);
  if (below == nullptr) return;
  inquiry.held();
  inquiry.require(below->group == 0,
                  [&] { return described(*source) + " was moved from a shared mount"; });
}

// --- unmounting

namespace {

// What the successful umount names; nullptr where that is not known, or where it unmounts nothing
// (the caller's root becomes read-only).
const MountState* unmounted(const Event& event) {
  const auto* op = op_of<Umount>(event);
  if (op == nullptr || !event.outcome.ok() || event.actor() == nullptr) return nullptr;
  const auto named = event.find(op->path);
  if (!named) return nullptr;
  const PlaceState at = topmost(event.before, *named);
  if (at.mount == event.actor()->root.mount && !op->flags.has(UmountFlag::detach)) return nullptr;
  return event.before.mount(at.mount);
}

bool is_gone(const Event& event, const MountState& mount) {
  return event.after.mount(mount.id) == nullptr;
}

bool has_mounts(const State& state, const MountState& mount) {
  return std::ranges::find(state.mounts, mount.id, &MountState::parent) != state.mounts.end();
}

bool contains(const std::vector<const MountState*>& mounts, MountId id) {
  return std::ranges::find(mounts, id, &MountState::id) != mounts.end();
}

}  // namespace

void umount_leaves_what_is_in_use(const Event& event, Inquiry& inquiry) {
  const auto* op = op_of<Umount>(event);
  if (op == nullptr || !event.outcome.ok() || op->flags.has(UmountFlag::detach)) return;
  const MountState* named = unmounted(event);
  for (const MountState& was : event.before.mounts) {
    if (!is_gone(event, was)) continue;
    inquiry.held();
    const bool is_copy = named == nullptr || was.id != named->id;
    if (is_copy && event.quirks.umount_takes_busy_copies && has_mounts(event.before, was)) continue;
    const std::string user = event.before.user_of(was.id);
    inquiry.require(user.empty(), [&] { return described(was) + " went, but is " + user; });
  }
}

void umount_goes_where_mounting_goes(const Event& event, Inquiry& inquiry) {
  if (event.quirks.umounts_by_older_rules || hides_groups(event.before)) return;
  const MountState* named = unmounted(event);
  if (named == nullptr) return;
  inquiry.held();
  inquiry.require(is_gone(event, *named),
                  [&] { return described(*named) + " was to be unmounted, and is there"; });
  const auto going = subtree(event.before, *named);
  std::vector<const MountState*> may_go = going;
  for (const MountState* mount : going) {
    const MountState* parent = event.before.mount(mount->parent);
    if (parent == nullptr) continue;
    for (const MountState* receiver : receivers(event.before, *parent)) {
      const MountState* same = event.before.mounted_at(receiver->id, mount->place);
      if (same == nullptr || contains(going, same->id)) continue;
      may_go.push_back(same);
      // Who may unmount it takes the lock off what is mounted with it.
      const bool is_kept = mount != named && may_be_locked(event, *same);
      const bool must_go = !has_mounts(event.before, *same) && !is_kept;
      inquiry.require(!must_go || is_gone(event, *same), [&] {
        return described(*same) + " receives from there, has no mounts on it, and stayed";
      });
    }
  }
  for (const MountState& was : event.before.mounts) {
    // Where no path leads nobody can say at which place of its parent it is.
    const bool has_no_path = was.parent != 0 && was.place.empty();
    inquiry.require(!is_gone(event, was) || contains(may_go, was.id) || has_no_path,
                    [&] { return described(was) + " went, too"; });
    inquiry.require(is_gone(event, was) || !contains(going, was.id),
                    [&] { return described(was) + " stayed, though what it was on went"; });
  }
}

void umount_shifts_nothing(const Event& event, Inquiry& inquiry) {
  if (op_of<Umount>(event) == nullptr || event.quirks.umounts_by_older_rules) return;
  for (const MountState& was : event.before.mounts) {
    const MountState* is = event.after.mount(was.id);
    const MountState* below = event.before.mount(was.parent);
    if (is == nullptr || below == nullptr || !is_gone(event, *below)) continue;
    if (!has_path(event.before, was)) continue;
    inquiry.held();
    const bool covered_all = was.place == below->root;
    while (const MountState* lower = event.before.mount(below->parent)) {
      if (!is_gone(event, *lower)) break;
      below = lower;
    }
    inquiry.require(covered_all && is->parent == below->parent && is->place == below->place, [&] {
      return fmt::format("{} {}", described(was),
                         covered_all ? "is not where the lowest that went was"
                                     : "stayed, but what it was on went");
    });
  }
}

void mounts_go_by_umount(const Event& event, Inquiry& inquiry) {
  const bool may_end =
      std::visit([]<class Operation>(
                     const Operation&) { return OneOf<Operation, Umount, Rmdir, Unlink, Rename>; },
                 event.step.op);
  if (may_end || !event.outcome.ok() || event.actor() == nullptr) return;
  const bool leaves = op_of<Exit>(event) != nullptr || op_of<Unshare>(event) != nullptr ||
                      op_of<Setns>(event) != nullptr;
  const auto stands_there = [&](const TaskState& task) {
    return task.tree == event.actor()->tree && task.name != event.actor()->name;
  };
  const bool is_last = !std::ranges::any_of(event.before.tasks, stands_there);
  inquiry.held();
  for (const MountState& was : event.before.mounts) {
    if (was.detached || (leaves && is_last && was.tree == event.actor()->tree)) continue;
    inquiry.require(!is_gone(event, was), [&] { return described(was) + " is gone"; });
  }
}

}  // namespace pivotcheck::laws
