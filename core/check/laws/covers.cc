// SPDX-License-Identifier: Apache-2.0
// covers.cc: locks, as the steps of a scenario make them, and the law that they keep; and marks of
// MNT_EXPIRE, which are seen in the steps alone as well.
//
//     A          mount X on /a/secret                       (P, /secret) is covered, by X
//     B          unshare user,mnt: gets copies P', X'       Cover{P', /secret} is noted
//     B          umount /a/secret, bind /a /b, ...          /secret of P' must stay covered, and
//                                                           that of each copy of P' that B makes
//
// A cover is a place, not a mount: pivot_root puts another mount there, and what is tucked beneath
// one takes its place; the lock is handed on.
//
// A directory that the namespace can see in another way hides nothing, so there nothing is asked
// (is_hidden()). Nor is it where a more privileged namespace unmounted something that this one
// receives: then the lock is gone, by its owner's will. The same holds in the namespace itself, of a
// master or peer on which nothing there is locked: a detached tree that was made where the task had
// more rights, and attached here. By it the directory could be seen already.
#include <algorithm>
#include <cerrno>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "check/laws/law_functions.h"

namespace pivotcheck::laws {
namespace {

bool is_excused(const Event& event, const Locked::Cover& cover) {
  return cover.is_raised && event.quirks.lock_rises_with_cover;
}

bool has_cover(const Event& event, MountId parent, std::string_view place) {
  return std::ranges::any_of(event.locked.covers, [&](const Locked::Cover& cover) {
    return cover.is_certain && !is_excused(event, cover) && cover.parent == parent &&
           cover.place == place;
  });
}

// Each mount of the tree, and of detached ones, that shows the place has a locked mount there.
bool is_hidden(const Event& event, const MountState& parent, std::string_view place) {
  return std::ranges::all_of(event.before.mounts, [&](const MountState& mount) {
    const bool is_seen = mount.filesystem == parent.filesystem && shows(mount, place) &&
                         (mount.tree == parent.tree || mount.detached);
    return !is_seen || (has_cover(event, mount.id, place) &&
                        event.before.mounted_at(mount.id, place) != nullptr);
  });
}

// A copy made by a path, so that what it is a copy of is a mount of the state before.
bool copies_by_path(const Event& event) {
  const auto* bind = op_of<Bind>(event);
  const auto* open_tree = op_of<OpenTree>(event);
  if (bind != nullptr) return event.find(bind->source).has_value();
  if (open_tree != nullptr) return event.find(open_tree->path).has_value();
  return op_of<Unshare>(event) != nullptr;
}

// Whoever removes or renames a name takes away what is mounted on it, in any namespace.
bool is_about_names(const Event& event) {
  return std::visit(
      []<class Operation>(const Operation&) { return OneOf<Operation, Rmdir, Unlink, Rename>; },
      event.step.op);
}

// Something that was not locked was unmounted at the same place of a mount from which this one
// receives.
bool is_unlocked(const Event& event, const Locked::Cover& cover) {
  return std::ranges::any_of(event.before.mounts, [&](const MountState& gone) {
    if (gone.place != cover.place || event.after.mount(gone.id) != nullptr) return false;
    const MountState* on = event.before.mount(gone.parent);
    if (on == nullptr || has_cover(event, on->id, cover.place)) return false;
    const auto all = receivers(event.before, *on);
    return std::ranges::find(all, cover.parent, &MountState::id) != all.end();
  });
}

int owner_of(const Event& event, std::uint32_t tree) {
  for (const TaskState& task : event.after.tasks) {
    const auto found = std::ranges::find(event.standings, task.name, &Standing::task);
    if (task.tree == tree && found != event.standings.end()) return found->owner;
  }
  return event.standing.owner;  // a detached tree: nothing is locked on the way there
}

// The copies of its parent that the step made have that cover, too. (In a detached tree it is not
// certain: where the tree comes to, a lock may be of no account. Where detached trees are not seen,
// one that is attached looks like a copy.)
void copy_cover(const Event& event, const Locked::Cover& cover,
                std::vector<Locked::Cover>& copied) {
  const MountState* parent = event.before.mount(cover.parent);
  if (parent == nullptr || event.actor() == nullptr) return;
  const bool may_be_no_copy = op_of<MoveMount>(event) != nullptr && !event.before.shows_all;
  std::optional<bool> is_certain;
  for (const MountState& mount : event.after.mounts) {
    if (mount.filesystem != parent->filesystem || !event.is_new(mount) ||
        !shows(mount, cover.place) || event.after.mounted_at(mount.id, cover.place) == nullptr) {
      continue;
    }
    if (!is_certain) {
      is_certain = cover.is_certain && !may_be_no_copy && parent->tree == event.actor()->tree &&
                   is_hidden(event, *parent, cover.place);
    }
    copied.push_back({mount.id, cover.place, *is_certain && !mount.detached, cover.is_raised});
  }
}

// A copy has a cover from each mount that it may be a copy of: one is enough, or they double with
// every bind.
void merge_equal(std::vector<Locked::Cover>& covers) {
  std::ranges::sort(covers, {}, [](const Locked::Cover& cover) {
    return std::tie(cover.parent, cover.place);
  });
  std::vector<Locked::Cover> merged;
  for (Locked::Cover& cover : covers) {
    if (merged.empty() || merged.back().parent != cover.parent ||
        merged.back().place != cover.place) {
      merged.push_back(std::move(cover));
      continue;
    }
    merged.back().is_certain = merged.back().is_certain || cover.is_certain;
    merged.back().is_raised = merged.back().is_raised || cover.is_raised;
  }
  covers = std::move(merged);
}

}  // namespace

bool may_be_locked(const Event& event, const MountState& mount) {
  if (!event.locked.is_all) return true;
  const MountState* parent = event.before.mount(mount.parent);
  return std::ranges::any_of(event.locked.covers, [&](const Locked::Cover& cover) {
    const MountState* other = event.before.mount(cover.parent);
    return cover.place == mount.place &&
           (other == nullptr || parent == nullptr || other->filesystem == parent->filesystem);
  });
}

// A mount that may be locked is so as well where it lies since this step: on one that arrived
// beneath it, say. That it covered in any case, if its lock is certain and it did not rise.
static void keep_lock(const Event& event, const MountState& mount,
                      std::vector<Locked::Cover>& covers) {
  const MountState& was = *event.before.mount(mount.id);
  if (!event.locked.is_all || (was.parent == mount.parent && was.place == mount.place)) return;
  const bool has_risen = event.before.mount(mount.parent) == nullptr;
  const bool stays_locked =
      !event.quirks.lock_rises_with_cover && !event.quirks.arrival_unlocks_cover;
  const bool is_certain = has_risen && stays_locked && has_cover(event, was.parent, was.place);
  if (may_be_locked(event, was)) covers.push_back({mount.parent, mount.place, is_certain});
}

// What had arrived beneath a locked mount is gone, and that lies where it lay before; and nothing took
// its own lock off. (A mount can lie in the same place of a receiver that its own cover lies in: on the
// root of one that shows just the directory on which both are mounted.)
static bool is_back(const Event& event, const Locked::Cover& cover) {
  const MountState* arrived = event.before.mounted_at(cover.parent, cover.place);
  const MountState* is = event.after.mounted_at(cover.parent, cover.place);
  if (arrived == nullptr || is == nullptr) return false;
  const MountState* was = event.before.mount(is->id);
  return was != nullptr && was->parent == arrived->id && has_cover(event, arrived->id, was->place) &&
         !is_unlocked(event, {arrived->id, was->place}) &&
         (event.before.shows_all || !hides_groups(event.before));
}

void covered_stays_covered(const Event& event, Inquiry& inquiry) {
  if (is_about_names(event) || event.actor() == nullptr || !event.outcome.ok()) return;
  const bool copies = copies_by_path(event);
  for (const Locked::Cover& cover : event.locked.covers) {
    const MountState* parent = event.before.mount(cover.parent);
    if (!cover.is_certain || parent == nullptr || parent->tree != event.actor()->tree) continue;
    if (is_excused(event, cover)) continue;
    if (!is_hidden(event, *parent, cover.place)) continue;
    inquiry.held();
    for (const MountState& mount : event.after.mounts) {
      const bool is_copy = copies && event.is_new(mount) &&
                           mount.filesystem == parent->filesystem && shows(mount, cover.place);
      if (mount.id != parent->id && !is_copy) continue;
      inquiry.require(event.after.mounted_at(mount.id, cover.place) != nullptr, [&] {
        return fmt::format("{} of {} was covered by a locked mount, and can be seen", cover.place,
                           described(mount));
      });
    }
  }
}

// What the step locks, and what it unlocks.
void Watch::lock(const Event& event) {
  const auto note = [&](const MountState& mount, bool with_cover) {
    if (with_cover && mount.parent != 0 && !mount.place.empty()) {
      locked_.covers.push_back({mount.parent, mount.place});
    }
    constexpr MountFlags lockable{MountFlag::ro, MountFlag::nosuid, MountFlag::nodev,
                                  MountFlag::noexec};
    locked_.flags.push_back(
        {mount.id, mount.flags.intersect(lockable), mount.flags.intersect(atime_flags)});
  };
  std::vector<Locked::Cover> copied;
  for (const Locked::Cover& cover : locked_.covers) copy_cover(event, cover, copied);
  for (const MountState& mount : event.after.mounts) {
    if (!event.is_new(mount)) keep_lock(event, mount, copied);
    if (!event.is_new(mount) || mount.detached) continue;
    const bool is_unshare = op_of<Unshare>(event) != nullptr;
    const int owner = owner_of(event, mount.tree);
    // Of a tree that comes by propagation, the lowest mount is not locked.
    const bool is_inside = is_unshare || event.before.mount(mount.parent) == nullptr;
    if (owner != (is_unshare ? event.stood.owner : event.standing.owner)) note(mount, is_inside);
  }
  for (Locked::Cover& cover : copied) locked_.covers.push_back(std::move(cover));
  if (!copied.empty()) merge_equal(locked_.covers);
  const auto has_changed_name = [&](const Locked::Cover& cover) {
    if (!is_about_names(event)) return false;
    const MountState* was = event.before.mounted_at(cover.parent, cover.place);
    const MountState* is = event.after.mounted_at(cover.parent, cover.place);
    return is == nullptr || was == nullptr || is->id != was->id;  // another may have got its name
  };
  std::erase_if(locked_.covers, [&](const Locked::Cover& cover) {
    return event.after.mount(cover.parent) == nullptr || has_changed_name(cover);
  });
  for (Locked::Cover& cover : locked_.covers) {
    const MountState* was = event.before.mounted_at(cover.parent, cover.place);
    const MountState* is = event.after.mounted_at(cover.parent, cover.place);
    if (was != nullptr && is != nullptr && was->id != is->id) cover.is_raised = event.is_new(*is);
  }
  if (op_of<Rename>(event) != nullptr) locked_.is_all = false;  // places have other paths now
}

// A umount takes the lock off what is mounted at the same place where its propagation arrives.
void Watch::unlock(const Event& event) {
  if (op_of<Umount>(event) == nullptr || event.actor() == nullptr) return;
  std::vector<const Locked::Cover*> unlocked;
  for (const Locked::Cover& cover : locked_.covers) {
    const MountState* parent = event.before.mount(cover.parent);
    if (parent == nullptr || is_back(event, cover)) continue;
    const bool receives = parent->master != 0 || parent->group != 0;
    const bool elsewhere = parent->tree != event.actor()->tree;
    if (receives && (elsewhere || is_unlocked(event, cover))) unlocked.push_back(&cover);
  }
  for (Locked::Cover& cover : locked_.covers) {
    if (std::ranges::find(unlocked, &cover) != unlocked.end()) cover.is_certain = false;
  }
}

// --- expiry marks

namespace {

// What umount with MNT_EXPIRE names.
const MountState* expired(const Event& event) {
  const auto* op = op_of<Umount>(event);
  if (op == nullptr || !op->flags.has(UmountFlag::expire)) return nullptr;
  const auto named = event.find(op->path);
  return named ? event.before.mount(topmost(event.before, *named).mount) : nullptr;
}

}  // namespace

void expiry_needs_a_mark(const Event& event, Inquiry& inquiry) {
  const MountState* named = expired(event);
  if (named == nullptr || !event.outcome.ok() || !event.locked.is_all) return;
  inquiry.held();
  const bool marked =
      std::ranges::find(event.locked.expiry_marks, named->id) != event.locked.expiry_marks.end();
  inquiry.require(marked, [&] { return described(*named) + " was not marked"; });
  inquiry.require(named->id != event.actor()->root.mount &&
                      !op_of<Umount>(event)->flags.has(UmountFlag::detach),
                  [] { return std::string("it is the caller's root, or detached"); });
}

void Watch::mark(const Event& event) {
  const MountState* named = expired(event);
  if (named != nullptr && event.outcome.error == EAGAIN) locked_.expiry_marks.push_back(named->id);
  // Named by a way that is not known here, from a removed directory: so it may be any.
  const bool marks = is_expire(event.step.op) && event.outcome.error == EAGAIN;
  if (named == nullptr && marks) locked_.is_all = false;
  if (!event.outcome.ok()) return;
  const auto forget = [&](const Path& path) {
    const auto entered = event.find(path);
    if (entered) std::erase(locked_.expiry_marks, entered->mount);
  };
  if (const auto* op = op_of<Chdir>(event)) forget(op->path);
  if (const auto* op = op_of<Chroot>(event)) forget(op->path);
  if (const auto* op = op_of<Open>(event)) forget(op->path);
}

}  // namespace pivotcheck::laws
