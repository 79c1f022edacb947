// SPDX-License-Identifier: Apache-2.0
// names.cc: making, removing and renaming names: mkdir, rmdir, touch, unlink, rename, symlink,
// chmod. Sources: the pages of these names in section 2, path_resolution(7), and for names that are
// mount points mount_namespaces(7).
#include <algorithm>

#include "model/apply/call.h"
#include "model/propagation.h"

namespace pivotcheck::model {
namespace {

using Last = ParentResult::Last;

Refusal check_directory_and_length(const World& world, const ParentResult& at) {
  if (world[at.directory.dentry].removed) return Rule::directory_removed;
  return at.name.size() > name_bytes_max ? Rule::name_too_long : Refusal{};
}

// A name that is to be made.
Refusal check_new_name(const Call& call, const ParentResult& at) {
  const World& world = call.world;
  if (const Refusal r = check_directory_and_length(world, at)) return r;
  if (world.child(at.directory.dentry, at.name).exists()) return Rule::name_exists;
  if (is_read_only(world, at.directory.mount)) return Rule::read_only;
  if (!may_write(world, call.task(), at.directory.dentry)) return Rule::directory_write_denied;
  return {};
}

// A name that is to be removed or renamed. A read-only mount refuses before the name is looked for.
Refusal find_existing(const World& world, const ParentResult& at, DentryId& found) {
  if (is_read_only(world, at.directory.mount)) return Rule::read_only;
  if (const Refusal r = check_directory_and_length(world, at)) return r;
  found = world.child(at.directory.dentry, at.name);
  return found.exists() ? Refusal{} : Rule::name_missing;
}

// Something is mounted on it in the caller's mount namespace, through whichever mount.
bool is_mount_point_here(const Call& call, DentryId dentry) {
  return std::ranges::any_of(call.world.mounts, [&](const Mount& mount) {
    return mount.exists && mount.parent.exists() && mount.mount_point == dentry &&
           mount.mount_ns == call.task().mount_ns;
  });
}

// The second half of rename's refusals: `source` is renamed from one directory to another, in place
// of `target` if that exists.
Refusal check_rename(const Call& call, DentryId source, DentryId target, DentryId from,
                     DentryId to) {
  const World& world = call.world;
  if (!may_write(world, call.task(), from)) return Rule::directory_write_denied;
  if (!may_write(world, call.task(), to)) return Rule::directory_write_denied;
  const bool is_directory = world[source].kind == Kind::directory;
  if (target.exists()) {
    const bool onto_directory = world[target].kind == Kind::directory;
    if (is_directory && !onto_directory) return Rule::rename_onto_file;
    if (!is_directory && onto_directory) return Rule::rename_onto_directory;
  }
  // The '..' of a directory changes, so the directory itself must be writable.
  if (is_directory && from != to && (world[source].mode & 0200U) == 0 &&
      !call.task().capabilities.has(Capability::dac)) {
    return Rule::directory_write_denied;
  }
  if (is_mount_point_here(call, source) ||
      (target.exists() && is_mount_point_here(call, target))) {
    return Rule::rename_mount_point;
  }
  if (target.exists() && !world[target].children.empty()) return Rule::rename_not_empty;
  return {};
}

void remove(World& world, DentryId dentry) {
  world.unlink_dentry(dentry);
  umount_from_removed(world, dentry);
}

}  // namespace

Refusal apply(Call& call, const Mkdir& op) {
  ParentResult at;
  if (const Refusal r = find_parent(call, op.path, at)) return r;
  if (at.last != Last::name) return Rule::name_exists;
  if (const Refusal r = check_new_name(call, at)) return r;
  call.world.new_dentry(at.directory.dentry, at.name, Kind::directory, 0755);
  return {};
}

Refusal apply(Call& call, const Rmdir& op) {
  World& world = call.world;
  ParentResult at;
  if (const Refusal r = find_parent(call, op.path, at)) return r;
  switch (at.last) {
    case Last::dot: return Rule::rmdir_dot;
    case Last::dot_dot: return Rule::rmdir_dot_dot;
    case Last::root: return Rule::rmdir_root;
    case Last::name: break;
  }
  DentryId found;
  if (const Refusal r = find_existing(world, at, found)) return r;
  if (!may_write(world, call.task(), at.directory.dentry)) return Rule::directory_write_denied;
  if (world[found].kind != Kind::directory) return Rule::rmdir_not_directory;
  if (is_mount_point_here(call, found)) return Rule::rmdir_mount_point;
  if (!world[found].children.empty()) return Rule::rmdir_not_empty;
  remove(world, found);
  return {};
}

Refusal apply(Call& call, const Touch& op) {
  World& world = call.world;
  ParentResult at;
  const bool keep_expiry_mark = world.traits.open_checks_name_first;
  if (const Refusal r = find_parent(call, op.path, at, keep_expiry_mark)) return r;
  // Unlike mkdir, open resolves the whole path, and so clears the expiry mark at its end.
  if (at.last != Last::name) {
    Location there;
    if (const Refusal r = find(call, op.path, there)) return r;
    return Rule::name_exists;
  }
  if (at.trailing_slash) return Rule::touch_trailing_slash;
  const Refusal refused = check_new_name(call, at);
  if (refused == Rule::name_exists) {
    const DentryId there = world.child(at.directory.dentry, at.name);
    world[world.topmost({at.directory.mount, there}).mount].expiry_mark = false;
    return refused;
  }
  world[at.directory.mount].expiry_mark = false;
  if (refused) return refused;
  world.new_dentry(at.directory.dentry, at.name, Kind::file, 0644);
  return {};
}

Refusal apply(Call& call, const Unlink& op) {
  World& world = call.world;
  ParentResult at;
  if (const Refusal r = find_parent(call, op.path, at)) return r;
  if (at.last != Last::name) return Rule::unlink_directory;
  DentryId found;
  if (const Refusal r = find_existing(world, at, found)) return r;
  const bool is_directory = world[found].kind == Kind::directory;
  if (at.trailing_slash) {
    return is_directory ? Rule::unlink_directory : Rule::unlink_trailing_slash;
  }
  if (!may_write(world, call.task(), at.directory.dentry)) return Rule::directory_write_denied;
  if (is_directory) return Rule::unlink_directory;
  if (is_mount_point_here(call, found)) return Rule::unlink_mount_point;
  remove(world, found);
  return {};
}

Refusal apply(Call& call, const Rename& op) {
  World& world = call.world;
  ParentResult from;
  ParentResult to;
  if (const Refusal r = find_parent(call, op.from, from)) return r;
  if (const Refusal r = find_parent(call, op.to, to)) return r;
  if (from.directory.mount != to.directory.mount) return Rule::rename_other_mount;
  if (from.last != Last::name || to.last != Last::name) return Rule::rename_dots;
  DentryId source;
  if (const Refusal r = find_existing(world, from, source)) return r;
  if (const Refusal r = check_directory_and_length(world, to)) return r;
  const DentryId from_directory = from.directory.dentry;
  const DentryId to_directory = to.directory.dentry;
  const DentryId target = world.child(to_directory, to.name);
  const bool is_directory = world[source].kind == Kind::directory;
  if (!is_directory && (from.trailing_slash || to.trailing_slash)) {
    return Rule::rename_trailing_slash;
  }
  if (from_directory != to_directory) {
    if (world.is_below_or_at(to_directory, source)) return Rule::rename_into_itself;
    if (target.exists() && world.is_below_or_at(from_directory, target)) {
      return Rule::rename_onto_ancestor;
    }
  }
  if (source == target) return {};
  if (const Refusal r = check_rename(call, source, target, from_directory, to_directory)) return r;
  if (target.exists()) remove(world, target);
  world.rename_dentry(source, to_directory, to.name);
  return {};
}

Refusal apply(Call& call, const Symlink& op) {
  World& world = call.world;
  if (op.target.text.empty()) return Rule::symlink_target_empty;
  if (op.target.text.size() >= path_bytes_max) return Rule::symlink_target_too_long;
  ParentResult at;
  if (const Refusal r = find_parent(call, op.path, at)) return r;
  if (at.last != Last::name) return Rule::name_exists;
  if (const Refusal r = check_directory_and_length(world, at)) return r;
  if (world.child(at.directory.dentry, at.name).exists()) return Rule::name_exists;
  if (at.trailing_slash) return Rule::symlink_trailing_slash;
  if (const Refusal r = check_new_name(call, at)) return r;
  const DentryId link = world.new_dentry(at.directory.dentry, at.name, Kind::symlink, 0777);
  world[link].target = op.target.text;
  return {};
}

Refusal apply(Call& call, const Chmod& op) {
  Location at;
  if (const Refusal r = find(call, op.path, at)) return r;
  if (is_read_only(call.world, at.mount)) return Rule::read_only;
  call.world[at.dentry].mode = op.mode.bits;
  return {};
}

}  // namespace pivotcheck::model
