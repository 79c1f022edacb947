// SPDX-License-Identifier: Apache-2.0
// lookup.cc: the walk that lookup.h describes.
#include "model/lookup.h"

#include "base/check.h"

namespace pivotcheck::model {
namespace {

constexpr int links_max = 40;  // path_resolution(7)

using Last = ParentResult::Last;

Last kind_of_last(std::string_view name) {
  if (name == ".") return Last::dot;
  if (name == "..") return Last::dot_dot;
  return Last::name;
}

// One walk.
class Walk {
 public:
  Walk(World& world, const Task& task) : world_(world), task_(task) {}

  Refusal start(const Path& path) {
    if (!path.handle.empty()) {
      const Handle* handle = find_handle(task_, path.slot);
      if (handle == nullptr) return Rule::handle_closed;
      at_ = handle->at;
      return {};
    }
    if (path.text.empty()) return Rule::path_empty;
    if (path.text.size() >= path_bytes_max) return Rule::path_too_long;
    at_ = path.text.front() == '/' ? task_.root : task_.current_directory;
    return {};
  }

  // Walks all of `text`, a link at its end only if `follow_last` or if a slash follows it.
  Refusal walk_all(std::string_view text, bool follow_last) {
    ParentResult parent;
    if (const Refusal r = walk_to_last(text, parent)) return r;
    if (parent.last == Last::root) return {};
    must_be_directory_ = must_be_directory_ || parent.trailing_slash;
    return step(parent.name, parent.last, follow_last || parent.trailing_slash);
  }

  // Walks all but the last component. Afterwards at() is the directory that should contain that.
  Refusal walk_to_last(std::string_view text, ParentResult& parent) {
    for (;;) {
      const std::size_t begin = text.find_first_not_of('/');
      if (begin == std::string_view::npos) {
        parent.last = Last::root;
        return {};
      }
      text.remove_prefix(begin);
      if (!may_search(world_, task_, at_.dentry)) return refuse_here(Rule::search_denied);
      const std::size_t end = text.find('/');
      const std::string_view name = text.substr(0, end);
      const bool is_last = text.find_first_not_of('/', name.size()) == std::string_view::npos;
      if (is_last) {
        parent.name = name;
        parent.last = kind_of_last(name);
        parent.trailing_slash = end != std::string_view::npos;
        return {};
      }
      if (const Refusal r = step(name, kind_of_last(name), true)) return r;
      if (world_[at_.dentry].kind != Kind::directory) return refuse_here(Rule::not_a_directory);
      text.remove_prefix(end);
    }
  }

  [[nodiscard]] Location at() const { return at_; }
  [[nodiscard]] bool must_be_directory() const { return must_be_directory_; }

 private:
  // The walk had to take references to the mount it is on, and to those of the links in whose text
  // it still is, and drops them.
  Refusal refuse_here(Rule rule) {
    world_[at_.mount].expiry_mark = false;
    for (const MountIndex mount : inside_links_) world_[mount].expiry_mark = false;
    return rule;
  }

  // The clock says whether the link's access time is updated; if so, the walk takes references from
  // here on.
  void read_link() {
    if (world_[at_.mount].flags.has(MountFlag::noatime)) return;
    if (world_[world_[at_.dentry].filesystem].read_only) return;
    for (Mount& mount : world_.mounts) mount.mark_is_unclear = true;
  }

  // The text of a link, which is at `directory`. It is left at its last name, once that is found.
  Refusal walk_link(std::string_view target, Location directory) {
    inside_links_.push_back(at_.mount);
    at_ = target.front() == '/' ? task_.root : directory;
    ParentResult parent;
    if (const Refusal r = walk_to_last(target, parent)) return r;
    must_be_directory_ = must_be_directory_ || parent.trailing_slash;
    if (parent.last != Last::name) inside_links_.pop_back();
    return step(parent.name, parent.last, true, parent.last == Last::name);
  }

  Refusal step(std::string_view name, Last kind, bool follow, bool leaves_link = false) {
    switch (kind) {
      case Last::root:
      case Last::dot:
        return {};
      case Last::dot_dot:
        return step_up();
      case Last::name:
        return step_down(name, follow, leaves_link);
    }
    return {};
  }

