// SPDX-License-Identifier: Apache-2.0
// apply.cc: one function for each operation, in the order of op.h. Each is a list of refusals in
// the order in which kernels were seen to give them, and behind it what the operation does. Its
// mirror is check/driver/perform.cc, which makes the system calls.
//
// A function returns the rule that refuses, or Rule::none when it was done.
#include "model/apply.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "model/faults.h"
#include "model/lookup.h"
#include "model/propagation.h"

namespace pivotcheck::model {
namespace {

constexpr std::size_t text_bytes_max = 4096;  // PATH_MAX, with the byte that ends it

class Operation {
 public:
  Operation(World& world, TaskIndex task) : world_(world), index_(task) {}

  Verdict::Stop stop = Verdict::Stop::no;

  // --- names

  Rule operator()(const Mkdir& op) {
    ParentResult at;
    if (const Rule r = place_for_new(op.path, at); r != Rule::none) return r;
    world_.new_dentry(at.directory.dentry, at.name, Kind::directory, 0755);
    return Rule::none;
  }

  Rule operator()(const Rmdir& op) {
    const ParentResult at = look_up_parent(world_, task(), op.path);
    if (at.refused != Rule::none) return at.refused;
    switch (at.last) {
      case ParentResult::Last::dot: return Rule::rmdir_dot;
      case ParentResult::Last::dot_dot: return Rule::rmdir_dot_dot;
      case ParentResult::Last::root: return Rule::rmdir_root;
      case ParentResult::Last::name: break;
    }
    DentryId found;
    if (const Rule r = existing_name(at, found); r != Rule::none) return r;
    if (!may_write(world_, task(), at.directory.dentry)) return Rule::directory_write_denied;
    if (world_[found].kind != Kind::directory) return Rule::rmdir_not_directory;
    if (is_mount_point_here(found)) return Rule::rmdir_mount_point;
    if (!world_[found].children.empty()) return Rule::rmdir_not_empty;
    remove(found);
    return Rule::none;
  }

  Rule operator()(const Touch& op) {
    const bool checks_name_first = world_.traits.open_looks_before_it_holds;
    const ParentResult at = look_up_parent(world_, task(), op.path, checks_name_first);
    if (at.refused != Rule::none) return at.refused;
    // Unlike mkdir, open goes to what is there, and gives it back: an expiry mark is cleared.
    if (at.last != ParentResult::Last::name) {
      const LookupResult there = look_up(world_, task(), op.path);
      return there.refused != Rule::none ? there.refused : Rule::name_exists;
    }
    if (at.trailing_slash) return Rule::touch_trailing_slash;
    const Rule refused = new_name(at);
    if (refused == Rule::name_exists) {
      const DentryId there = world_.child(at.directory.dentry, at.name);
      world_[world_.topmost({at.directory.mount, there}).mount].expiry_mark = false;
      return refused;
    }
    if (!planted(Fault::expire_mark_survives_making)) {
      world_[at.directory.mount].expiry_mark = false;
    }
    if (refused != Rule::none) return refused;
    world_.new_dentry(at.directory.dentry, at.name, Kind::file, 0644);
    return Rule::none;
  }

  Rule operator()(const Unlink& op) {
    const ParentResult at = look_up_parent(world_, task(), op.path);
    if (at.refused != Rule::none) return at.refused;
    if (at.last != ParentResult::Last::name) return Rule::unlink_directory;
    DentryId found;
    if (const Rule r = existing_name(at, found); r != Rule::none) return r;
    const bool is_directory = world_[found].kind == Kind::directory;
    if (at.trailing_slash) {
      return is_directory ? Rule::unlink_directory : Rule::unlink_trailing_slash;
    }
    if (!may_write(world_, task(), at.directory.dentry)) return Rule::directory_write_denied;
    if (is_directory) return Rule::unlink_directory;
    if (is_mount_point_here(found)) return Rule::unlink_mount_point;
    remove(found);
    return Rule::none;
  }

  Rule operator()(const Rename& op) {
    const ParentResult from = look_up_parent(world_, task(), op.from);
    if (from.refused != Rule::none) return from.refused;
    const ParentResult to = look_up_parent(world_, task(), op.to);
    if (to.refused != Rule::none) return to.refused;
    if (from.directory.mount != to.directory.mount) return Rule::rename_other_mount;
    if (from.last != ParentResult::Last::name || to.last != ParentResult::Last::name) {
      return Rule::rename_dots;
    }
    DentryId source;
    if (const Rule r = existing_name(from, source); r != Rule::none) return r;
    const DentryId from_directory = from.directory.dentry;
    const DentryId to_directory = to.directory.dentry;
    if (const Rule r = name_can_be(to); r != Rule::none) return r;
    const DentryId target = world_.child(to_directory, to.name);
    const bool is_directory = world_[source].kind == Kind::directory;
    if (!is_directory && (from.trailing_slash || to.trailing_slash)) {
      return Rule::rename_trailing_slash;
    }
    if (from_directory != to_directory) {
      if (world_.is_below_or_at(to_directory, source)) return Rule::rename_into_itself;
      if (target.exists() && world_.is_below_or_at(from_directory, target)) {
        return Rule::rename_onto_ancestor;
      }
    }
    if (source == target) return Rule::none;
    if (const Rule r = may_replace(source, target, from_directory, to_directory);
        r != Rule::none) {
      return r;
    }
    if (target.exists()) remove(target);
    std::erase(world_[from_directory].children, source);
    world_[to_directory].children.push_back(source);
    world_[source].parent = to_directory;
    world_[source].name = to.name;
    return Rule::none;
  }

  Rule operator()(const Symlink& op) {
    if (op.target.text.empty()) return Rule::symlink_target_empty;
    if (op.target.text.size() >= text_bytes_max) return Rule::symlink_target_too_long;
    ParentResult at = look_up_parent(world_, task(), op.path);
    if (at.refused != Rule::none) return at.refused;
    if (at.last != ParentResult::Last::name) return Rule::name_exists;
    if (const Rule r = name_can_be(at); r != Rule::none) return r;
    if (world_.child(at.directory.dentry, at.name).exists()) return Rule::name_exists;
    if (at.trailing_slash) return Rule::symlink_trailing_slash;
    if (const Rule r = new_name(at); r != Rule::none) return r;
    const DentryId link = world_.new_dentry(at.directory.dentry, at.name, Kind::symlink, 0777);
    world_[link].target = op.target.text;
    return Rule::none;
  }

