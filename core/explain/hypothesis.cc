// SPDX-License-Identifier: Apache-2.0
// hypothesis.cc: build_world(). WorldBuilder makes the mounts; here are the paths: of a live
// process, where a child of the caller resolved them, and offline, where only their text is known.
#include "explain/hypothesis.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "explain/world_builder.h"
#include "model/lookup.h"

namespace pivotcheck::explain {
namespace {

using model::Location;

// The model looks a path up again after each remedy, so it gets the path wherever that leads to the
// right place; else a handle.
Path live_path(WorldBuilder& builder, const ResolvedPath& path, const char* handle, bool foreign,
               bool detached) {
  if (path.error != 0 && path.error != ENOENT) return path.asked;  // evaluate() needs only that
  if (path.mount == 0) return path.asked;
  const Location at = builder.locate(path, foreign, detached);
  if (path.names_current_directory && path.missing.empty()) return std::string(".");
  const std::string rest = path.missing.empty() ? "" : "/" + path.missing;
  if (path.below_root && !path.removed) {
    const auto found = look_up(builder.world, builder.task(), Path(path.path));
    if (!found.refused && found.at == at) {
      return path.path == "/" && !rest.empty() ? rest : path.path + rest;
    }
  }
  const int slot = static_cast<int>(builder.task().handles.size());
  model::Handle& held = builder.task().handles.emplace_back();
  held.name = handle;
  held.slot = slot;
  held.at = at;
  if (path.is_detached_tree) held.keeps = builder.world[at.mount].mount_ns;
  return held.path(rest);
}

void find_live_paths(const ProcessView& process, const Assumption& assumption,
                     WorldBuilder& builder, Hypothesis& hypothesis) {
  builder.task().current_directory = builder.locate(
      process.current_directory, assumption.new_root_foreign, assumption.put_old_detached);
  const bool on_one = process.new_root.mount == process.put_old.mount;
  hypothesis.new_root = live_path(builder, process.new_root, "n", assumption.new_root_foreign,
                                  on_one && assumption.put_old_detached);
  hypothesis.put_old = live_path(builder, process.put_old, "o", assumption.put_old_foreign,
                                 assumption.put_old_detached);
}

// Makes every name on the way that does not exist a directory. Where the path leads then; nullopt
// where a `..` leads nowhere.
std::optional<Location> make_offline_path(WorldBuilder& builder, const std::string& path) {
  model::World& world = builder.world;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string name = path.substr(begin, end - begin);
    const auto at = look_up(world, builder.task(), Path(begin == 0 ? "." : path.substr(0, begin)));
    if (!name.empty() && name != "." && name != ".." && !at.refused &&
        !world.child(at.at.dentry, name).exists()) {
      world.new_dentry(at.at.dentry, name, model::Kind::directory, 0755);
    }
    begin = end + 1;
  }
  const auto found = look_up(world, builder.task(), Path(path.empty() ? "." : path));
  return found.refused ? std::nullopt : std::optional(found.at);
}

// The root and the current directory are paths from the top of the text; the arguments, paths of
// the process.
void find_offline_paths(const ProcessView& process, WorldBuilder& builder, Hypothesis& hypothesis) {
  model::Task& task = builder.task();
  const Location top = task.root;
  const Location root = make_offline_path(builder, process.root.asked).value_or(top);
  const std::string& directory = process.current_directory.asked;
  task.current_directory =
      directory.empty() ? root : make_offline_path(builder, directory).value_or(top);
  task.root = root;
  make_offline_path(builder, process.new_root.asked);
  make_offline_path(builder, process.put_old.asked);
  hypothesis.new_root = process.new_root.asked;
  hypothesis.put_old = process.put_old.asked;
}

}  // namespace

Hypothesis build_world(const ProcessView& process, const Assumption& assumption) {
  WorldBuilder builder(process, assumption);
  Hypothesis hypothesis{.world = model::World(Privilege::root, process.traits),
                        .mounts = {},
                        .new_root = {},
                        .put_old = {},
                        .resolved_new_root = process.new_root,
                        .resolved_put_old = process.put_old,
                        .rootfs = builder.rootfs};
  if (process.offline) {
    find_offline_paths(process, builder, hypothesis);
  } else {
    find_live_paths(process, assumption, builder, hypothesis);
  }
  builder.lock_mounts();
  hypothesis.world = std::move(builder.world);
  hypothesis.mounts = std::move(builder.mounts);
  return hypothesis;
}

}  // namespace pivotcheck::explain
