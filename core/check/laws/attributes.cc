// SPDX-License-Identifier: Apache-2.0
// attributes.cc: the laws about what a step changes of mounts that stay where they are, and about
// steps that change nothing.
#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "check/laws/law_functions.h"

namespace pivotcheck::laws {
namespace {

bool contains(const std::vector<const MountState*>& mounts, MountId id) {
  return std::ranges::find(mounts, id, &MountState::id) != mounts.end();
}

struct TypeChange {
  const Path& path;
  Propagation to;
  bool recursive;
};
std::optional<TypeChange> type_change(const Event& event) {
  if (const auto* op = op_of<ChangePropagation>(event)) return {{op->path, op->to, op->recursive}};
  const auto* op = op_of<MountSetattr>(event);
  if (op == nullptr || !op->change.propagation) return std::nullopt;
  return {{op->path, *op->change.propagation, op->recursive.on}};
}

// What make-slave leaves a mount with: the table's "slave/private". A peer that the state does not
// show makes it a slave where it seems to be alone. With `recursive`, masters end on the way.
bool is_enslaved(const Event& event, const MountState& was, const MountState& is, bool recursive) {
  if (is.group != 0 || is.unbindable != was.unbindable) return false;
  if (recursive) return was.group != 0 || was.master != 0 || is.master == 0;
  if (was.group == 0) return is.master == was.master;
  const auto is_peer = [&](const MountState& other) {
    return other.group == was.group && other.id != was.id;
  };
  if (is.master == was.group) return true;
  return is.master == was.master && !std::ranges::any_of(event.before.mounts, is_peer);
}

bool is_by_the_table(const Event& event, const MountState& was, const MountState& is,
                     Propagation to, bool recursive) {
  switch (to) {
    case Propagation::shared_:
      return is.group != 0 && (was.group == 0 || is.group == was.group) && !is.unbindable &&
             is.master == was.master;
    case Propagation::slave: return is_enslaved(event, was, is, recursive);
    case Propagation::private_: return is.group == 0 && is.master == 0 && !is.unbindable;
    case Propagation::unbindable: return is.group == 0 && is.master == 0 && is.unbindable;
  }
  return false;
}

// A master may have ended with its group: then its own master takes its place, if it has one.
bool same_type(const MountState& was, const MountState& is) {
  return was.group == is.group && was.unbindable == is.unbindable &&
         (was.master != 0 || is.master == 0);
}

}  // namespace

void refused_changes_nothing(const Event& event, Inquiry& inquiry) {
  if (event.outcome.ok()) return;
  inquiry.held();
  inquiry.require(event.before.mounts == event.after.mounts,
                  [] { return std::string("the call was refused, but a mount changed"); });
  inquiry.require(event.before.tasks == event.after.tasks,
                  [] { return std::string("the call was refused, but a task is elsewhere"); });
}

void only_mounting_changes_mounts(const Event& event, Inquiry& inquiry) {
  const bool is_about = std::visit(
      []<class Operation>(const Operation&) {
        return OneOf<Operation, Mkdir, Touch, Symlink, Chmod, Chroot, Chdir, Fchdir, Spawn,
                     DropCapabilities, Limit>;
      },
      event.step.op);
  if (!is_about || !event.outcome.ok()) return;
  inquiry.held();
  inquiry.require(event.before.mounts == event.after.mounts,
                  [] { return std::string("a mount changed"); });
}

void flags_stay(const Event& event, Inquiry& inquiry) {
  if (!event.outcome.ok() || event.actor() == nullptr) return;
  const bool may_change = op_of<Remount>(event) != nullptr || op_of<MountSetattr>(event) != nullptr;
  for (const MountState& was : event.before.mounts) {
    if (may_change && (was.tree == event.actor()->tree || was.detached)) continue;
    const MountState* is = event.after.mount(was.id);
    if (is == nullptr) continue;
    inquiry.held();
    inquiry.require(is->flags == was.flags, [&] {
      return fmt::format("{} has other flags: '{}', before '{}'", described(was),
                         to_string(is->flags), to_string(was.flags));
    });
  }
}

void locked_flags_stay(const Event& event, Inquiry& inquiry) {
  for (const Locked::Flags& locked : event.locked.flags) {
    const MountState* is = event.after.mount(locked.mount);
    if (is == nullptr) continue;
    inquiry.held();
    inquiry.require(is->flags.contains(locked.flags), [&] {
      return fmt::format("{} lost one of '{}'", described(*is), to_string(locked.flags));
    });
    inquiry.require(is->flags.intersect(atime_flags) == locked.atime, [&] {
      return fmt::format("{} has other access times than '{}'", described(*is),
                         to_string(locked.atime));
    });
  }
}

namespace {

// The access times of a mount, of which some are asked for. strictatime comes before noatime, and
// either before relatime, which no mount shows.
MountFlags atime_of(MountFlags asked) {
  if (asked.has(MountFlag::strictatime)) asked.set(MountFlag::noatime, false);
  return asked.intersect(atime_flags).without({MountFlag::relatime});
}

// A remount that does not mention atime leaves it.
MountFlags after_remount(MountFlags was, MountFlags asked) {
  const bool mentions_atime = !asked.intersect(atime_flags).empty();
  return asked.without(atime_flags).with(atime_of(mentions_atime ? asked : was));
}

// One of the three values ends the other two; nodiratime is like any other attribute.
MountFlags after_setattr(MountFlags was, const AttributeChange& change) {
  const bool names_value = !change.set.with(change.clear).intersect(atime_values).empty();
  if (names_value && !change.keep_atime) was = was.without(atime_values);
  return was.without(change.clear).with(change.set).without({MountFlag::relatime});
}

}  // namespace

MountFlags flags_of_new(MountFlags asked) {
  return asked.without(atime_flags).with(atime_of(asked));
}

void attributes_are_as_asked(const Event& event, Inquiry& inquiry) {
  const auto* remount = op_of<Remount>(event);
  const auto* setattr = op_of<MountSetattr>(event);
  if (!event.outcome.ok() || (remount == nullptr && setattr == nullptr)) return;
  const MountState* named = mount_named(event, remount != nullptr ? remount->path : setattr->path);
  if (named == nullptr) return;
  inquiry.held();
  const bool recursive = setattr != nullptr && setattr->recursive.on;
  const auto meant = recursive ? subtree(event.before, *named) : std::vector{named};
  for (const MountState& was : event.before.mounts) {
    const MountState* is = event.after.mount(was.id);
    if (is == nullptr) continue;
    MountFlags wanted = was.flags;
    if (contains(meant, was.id) && remount != nullptr) {
      wanted = after_remount(was.flags, remount->flags.flags);
    } else if (contains(meant, was.id)) {
      wanted = after_setattr(was.flags, setattr->change);
    }
    inquiry.require(is->flags == wanted, [&] {
      return fmt::format("{} has the flags '{}' instead of '{}'", described(was),
                         to_string(is->flags), to_string(wanted));
    });
    constexpr MountFlags two_ways{MountFlag::noatime, MountFlag::strictatime};
    inquiry.require(!is->flags.contains(two_ways),
                    [&] { return described(was) + " is noatime and strictatime"; });
  }
}

void types_change_by_the_table(const Event& event, Inquiry& inquiry) {
  const auto change = type_change(event);
  if (!change || !event.outcome.ok()) return;
  const MountState* named = mount_named(event, change->path);
  if (named == nullptr) return;
  inquiry.held();
  const auto meant = change->recursive ? subtree(event.before, *named) : std::vector{named};
  for (const MountState& was : event.before.mounts) {
    const MountState* is = event.after.mount(was.id);
    if (is == nullptr) continue;
    const bool is_meant = contains(meant, was.id);
    inquiry.require(is_meant ? is_by_the_table(event, was, *is, change->to, change->recursive)
                             : same_type(was, *is),
                    [&] {
                      return fmt::format(
                          "{} {}", described(was),
                          is_meant ? "is not what the table says" : "changed as well");
                    });
  }
}

void group_is_joined(const Event& event, Inquiry& inquiry) {
  const auto* op = op_of<MoveMount>(event);
  if (op == nullptr || !op->flags.has(MoveMountFlag::set_group) || !event.outcome.ok()) return;
  const MountState* source = mount_named(event, op->source);
  const MountState* target = mount_named(event, op->target);
  if (source == nullptr || target == nullptr) return;
  inquiry.held();
  for (const MountState& was : event.before.mounts) {
    const MountState* is = event.after.mount(was.id);
    if (was.id != target->id) {
      inquiry.require(is != nullptr && *is == was,
                      [&] { return described(was) + " changed as well"; });
      continue;
    }
    const bool joined = is != nullptr && is->group == source->group && is->master == source->master;
    inquiry.require(joined, [&] { return described(was) + " did not join the source's group"; });
    const bool excused = event.quirks.set_group_leaves_unbindable && source->group == 0;
    inquiry.require(!joined || !is->unbindable || excused,
                    [&] { return described(was) + " joined and is still unbindable"; });
  }
}

}  // namespace pivotcheck::laws