  Rule operator()(const Chmod& op) {
    const LookupResult at = look_up(world_, task(), op.path);
    if (at.refused != Rule::none) return at.refused;
    if (is_read_only(world_, at.at.mount)) return Rule::read_only;
    world_[at.at.dentry].mode = op.mode.bits;
    return Rule::none;
  }

  // --- mounts

  Rule operator()(const pivotcheck::Mount& op) {
    const LookupResult target = look_up(world_, task(), op.path);
    if (target.refused != Rule::none) return target.refused;
    if (!may_mount()) return Rule::mount_no_capability;
    if (!world_.capable(task(), Capability::sys_admin, task().user)) {
      return Rule::mount_type_no_capability;
    }
    Location at;
    if (const Rule r = place_for_mount(target.at, at); r != Rule::none) return r;
    if (world_[at.dentry].kind != Kind::directory) return Rule::mount_kind_mismatch;
    const bool read_only = op.flags.has(MountFlag::ro);
    const FilesystemId filesystem = world_.new_filesystem(op.type, read_only, task().user);
    const MountIndex mount = world_.new_mount(world_[filesystem].root);
    world_[mount].flags = op.flags;
    return attach(mount, at);
  }

  Rule operator()(const Bind& op) {
    LookupResult source;
    LookupResult target;
    if (const Rule r = source_and_target(op.source, op.target, source, target);
        r != Rule::none) {
      return r;
    }
    Location at;
    if (const Rule r = place_for_mount(target.at, at); r != Rule::none) return r;
    const MountIndex from = source.at.mount;
    if (const Rule r = refuse_copy(source.at, op.recursive); r != Rule::none) return r;
    if (!same_kind(source.at.dentry, at.dentry)) return Rule::mount_kind_mismatch;
    if (shows_removed(source.at, op.recursive)) return Rule::mount_source_removed;
    const MountIndex copy =
        clone_tree(world_, from, source.at.dentry, {.recursive = op.recursive});
    world_[copy].locked = planted(Fault::bind_stays_locked) && world_[copy].locked;
    return attach(copy, at);
  }

  Rule operator()(const Move& op) {
    LookupResult source;
    LookupResult target;
    if (const Rule r = source_and_target(op.source, op.target, source, target);
        r != Rule::none) {
      return r;
    }
    return move(source.at, target.at, false);
  }

  Rule operator()(const ChangePropagation& op) {
    const LookupResult at = look_up(world_, task(), op.path);
    if (at.refused != Rule::none) return at.refused;
    if (!may_mount()) return Rule::mount_no_capability;
    if (!world_.is_mount_root(at.at)) return Rule::propagation_not_mount_point;
    if (const Rule r = refuse_propagation_change(at.at.mount); r != Rule::none) return r;
    change_propagation(world_, at.at.mount, op.to);
    if (!op.recursive || planted(Fault::recursive_change_stops)) return Rule::none;
    for (const MountIndex mount : world_.subtree(at.at.mount)) {
      if (mount != at.at.mount) change_propagation(world_, mount, op.to);
    }
    return Rule::none;
  }

  Rule operator()(const Remount& op) {
    const LookupResult at = look_up(world_, task(), op.path);
    if (at.refused != Rule::none) return at.refused;
    if (!may_mount()) return Rule::mount_no_capability;
    Mount& mount = world_[at.at.mount];
    if (mount.mount_ns != task().mount_ns) return Rule::remount_foreign;
    if (!world_.is_mount_root(at.at)) return Rule::remount_not_mount_point;
    MountFlags wanted = op.flags.flags;
    // mount(2): a remount that says nothing of atime leaves it as it is.
    if (mount.flags.has(MountFlag::noatime) && !planted(Fault::remount_forgets_noatime)) {
      wanted.set(MountFlag::noatime);
    }
    if (changes_locked_flags(at.at.mount, wanted)) return Rule::remount_locked_flag;
    mount.flags = wanted;
    return Rule::none;
  }

  Rule operator()(const Umount& op) {
    const LookupResult at =
        look_up(world_, task(), op.path,
                {.follow_last = planted(Fault::umount_follows) ||
                                !op.flags.has(UmountFlag::nofollow),
                 .to_the_top = true, .keep_expiry_mark = true});
    if (at.refused != Rule::none) return at.refused;
    if (!may_mount()) return Rule::umount_no_capability;
    const MountIndex mount = at.at.mount;
    if (!world_.is_mount_root(at.at)) return Rule::umount_not_mount_point;
    if (world_[mount].mount_ns != task().mount_ns &&
        !(planted(Fault::umount_foreign_mount) && world_.has_parent(mount))) {
      return Rule::umount_foreign;
    }
    if (world_[mount].locked && !planted(Fault::umount_locked_root)) return Rule::umount_locked;
    const bool detach = op.flags.has(UmountFlag::detach);
    const bool is_own_root = mount == task().root.mount;
    if (op.flags.has(UmountFlag::expire)) {
      if (detach && !planted(Fault::expire_with_detach)) return Rule::umount_expire_with_detach;
      if (is_own_root && !planted(Fault::expire_of_root)) return Rule::umount_expire_root;
      if (is_busy(mount) && !planted(Fault::expire_of_busy)) return Rule::umount_expire_busy;
      if (!std::exchange(world_[mount].expiry_mark, !planted(Fault::expire_never_marks))) {
        return Rule::umount_expire_marked;
      }
    }
    if (is_own_root && !detach) return make_root_read_only(mount);
    if (!detach) {
      if (is_busy(mount)) return Rule::umount_busy;
      if (is_busy_elsewhere(mount) && !planted(Fault::umount_ignores_elsewhere)) {
        return Rule::umount_propagation_busy;
      }
    }
    umount_tree(world_, mount,
                {.propagate = !planted(Fault::umount_stays_here), .lazy = detach});
    return Rule::none;
  }

