// SPDX-License-Identifier: Apache-2.0
// cross_check.cc: the two sources held against each other. They were read of the same world, so groups,
// filesystems and directories have the same numbers; mounts have two, and listmount tells both.
#include <algorithm>
#include <map>

#include "observe/observe.h"

namespace pivotcheck {
namespace {

class CrossCheck {
 public:
  CrossCheck(const Observation& all, const Observation& part) : all_(all), part_(part) {
    for (std::size_t i = 0; i < all.snapshot.namespaces.size(); ++i) {
      const std::vector<MountView>& mounts = all.snapshot.namespaces[i].mounts;
      for (std::size_t j = 0; j < mounts.size(); ++j) {
        in_mountinfo_[mounts[j].id] = all.mountinfo_ids[i][j];
      }
    }
  }

  std::vector<std::string> run() {
    const std::size_t count = part_.snapshot.namespaces.size();
    if (all_.snapshot.namespaces.size() != count ||
        all_.snapshot.tasks.size() != part_.snapshot.tasks.size()) {
      return {"another number of namespaces or tasks"};
    }
    for (std::size_t i = 0; i < count; ++i) check_mounts(i);
    for (std::size_t i = 0; i < all_.snapshot.tasks.size(); ++i) check_task(i);
    return std::move(lines_);
  }

 private:
  // As mountinfo should show it, with its own number; not as seen from there.
  [[nodiscard]] MountView translated(MountView mount) const {
    mount.id = in_mountinfo_.at(mount.id);
    if (mount.parent != 0) mount.parent = in_mountinfo_.at(mount.parent);
    return mount;
  }

  void check_mounts(std::size_t index) {
    const std::vector<MountView>& shown = part_.snapshot.namespaces[index].mounts;
    std::vector<MountView> listed;
    for (const MountView& mount : all_.snapshot.namespaces[index].mounts) {
      listed.push_back(translated(mount));
    }
    const bool whole = shown.size() == listed.size();
    for (MountView mount : shown) {
      const auto same = std::ranges::find(listed, mount.id, &MountView::id);
      if (same == listed.end()) {
        lines_.push_back(mount.mount_point + ": only mountinfo has this mount");
        continue;
      }
      if (!whole && mount.parent == 0) mount.parent = same->parent;
      if (!whole) mount.receives_from = same->receives_from;
      // A task whose root was renamed out of what its mount shows sees a path where the top sees none.
      if (!whole && same->mount_point.empty()) mount.mount_point.clear();
      if (mount != *same) lines_.push_back(mount.mount_point + ": mountinfo shows another mount");
    }
    if (part_.complete && !whole) lines_.emplace_back("mountinfo shows fewer mounts");
  }

  void check_task(std::size_t index) {
    const TaskView& one = all_.snapshot.tasks[index];
    const TaskView& other = part_.snapshot.tasks[index];
    bool same = one.name == other.name && one.mount_namespace == other.mount_namespace &&
                is_same(one.root, other.root) &&
                is_same(one.current_directory, other.current_directory) &&
                one.handles.size() == other.handles.size();
    for (std::size_t i = 0; same && i < one.handles.size(); ++i) {
      same = is_same(one.handles[i].location, other.handles[i].location);
    }
    if (!same) lines_.push_back("task " + one.name + ": its locations are read otherwise");
  }

  // What a part does not show is detached there.
  [[nodiscard]] bool is_same(const LocationView& one, const LocationView& other) const {
    const bool same_mount =
        one.detached ? other.detached : in_mountinfo_.at(one.mount) == other.mount;
    return same_mount && (one.detached == other.detached || (other.detached && !part_.complete)) &&
           one.path == other.path && one.removed == other.removed && one.object == other.object;
  }

  const Observation& all_;
  const Observation& part_;
  std::map<MountId, MountId> in_mountinfo_;
  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> what_differs(const Observation& by_listmount,
                                      const Observation& by_mountinfo) {
  return CrossCheck(by_listmount, by_mountinfo).run();
}

}  // namespace pivotcheck
