// SPDX-License-Identifier: Apache-2.0
// one_state.cc: the laws about one state, whatever led to it. They are asked of the state after a
// step.
#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "check/laws/law_functions.h"

namespace pivotcheck::laws {

void one_mount_at_each_place(const Event& event, Inquiry& inquiry) {
  if (event.quirks.two_mounts_at_one_place) return;
  const std::vector<MountState>& mounts = event.after.mounts;
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    if (mounts[i].place.empty()) continue;
    inquiry.held();
    for (std::size_t j = i + 1; j < mounts.size(); ++j) {
      inquiry.require(mounts[i].parent != mounts[j].parent || mounts[i].place != mounts[j].place,
                      [&] { return fmt::format("two mounts on {}", described(mounts[i])); });
    }
  }
}

void mounts_form_trees(const Event& event, Inquiry& inquiry) {
  const State& state = event.after;
  for (const MountState& mount : state.mounts) {
    const MountState* lowest = &mount;
    std::size_t steps = 0;
    while (lowest != nullptr && lowest->parent != 0 && steps++ <= state.mounts.size()) {
      lowest = state.mount(lowest->parent);
    }
    if (mount.parent != 0) inquiry.held();
    inquiry.require(lowest != nullptr && lowest->parent == 0 && lowest->tree == mount.tree,
                    [&] { return described(mount) + " does not hang in its own tree"; });
  }
}

void unbindable_is_private(const Event& event, Inquiry& inquiry) {
  for (const MountState& mount : event.after.mounts) {
    if (!mount.unbindable) continue;
    inquiry.held();
    const bool excused = event.quirks.set_group_leaves_unbindable && mount.group == 0;
    inquiry.require(mount.group == 0 && (mount.master == 0 || excused), [&] {
      return fmt::format("{} is unbindable and {}", described(mount),
                         mount.group != 0 ? "shared" : "a slave");
    });
  }
}

void peers_are_alike(const Event& event, Inquiry& inquiry) {
  const std::vector<MountState>& mounts = event.after.mounts;
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    if (mounts[i].group == 0) continue;
    const auto peer =
        std::find_if(mounts.begin() + static_cast<std::ptrdiff_t>(i) + 1, mounts.end(),
                     [&](const MountState& m) { return m.group == mounts[i].group; });
    if (peer == mounts.end()) continue;
    inquiry.held();
    inquiry.require(
        peer->filesystem == mounts[i].filesystem && peer->master == mounts[i].master, [&] {
          return fmt::format("{} and {} are peers, but not of one {}", described(mounts[i]),
                             described(*peer),
                             peer->master == mounts[i].master ? "filesystem" : "master");
        });
  }
}

void no_group_above_itself(const Event& event, Inquiry& inquiry) {
  const std::vector<MountState>& mounts = event.after.mounts;
  for (const MountState& mount : mounts) {
    if (mount.group == 0 || mount.master == 0) continue;
    inquiry.held();
    std::uint64_t above = mount.master;
    for (std::size_t height = 0; above != 0 && height <= mounts.size(); ++height) {
      inquiry.require(above != mount.group,
                      [&] { return described(mount) + " is a slave of its own group"; });
      const auto member = std::ranges::find(mounts, above, &MountState::group);
      above = member == mounts.end() || above == mount.group ? 0 : member->master;
    }
  }
}

void masters_have_members(const Event& event, Inquiry& inquiry) {
  if (!event.after.shows_all) return;
  for (const MountState& mount : event.after.mounts) {
    if (mount.master == 0) continue;
    inquiry.held();
    const auto& all = event.after.mounts;
    inquiry.require(std::ranges::find(all, mount.master, &MountState::group) != all.end(),
                    [&] { return described(mount) + " is a slave of nobody"; });
  }
}

void detached_trees_are_held(const Event& event, Inquiry& inquiry) {
  for (const MountState& lowest : event.after.mounts) {
    if (!lowest.detached || lowest.parent != 0) continue;
    inquiry.held();
    const bool is_held = std::ranges::any_of(event.after.tasks, [&](const TaskState& task) {
      return std::ranges::any_of(task.handles, [&](const HandleState& handle) {
        const MountState* mount = event.after.mount(handle.at.mount);
        return mount != nullptr && mount->tree == lowest.tree;
      });
    });
    inquiry.require(is_held, [] { return std::string("nobody holds a detached tree"); });
  }
}

}  // namespace pivotcheck::laws