  // --- roots

  Rule operator()(const PivotRoot& op) {
    const bool paths_first = planted(Fault::pivot_paths_before_capability);
    const bool allowed = may_mount() || planted(Fault::pivot_without_capability);
    if (!allowed && !paths_first) return Rule::pivot_no_capability;
    const LookupResult new_root =
        look_up(world_, task(), op.new_root, {.want_directory = true});
    if (new_root.refused != Rule::none) return new_root.refused;
    const LookupResult put_old = look_up(world_, task(), op.put_old, {.want_directory = true});
    if (put_old.refused != Rule::none) return put_old.refused;
    if (!allowed) return Rule::pivot_no_capability;
    const Location old_at = world_.topmost(put_old.at);  // the old root is mounted on top
    const Location root = task().root;
    world_[old_at.mount].expiry_mark = world_[root.mount].expiry_mark = false;
    if (const Rule r = refuse_pivot(new_root.at, old_at, root); r != Rule::none) return r;
    if (planted(Fault::pivot_propagates)) {
      for (const MountIndex m : receivers(world_, root.mount)) make_private(m);
      for (const MountIndex m : receivers(world_, new_root.at.mount)) make_private(m);
    }

    Mount& root_mount = world_[root.mount];
    const MountIndex root_parent = root_mount.parent;
    const DentryId root_place = root_mount.mount_point;
    world_.detach_from_parent(new_root.at.mount);
    world_.detach_from_parent(root.mount);
    // The lock stays with the place: what is now the lowest mount may not be taken away.
    if (std::exchange(root_mount.locked, planted(Fault::pivot_lock_kept) && root_mount.locked)) {
      world_[new_root.at.mount].locked = !planted(Fault::pivot_lock_lost);
    }
    world_.attach(root.mount, old_at.mount, old_at.dentry);
    world_.attach(new_root.at.mount, root_parent, root_place);
    for (Task& other : world_.tasks) {
      if (moves_root(other, root)) other.root = new_root.at;
      if (moves_directory(other, root)) other.current_directory = new_root.at;
    }
    return Rule::none;
  }

  Rule operator()(const Chroot& op) {
    const LookupResult at = look_up(world_, task(), op.path, {.want_directory = true});
    if (at.refused != Rule::none) return at.refused;
    if (!may_search(world_, task(), at.at.dentry)) return Rule::search_denied;
    if (!world_.capable(task(), Capability::sys_chroot, task().user) &&
        !planted(Fault::chroot_without_capability)) {
      return Rule::chroot_no_capability;
    }
    task().root = at.at;
    return Rule::none;
  }

  Rule operator()(const Chdir& op) {
    const LookupResult at = look_up(world_, task(), op.path, {.want_directory = true});
    if (at.refused != Rule::none) return at.refused;
    if (!may_search(world_, task(), at.at.dentry)) return Rule::search_denied;
    task().current_directory = at.at;
    return Rule::none;
  }

  Rule operator()(const Open& op) {
    const LookupResult at = look_up(world_, task(), op.path);
    if (at.refused != Rule::none) return at.refused;
    return keep(op.handle, at.at, {});
  }

  Rule operator()(const Fchdir& op) {
    const Handle* handle = find_handle(task(), op.handle.text);
    if (handle == nullptr) return Rule::handle_closed;
    if (world_[handle->at.dentry].kind != Kind::directory) return Rule::fchdir_not_directory;
    if (!may_search(world_, task(), handle->at.dentry)) return Rule::search_denied;
    task().current_directory = handle->at;
    return Rule::none;
  }

  Rule operator()(const Close& op) {
    if (find_handle(task(), op.handle.text) == nullptr) return Rule::handle_closed;
    std::erase_if(task().handles, [&](const Handle& h) { return h.name == op.handle.text; });
    return Rule::none;
  }

  // --- tasks

  Rule operator()(const Spawn& op) {
    Task copy = task();
    copy.name = op.task.text;
    world_.tasks.push_back(std::move(copy));
    return Rule::none;
  }

  Rule operator()(const Exit&) {
    task().alive = false;
    leave_space(task().mount_ns);
    return Rule::none;
  }

  Rule operator()(const Unshare& op) {
    const bool user = op.kinds.has(NamespaceKind::user);
    if (user && task().root != world_.namespace_root(task().mount_ns) &&
        !planted(Fault::unshare_user_anywhere)) {
      return Rule::unshare_user_chrooted;
    }
    if (user && world_[task().user].level >= user_namespace_depth_max) return too_large();
    if (!user && !world_.capable(task(), Capability::sys_admin, task().user)) {
      return Rule::unshare_mnt_no_capability;
    }
    if (user) enter_new_user_namespace();
    if (op.kinds.has(NamespaceKind::mnt)) return enter_new_mount_namespace();
    return Rule::none;
  }

  Rule operator()(const Setns& op) {
    const TaskIndex other = world_.find_task(op.task.text);
    PIVOTCHECK_CHECK(other.exists());
    const UserNamespaceId user = world_[other].user;
    const NamespaceId mount_ns = world_[other].mount_ns;
    if (user != task().user && !world_.is_below(user, task().user)) {
      return Rule::setns_may_not_inspect;
    }
    const bool enters_user = op.kinds.has(NamespaceKind::user);
    if (enters_user && user == task().user) return Rule::setns_same_user_namespace;
    Location root;
    if (op.kinds.has(NamespaceKind::mnt)) {
      const UserNamespaceId then = enters_user ? user : task().user;
      if (!world_.capable(task(), Capability::sys_admin, world_[mount_ns].owner) ||
          !world_.capable(task(), Capability::sys_admin, then) ||
          !(world_.capable(task(), Capability::sys_chroot, then) ||
            planted(Fault::setns_without_chroot))) {
        return Rule::setns_mnt_no_capability;
      }
      root = world_.namespace_root(mount_ns);
      if (!root.mount.exists()) {
        stop = Verdict::Stop::leaves_the_world;
        return Rule::none;
      }
    }
    if (enters_user) {
      task().user = user;
      task().capabilities = {Capability::sys_admin, Capability::sys_chroot, Capability::dac};
    }
    if (op.kinds.has(NamespaceKind::mnt)) {
      const NamespaceId left = std::exchange(task().mount_ns, mount_ns);
      if (planted(Fault::setns_below_covers)) root = lowest_root(mount_ns);
      task().root = root;
      if (!planted(Fault::setns_keeps_cwd)) task().current_directory = root;
      leave_space(left);
    }
    return Rule::none;
  }