  Refusal step_up() {
    Location from = at_;
    while (from != task_.root && world_.is_mount_root(from)) {
      const Mount& mount = world_[from.mount];
      if (!mount.parent.exists()) {
        from = task_.root;  // nothing below: stays, as at the root
        break;
      }
      from = {mount.parent, mount.mount_point};
    }
    if (from == task_.root) {
      at_ = world_.topmost(at_);
      return {};
    }
    const DentryId parent = world_[from.dentry].parent;
    const DentryId shown = world_[from.mount].root;
    const bool shows_whole_filesystem = world_[shown].parent == shown;
    if (!shows_whole_filesystem && !world_.is_below_or_at(parent, shown)) {
      return refuse_here(Rule::dot_dot_escaped);
    }
    at_ = world_.topmost({from.mount, parent});
    return {};
  }

  Refusal step_down(std::string_view name, bool follow, bool leaves_link) {
    if (world_[at_.dentry].removed) return refuse_here(Rule::directory_removed);
    if (name.size() > name_bytes_max) return refuse_here(Rule::name_too_long);
    const DentryId found = world_.child(at_.dentry, name);
    if (!found.exists()) return refuse_here(Rule::name_missing);
    if (leaves_link) inside_links_.pop_back();
    const Location directory = at_;
    at_ = world_.topmost({at_.mount, found});
    if (world_[at_.dentry].kind != Kind::symlink || !follow) return {};
    if (++links_ > links_max) return Rule::too_many_links;
    if (world_[at_.mount].flags.has(MountFlag::nosymfollow)) return Rule::link_not_followed;
    if (links_ > links_max / 2) world_.met_many_links = true;
    read_link();
    return walk_link(world_[at_.dentry].target, directory);
  }

  World& world_;
  const Task& task_;
  Location at_;
  int links_ = 0;
  std::vector<MountIndex> inside_links_;
  bool must_be_directory_ = false;
};

}  // namespace

const Handle* find_handle(const Task& task, int slot) {
  PIVOTCHECK_CHECK(slot != no_slot);  // a path that was not resolved
  for (const Handle& handle : task.handles) {
    if (handle.slot == slot) return &handle;
  }
  return nullptr;
}

bool may_search(const World& world, const Task& task, DentryId directory) {
  return (world[directory].mode & 0100U) != 0 || task.capabilities.has(Capability::dac);
}

bool may_write(const World& world, const Task& task, DentryId directory) {
  return (world[directory].mode & 0300U) == 0300U || task.capabilities.has(Capability::dac);
}

bool is_read_only(const World& world, MountIndex mount) {
  return world[mount].flags.has(MountFlag::ro) ||
         world[world[world[mount].root].filesystem].read_only;
}

LookupResult look_up(World& world, const Task& task, const Path& path, LookupOptions options) {
  Walk walk(world, task);
  if (const Refusal r = walk.start(path)) return {r, {}};
  if (!path.handle.empty() && !path.text.empty() &&
      world[walk.at().dentry].kind != Kind::directory) {
    return {Rule::not_a_directory, {}};
  }
  if (const Refusal r = walk.walk_all(path.text, options.follow_last)) return {r, {}};
  Location at = walk.at();
  if (options.to_the_top) at = world.topmost(at);
  if (!options.keep_expiry_mark) world[at.mount].expiry_mark = false;
  const bool want_directory = options.want_directory || walk.must_be_directory();
  if (want_directory && world[at.dentry].kind != Kind::directory) {
    return {Rule::not_a_directory, {}};
  }
  return {{}, at};
}

Refusal look_up_parent(World& world, const Task& task, const Path& path, ParentResult& found,
                       bool keep_expiry_mark) {
  Walk walk(world, task);
  if (const Refusal r = walk.start(path)) return r;
  const bool from_handle = !path.handle.empty();
  if (from_handle && path.text.empty()) return Rule::path_empty;  // `@h` alone
  if (from_handle && world[walk.at().dentry].kind != Kind::directory) return Rule::not_a_directory;
  if (const Refusal r = walk.walk_to_last(path.text, found)) return r;
  // `@h/` names no name in h: it is h itself, as `./` is the current directory.
  if (from_handle && found.last == Last::root) found.last = Last::dot;
  found.directory = walk.at();
  if (!keep_expiry_mark) world[found.directory.mount].expiry_mark = false;
  return {};
}

}  // namespace pivotcheck::model