  Rule operator()(const DropCapabilities& op) {
    task().capabilities = task().capabilities.without(op.capabilities);
    return Rule::none;
  }

  // --- the mount API by descriptors

  Rule operator()(const OpenTree& op) {
    const bool clone = op.flags.has(OpenTreeFlag::clone);
    const bool recursive = op.flags.has(OpenTreeFlag::recursive);
    if (recursive && !clone) return Rule::open_tree_recursive_alone;
    if (clone && !may_mount() && !planted(Fault::open_tree_without_capability)) {
      return Rule::open_tree_no_capability;
    }
    const LookupResult source = look_up(world_, task(), op.path);
    if (source.refused != Rule::none) return source.refused;
    if (!clone) return keep(op.handle, source.at, {});
    if (const Rule r = refuse_copy(source.at, recursive); r != Rule::none) return r;
    const NamespaceId from = world_[source.at.mount].mount_ns;
    const bool from_detached = world_.is_detached_tree(from);
    const NamespaceId origin = from_detached ? world_[from].origin : from;
    const DentryId shown = source.at.dentry;
    const MountIndex copy =
        clone_tree(world_, source.at.mount, shown, {.recursive = recursive});
    world_[copy].locked = false;
    return keep_detached(op.handle, copy, origin);
  }

  Rule operator()(const MoveMount& op) {
    if (!may_mount() && !planted(Fault::move_mount_without_capability)) {
      return Rule::move_mount_no_capability;
    }
    const bool beneath = op.flags.has(MoveMountFlag::beneath);
    const bool set_group = op.flags.has(MoveMountFlag::set_group);
    if (beneath && !world_.traits.moves_beneath) return Rule::move_mount_beneath_unknown;
    if (beneath && set_group) return Rule::move_mount_both;
    LookupResult source;
    LookupResult target;
    const bool target_first = world_.traits.move_mount_target_first;
    if (!target_first) source = look_up(world_, task(), op.source);
    if (source.refused != Rule::none) return source.refused;
    target = look_up(world_, task(), op.target);
    if (target.refused != Rule::none) return target.refused;
    if (target_first) source = look_up(world_, task(), op.source);
    if (source.refused != Rule::none) return source.refused;
    return set_group ? take_group_of(source.at, target.at) : move(source.at, target.at, beneath);
  }

  Rule operator()(const MountSetattr& op) {
    if (!may_mount()) return Rule::setattr_no_capability;
    const LookupResult at = look_up(world_, task(), op.path);
    if (at.refused != Rule::none) return at.refused;
    const MountIndex top = at.at.mount;
    if (!world_.is_mount_root(at.at)) return Rule::setattr_not_mount_point;
    const NamespaceId mount_ns = world_[top].mount_ns;
    const bool is_detached_root = world_.is_detached_tree(mount_ns) && !world_.has_parent(top);
    if (mount_ns != task().mount_ns && !is_detached_root) return Rule::setattr_foreign;
    std::vector<MountIndex> mounts{top};
    if (op.recursive.on && !planted(Fault::setattr_stops)) mounts = world_.subtree(top);
    for (const MountIndex mount : mounts) {
      if (changes_locked_flags(mount, changed(world_[mount].flags, op.change)) &&
          !planted(Fault::setattr_unlocks)) {
        return Rule::setattr_locked_flag;
      }
      if (planted(Fault::setattr_by_halves)) {
        world_[mount].flags = changed(world_[mount].flags, op.change);
      }
    }
    for (const MountIndex mount : mounts) {
      world_[mount].flags = changed(world_[mount].flags, op.change);
      if (op.change.propagation && !planted(Fault::setattr_propagation_forgotten)) {
        change_propagation(world_, mount, *op.change.propagation);
      }
    }
    return Rule::none;
  }

  Rule operator()(const Fsmount& op) {
    if (!may_mount()) return Rule::fsmount_no_capability;
    if (!world_.capable(task(), Capability::sys_admin, task().user)) {
      return Rule::mount_type_no_capability;
    }
    const bool read_only = op.flags.has(MountFlag::ro);
    const FilesystemId filesystem = world_.new_filesystem(op.type, read_only, task().user);
    const MountIndex mount = world_.new_mount(world_[filesystem].root);
    if (!planted(Fault::fsmount_forgets_flags)) world_[mount].flags = op.flags;
    return keep_detached(op.handle, mount, {});
  }

 private:
  Task& task() { return world_[index_]; }

  Rule too_large() {
    stop = Verdict::Stop::too_large;
    return Rule::none;
  }

  // mount_namespaces(7): changing mounts needs CAP_SYS_ADMIN over the owner of one's namespace.
  bool may_mount() {
    return world_.capable(task(), Capability::sys_admin, world_[task().mount_ns].owner);
  }

  // The name can be in that directory at all: the directory is there, the name is short enough.
  Rule name_can_be(const ParentResult& at) {
    if (world_[at.directory.dentry].removed) return Rule::directory_removed;
    return at.name.size() > 255 ? Rule::name_too_long : Rule::none;
  }

  Rule new_name(const ParentResult& at) {
    if (const Rule r = name_can_be(at); r != Rule::none) return r;
    const bool read_only = is_read_only(world_, at.directory.mount);
    if (planted(Fault::read_only_first) && read_only) return Rule::read_only;
    if (world_.child(at.directory.dentry, at.name).exists()) return Rule::name_exists;
    if (read_only) return Rule::read_only;
    if (!may_write(world_, task(), at.directory.dentry)) return Rule::directory_write_denied;
    return Rule::none;
  }

  Rule place_for_new(const Path& path, ParentResult& at) {
    at = look_up_parent(world_, task(), path);
    if (at.refused != Rule::none) return at.refused;
    if (at.last != ParentResult::Last::name) return Rule::name_exists;
    return new_name(at);
  }

  Location lowest_root(NamespaceId mount_ns) {
    const MountIndex lowest = world_.lowest_mount(mount_ns);
    return {lowest, world_[lowest].root};
  }

  // A name that is to be removed or renamed. Whether that may be written comes first of all.
  Rule existing_name(const ParentResult& at, DentryId& found) {
    const bool read_only = is_read_only(world_, at.directory.mount);
    if (read_only && !planted(Fault::missing_before_read_only)) return Rule::read_only;
    if (const Rule r = name_can_be(at); r != Rule::none) return r;
    found = world_.child(at.directory.dentry, at.name);
    if (found.exists() && read_only) return Rule::read_only;
    return found.exists() ? Rule::none : Rule::name_missing;
  }

  Rule may_replace(DentryId source, DentryId target, DentryId from, DentryId to) {
    if (!may_write(world_, task(), from)) return Rule::directory_write_denied;
    if (!may_write(world_, task(), to)) return Rule::directory_write_denied;
    const bool is_directory = world_[source].kind == Kind::directory;
    if (target.exists()) {
      const bool onto_directory = world_[target].kind == Kind::directory;
      if (is_directory && !onto_directory) return Rule::rename_onto_file;
      if (!is_directory && onto_directory) return Rule::rename_onto_directory;
    }
    // Its '..' would change, so it must be writable itself.
    if (is_directory && from != to && (world_[source].mode & 0200U) == 0 &&
        !task().capabilities.has(Capability::dac)) {
      return Rule::directory_write_denied;
    }
    if (planted(Fault::rename_takes_mounts)) return Rule::none;
    if (is_mount_point_here(source) || (target.exists() && is_mount_point_here(target))) {
      return Rule::rename_mount_point;
    }
    if (target.exists() && !world_[target].children.empty()) return Rule::rename_not_empty;
    return Rule::none;
  }

  // Something is mounted on it in the task's own namespace, through whichever mount of it.
  bool is_mount_point_here(DentryId dentry) {
    return std::ranges::any_of(world_.mounts, [&](const Mount& mount) {
      if (planted(Fault::rmdir_sees_whole_only) && mount.parent.exists() &&
          world_[world_[mount.parent].root].parent != world_[mount.parent].root) {
        return false;
      }
      return mount.exists && mount.parent.exists() && mount.mount_point == dentry &&
             (mount.mount_ns == task().mount_ns || planted(Fault::rmdir_sees_all_namespaces));
    });
  }

  void remove(DentryId dentry) {
    world_.unlink_dentry(dentry);
    umount_from_removed(world_, dentry);
  }

  Rule source_and_target(const Path& source_path, const Path& target_path, LookupResult& source,
                         LookupResult& target) {
    if (source_path.text.size() >= text_bytes_max) return Rule::mount_source_too_long;
    target = look_up(world_, task(), target_path);
    if (target.refused != Rule::none) return target.refused;
    if (!may_mount() && !planted(Fault::mount_without_capability)) return Rule::mount_no_capability;
    if (source_path.handle.empty() && source_path.text.empty()) return Rule::mount_source_empty;
    source = look_up(world_, task(), source_path);
    return source.refused;
  }

  // Mounting is always done on top of what is mounted there already.
  Rule place_for_mount(Location target, Location& at) {
    at = world_.topmost(target);
    world_[at.mount].expiry_mark = false;
    if (is_gone(at)) {
      return Rule::mount_target_gone;
    }
    return world_[at.mount].mount_ns == task().mount_ns ? Rule::none : Rule::mount_target_foreign;
  }

  // A detached tree that tasks of this namespace may copy, and put something in.
  bool is_usable_detached_tree(NamespaceId mount_ns) {
    return world_.traits.detached_trees_can_grow && world_.is_detached_tree(mount_ns) &&
           (!world_[mount_ns].origin.exists() || world_[mount_ns].origin == task().mount_ns);
  }

  Rule refuse_copy(Location source, bool recursive) {
    const MountIndex from = source.mount;
    if (world_[from].unbindable && !planted(Fault::bind_of_unbindable)) {
      return Rule::bind_unbindable;
    }
    if (world_[from].mount_ns != task().mount_ns && !is_usable_detached_tree(world_[from].mount_ns)) {
      return Rule::bind_source_foreign;
    }
    if (!recursive && has_locked_children(source) && !planted(Fault::bind_reveals)) {
      return Rule::bind_locked_children;
    }
    if (recursive && would_leave_out_locked(source)) return Rule::bind_locked_unbindable;
    return Rule::none;
  }

  Rule keep(const HandleName& name, Location at, NamespaceId detached_tree) {
    for (Handle& handle : task().handles) {
      if (handle.name != name.text) continue;
      if (!planted(Fault::open_keeps_old)) handle = {name.text, at, detached_tree};
      return Rule::none;
    }
    task().handles.push_back({name.text, at, detached_tree});
    return Rule::none;
  }

  Rule keep_detached(const HandleName& name, MountIndex root, NamespaceId origin) {
    const UserNamespaceId owner = world_[task().mount_ns].owner;
    const NamespaceId tree = world_.new_detached_tree(root, owner, origin);
    if (world_.mount_count > mounts_max) return too_large();
    return keep(name, {root, world_[root].root}, tree);
  }

  bool changes_locked_flags(MountIndex mount, MountFlags wanted) {
    const Mount& m = world_[mount];
    const bool atime_is_locked = m.locked_flags.has(MountFlag::noatime);
    const bool atime_changes = wanted.has(MountFlag::noatime) != m.flags.has(MountFlag::noatime);
    return !wanted.contains(m.locked_flags.without({MountFlag::noatime})) ||
           (atime_is_locked && atime_changes);
  }

  static MountFlags changed(MountFlags flags, const AttributeChange& change) {
    return flags.without(change.clear).with(change.set);
  }

  // Where to: on top of what is mounted at the target or, beneath, between the topmost mount there
  // and what it is mounted on.
  Rule place_for_move(Location target, bool beneath, Location& at, MountIndex& over) {
    if (!beneath) {
      at = world_.topmost(target);
      world_[at.mount].expiry_mark = false;
      return is_gone(at) ? Rule::mount_target_gone : Rule::none;
    }
    if (!world_.is_mount_root(target)) return Rule::beneath_not_mount_point;
    if (!world_[target.mount].mount_ns.exists()) return Rule::mount_target_gone;
    over = world_.topmost(target).mount;
    // Whether the directory that the mount on top shows was removed does not matter, as nothing is
    // put on it; but what has no parent is taken for its own.
    if (!world_.has_parent(over)) {
      return world_[target.dentry].removed ? Rule::mount_target_gone : Rule::beneath_detached_root;
    }
    at = {world_[over].parent, world_[over].mount_point};
    // The lowest mount of a detached tree, covered once, is taken for what covers it.
    const bool is_lowest = !world_.has_parent(target.mount) && at.mount == target.mount;
    if (is_lowest && world_.traits.beneath_looks_at_detached_root) over = target.mount;
    return Rule::none;
  }

  // Who may be moved to where: a mount of one's own namespace within it, or a whole detached tree.
  Rule refuse_move(MountIndex moved, MountIndex onto) {
    const NamespaceId from = world_[moved].mount_ns;
    const NamespaceId to = world_[onto].mount_ns;
    if (from == task().mount_ns) {
      if (to != task().mount_ns) return Rule::mount_target_foreign;
      if (world_[moved].locked && !planted(Fault::move_of_locked)) return Rule::move_locked;
      const bool shared = world_.is_shared(world_[moved].parent);
      return shared && !planted(Fault::move_from_shared) ? Rule::move_shared_parent : Rule::none;
    }
    if (!world_.is_detached_tree(from)) return Rule::move_foreign;
    if (world_.has_parent(moved)) return Rule::move_inside_detached_tree;
    if (from == to) return Rule::move_detached_into_itself;
    if (to != task().mount_ns && !is_usable_detached_tree(to)) return Rule::mount_target_foreign;
    return Rule::none;
  }

  // `over` is on top of `place`; or, by the quirk, it is the mount that has that place.
  Rule refuse_beneath(MountIndex moved, MountIndex over, Location place) {
    if (world_[over].locked && !planted(Fault::beneath_locked)) return Rule::beneath_locked;
    if (world_.mounted_at(moved, world_[moved].root).exists() &&
        !planted(Fault::beneath_covered_source)) {
      return Rule::beneath_source_covered;
    }
    if (over == task().root.mount && !planted(Fault::beneath_own_root)) {
      return Rule::beneath_own_root;
    }
    const auto propagates_to = [&](MountIndex mount) {
      return propagates_onto(world_, place.mount, place.dentry, mount);
    };
    const bool onto_top = over == place.mount ? world_.is_shared(over) : propagates_to(over);
    if (place.mount == world_[task().mount_ns].rootfs) return Rule::beneath_namespace_root;
    if (is_at_or_below(moved, over)) return Rule::beneath_ancestor;
    if (onto_top) return Rule::beneath_propagates_onto_top;
    if (world_[moved].mount_ns == task().mount_ns && propagates_to(moved)) {
      return Rule::beneath_propagates_onto_source;
    }
    return Rule::none;
  }

  bool is_at_or_below(MountIndex mount, MountIndex ancestor) {
    while (mount != ancestor && world_.has_parent(mount)) mount = world_[mount].parent;
    return mount == ancestor;
  }

  // MS_MOVE, and move_mount.
  Rule move(Location source, Location target, bool beneath) {
    const bool is_root = world_.is_mount_root(source);
    const bool fits = same_kind(source.dentry, target.dentry);
    if (world_.traits.move_looks_at_shapes_first) {
      if (!is_root) return Rule::move_source_not_mount_point;
      if (!fits) return Rule::move_kind_mismatch;
    }
    Location at;
    MountIndex over;
    if (const Rule r = place_for_move(target, beneath, at, over); r != Rule::none) return r;
    const MountIndex moved = source.mount;
    if (const Rule r = refuse_move(moved, at.mount); r != Rule::none) return r;
    if (!is_root) return Rule::move_source_not_mount_point;
    if (!fits) return Rule::move_kind_mismatch;
    if (beneath) {
      if (const Rule r = refuse_beneath(moved, over, at); r != Rule::none) return r;
    }
    const std::vector<MountIndex> tree = world_.subtree(moved);
    const auto is_unbindable = [this](MountIndex m) { return world_[m].unbindable; };
    if (world_.is_shared(at.mount) && std::ranges::any_of(tree, is_unbindable) &&
        !planted(Fault::move_unbindable_to_shared)) {
      return Rule::move_unbindable_to_shared;
    }
    if (std::ranges::find(tree, at.mount) != tree.end()) return Rule::move_into_itself;
    if (shows_removed(source, true)) return Rule::mount_source_removed;
    if (beneath && planted(Fault::beneath_goes_on_top)) at = {over, world_[over].root};
    return attach(moved, at);
  }

  // The propagation of a mount may be changed, or read to be given to another.
  Rule refuse_propagation_change(MountIndex mount) {
    const NamespaceId mount_ns = world_[mount].mount_ns;
    if (!mount_ns.exists()) return Rule::propagation_detached;
    return world_.capable(task(), Capability::sys_admin, world_[mount_ns].owner)
               ? Rule::none
               : Rule::propagation_foreign;
  }

  Rule take_group_of(Location source, Location target) {
    const MountIndex from = source.mount;
    const MountIndex to = target.mount;
    for (const MountIndex mount : {from, to}) {
      if (const Rule r = refuse_propagation_change(mount); r != Rule::none) return r;
    }
    if (!world_.is_mount_root(source)) return Rule::set_group_source_not_mount_point;
    if (!world_.is_mount_root(target)) return Rule::set_group_target_not_mount_point;
    const DentryId shown = world_[to].root;
    if (world_[shown].filesystem != world_[world_[from].root].filesystem) {
      return Rule::set_group_other_filesystem;
    }
    if (!world_.is_below_or_at(shown, world_[from].root) && !planted(Fault::set_group_wider)) {
      return Rule::set_group_wider;
    }
    if (has_locked_children({from, shown})) return Rule::set_group_locked_children;
    const auto is_private = [this](MountIndex m) {
      return !world_.is_shared(m) && !world_.master(m).exists();
    };
    if (!is_private(to)) return Rule::set_group_target_not_private;
    if (is_private(from)) return Rule::set_group_source_private;
    if (world_.is_shared(from) && !planted(Fault::set_group_only_master)) {
      world_.join_group(to, world_[from].group);
    } else {
      world_[to].own_master = world_.master(from);
    }
    return Rule::none;
  }

  bool is_gone(Location place) {
    return world_[place.dentry].removed ||
           (world_.traits.detached_target_is_gone && !world_[place.mount].mount_ns.exists());
  }

  bool same_kind(DentryId one, DentryId other) {
    return (world_[one].kind == Kind::directory) == (world_[other].kind == Kind::directory);
  }

  Rule attach(MountIndex mount, Location at) {
    const UserNamespaceId actor = world_[task().mount_ns].owner;
    return attach_tree(world_, mount, at, actor) ? Rule::none : too_large();
  }

  bool has_locked_children(Location at) {
    return std::ranges::any_of(world_[at.mount].children, [&](MountIndex child) {
      return world_[child].locked && world_.is_below_or_at(world_[child].mount_point, at.dentry);
    });
  }

  // A copy leaves out what is unbindable, with all below it.
  bool would_leave_out_locked(Location at) {
    std::vector<MountIndex> copied{at.mount};
    for (std::size_t i = 0; i < copied.size(); ++i) {
      for (const MountIndex child : world_[copied[i]].children) {
        if (i == 0 && !world_.is_below_or_at(world_[child].mount_point, at.dentry)) continue;
        if (!world_[child].unbindable) {
          copied.push_back(child);
        } else if (world_[child].locked) {
          return true;
        }
      }
    }
    return false;
  }

  // What is to be mounted shows something removed; of a stack (all of it moves, or is copied but
  // for what is unbindable) the topmost one counts since the kernel has to find a place on top of
  // it.
  bool shows_removed(Location at, bool with_stack) {
    with_stack = with_stack && world_.traits.slides_beneath_whole_stack;
    for (MountIndex above = world_.mounted_at(at.mount, at.dentry);
         with_stack && above.exists() && !world_[above].unbindable;
         above = world_.mounted_at(at.mount, at.dentry)) {
      at = {above, world_[above].root};
    }
    return world_[at.dentry].removed;
  }

  bool is_busy(MountIndex mount) {
    if (!world_[mount].children.empty()) return !planted(Fault::umount_with_children);
    return world_.is_referenced(mount) && !planted(Fault::umount_in_use);
  }

  // sharedsubtree.rst, 5d: a receiver's mount that has mounts on it does not count (it stays).
  bool is_busy_elsewhere(MountIndex mount) {
    const Mount& m = world_[mount];
    return std::ranges::any_of(receivers(world_, m.parent), [&](MountIndex receiver) {
      const MountIndex same = world_.mounted_at(receiver, m.mount_point);
      if (!same.exists() || !world_.is_referenced(same)) return false;
      const auto& children = world_[same].children;
      return children.empty() || planted(Fault::umount_busy_parents_elsewhere) ||
             (children.size() == 1 && world_.mounted_at(same, world_[same].root).exists());
    });
  }

  // Something that was removed from the filesystem of `dentry` is still shown or stood in.
  bool removed_in_use(DentryId dentry) {
    const auto is_such = [&](DentryId other) {
      return world_[other].removed && world_[other].filesystem == world_[dentry].filesystem;
    };
    const auto stands_in_such = [&](const Task& t) {
      return t.alive && (is_such(t.root.dentry) || is_such(t.current_directory.dentry) ||
                         std::ranges::any_of(t.handles,
                                             [&](const Handle& h) { return is_such(h.at.dentry); }));
    };
    return std::ranges::any_of(world_.tasks, stands_in_such) ||
           std::ranges::any_of(world_.mounts,
                               [&](const Mount& m) { return m.exists && is_such(m.root); });
  }

  Rule make_root_read_only(MountIndex mount) {
    Filesystem& filesystem = world_[world_[world_[mount].root].filesystem];
    if (!world_.capable(task(), Capability::sys_admin, filesystem.mounted_in)) {
      return Rule::umount_root_no_capability;
    }
    if (!filesystem.read_only && removed_in_use(world_[mount].root)) {
      return Rule::umount_root_removed_in_use;
    }
    filesystem.read_only = filesystem.read_only || !planted(Fault::umount_root_keeps_writable);
    return Rule::none;
  }

  Rule refuse_pivot(Location new_root, Location put_old, Location root) {
    if (const Rule r = refuse_pivot_mounts(new_root, put_old, root); r != Rule::none) return r;
    const bool shapes_first = planted(Fault::pivot_shapes_before_busy);
    if (shapes_first && !world_.is_mount_root(root)) return Rule::root_not_mount_point;
    // Without this check that of the mount points refuses what is not at the root, with EINVAL.
    if (new_root.mount == root.mount &&
        !(planted(Fault::pivot_new_root_on_root) && new_root != root)) {
      return Rule::new_root_on_root_mount;
    }
    if (put_old.mount == root.mount && !planted(Fault::pivot_put_old_on_root)) {
      return Rule::put_old_on_root_mount;
    }
    if (!world_.is_mount_root(root) && !planted(Fault::pivot_root_no_mount)) {
      return Rule::root_not_mount_point;
    }
    if (!world_.is_mount_root(new_root) && !planted(Fault::pivot_new_root_no_mount)) {
      return Rule::new_root_not_mount_point;
    }
    if (!world_.is_reachable(put_old, new_root) ||
        (planted(Fault::pivot_onto_itself) && put_old == new_root)) {
      return Rule::put_old_not_under_new_root;
    }
    if (!world_.is_reachable(new_root, root) &&
        !(planted(Fault::pivot_unreachable) && !world_.is_reachable(root, new_root))) {
      return Rule::new_root_not_under_root;
    }
    return Rule::none;
  }

  // What the mounts of a pivot are, each by itself.
  Rule refuse_pivot_mounts(Location new_root, Location put_old, Location root) {
    const auto is_foreign = [this](MountIndex mount) {
      return world_[mount].mount_ns != task().mount_ns &&
             !(planted(Fault::pivot_foreign) && world_.has_parent(mount));
    };
    if (is_gone(put_old) && !planted(Fault::pivot_put_old_gone)) return Rule::put_old_gone;
    if (is_foreign(root.mount)) return Rule::root_mount_foreign;
    if (is_foreign(new_root.mount)) return Rule::new_root_foreign;
    if (world_.is_shared(put_old.mount) && !planted(Fault::pivot_shared_put_old)) {
      return Rule::put_old_mount_shared;
    }
    if (world_.is_shared(world_[new_root.mount].parent) &&
        !planted(Fault::pivot_shared_new_root_parent)) {
      return Rule::new_root_parent_shared;
    }
    if (world_.is_shared(world_[root.mount].parent) && !planted(Fault::pivot_shared_root_parent)) {
      return Rule::root_parent_shared;
    }
    if (world_[new_root.mount].locked && !planted(Fault::pivot_locked_new_root)) {
      return Rule::new_root_locked;
    }
    if (world_[new_root.dentry].removed && !planted(Fault::pivot_removed_new_root)) {
      return Rule::new_root_removed;
    }
    return Rule::none;
  }

  void make_private(MountIndex mount) { change_propagation(world_, mount, Propagation::private_); }

  // pivot_root(2): every task whose root or current directory is the old root gets the new one.
  bool moves_root(const Task& other, Location old_root) {
    const bool own = &other == &task();
    if (planted(own ? Fault::pivot_forgets_own_root : Fault::pivot_forgets_other_roots)) {
      return false;
    }
    if (planted(Fault::pivot_moves_roots_elsewhere)) return other.root.mount == old_root.mount;
    return other.root == old_root;
  }
  bool moves_directory(const Task& other, Location old_root) {
    const bool own = &other == &task();
    if (planted(own ? Fault::pivot_forgets_own_cwd : Fault::pivot_forgets_other_cwds)) return false;
    const Location at = other.current_directory;
    if (planted(Fault::pivot_moves_cwds_elsewhere)) return at.mount == old_root.mount;
    return at == old_root;
  }

  void leave_space(NamespaceId mount_ns) {
    const bool in_use = std::ranges::any_of(
        world_.tasks, [mount_ns](const Task& t) { return t.alive && t.mount_ns == mount_ns; });
    if (!in_use && !planted(Fault::namespace_never_dies)) drop_namespace(world_, mount_ns);
  }

  void enter_new_user_namespace() {
    const UserNamespaceId id{static_cast<std::uint32_t>(world_.users.size())};
    world_.users.push_back({.parent = task().user, .level = world_[task().user].level + 1});
    task().user = id;
    task().capabilities = {Capability::sys_admin, Capability::sys_chroot, Capability::dac};
  }

  Rule enter_new_mount_namespace() {
    const NamespaceId left = task().mount_ns;
    const MountIndex rootfs = world_[left].rootfs;
    const std::vector<MountIndex> originals = world_.subtree(rootfs);
    if (static_cast<std::size_t>(world_.mount_count) + originals.size() - 1 > mounts_max) {
      return too_large();
    }
    const bool less_privileged = task().user != world_[left].owner;
    const NamespaceId entered{static_cast<std::uint32_t>(world_.spaces.size())};
    const MountIndex copy = clone_tree(
        world_, rootfs, world_[rootfs].root,
        {.recursive = true, .keep_unbindable = true,
         .shared_to_slave = less_privileged && !planted(Fault::namespace_copy_peer)});
    world_.spaces.push_back(
        {.owner = task().user, .rootfs = copy, .detached_root = {}, .origin = {}});
    if (less_privileged && !planted(Fault::namespace_copy_unlocked)) lock_tree(world_, copy);
    const std::vector<MountIndex> copies = world_.subtree(copy);
    PIVOTCHECK_CHECK(copies.size() == originals.size());
    for (std::size_t i = 0; i < copies.size(); ++i) {
      world_[copies[i]].mount_ns = entered;
      if (task().root.mount == originals[i] && !planted(Fault::unshare_keeps_root)) {
        task().root.mount = copies[i];
      }
      if (task().current_directory.mount == originals[i] && !planted(Fault::unshare_keeps_cwd)) {
        task().current_directory.mount = copies[i];
      }
    }
    world_.mount_count += static_cast<int>(copies.size()) - 1;
    task().mount_ns = entered;
    leave_space(left);
    return Rule::none;
  }

  World& world_;
  TaskIndex index_;
};

// A handle that is not open is refused before anything else is looked at (FORMAT.md).
bool names_closed_handle(const Task& task, const Op& op) {
  bool closed = false;
  const auto look = [&]<class Field>(const Field& field) {
    if constexpr (std::is_same_v<Field, Path>) {
      closed = closed ||
               (!field.handle.empty() && find_handle(task, field.handle) == nullptr);
    }
  };
  std::visit([&](const auto& operation) { operation.fields(operation, look); }, op);
  return closed;
}

}  // namespace
}  // namespace pivotcheck::model

namespace pivotcheck {

Verdict apply(model::World& world, const Step& step) {
  const model::TaskIndex task = world.find_task(step.task.text);
  PIVOTCHECK_CHECK(task.exists());
  Verdict verdict;
  world.met_many_links = false;
  if (model::names_closed_handle(world[task], step.op)) {
    verdict.rule = Rule::handle_closed;
  } else {
    model::Operation operation(world, task);
    verdict.rule = std::visit([&](const auto& op) { return operation(op); }, step.op);
    verdict.stop = operation.stop;
  }
  if (planted(Fault::refusal_leaves_trace) && verdict.rule != Rule::none) {
    world[task].current_directory = world[task].root;
  }
  verdict.eloop_possible = world.met_many_links && verdict.rule != Rule::too_many_links;
  if (verdict.rule != Rule::none) verdict.outcome.error = info(verdict.rule).error;
  if (verdict.stop == Verdict::Stop::no) model::forget_unused(world);
  return verdict;
}

}  // namespace pivotcheck
