// SPDX-License-Identifier: Apache-2.0
// mount_of.h: a mount of a snapshot, for tests: of the root of its filesystem, without flags.
#pragma once

#include <string>
#include <utility>

#include "view/snapshot.h"

namespace pivotcheck {

inline MountView mount(MountId id, MountId parent, std::string mount_point,
                       std::uint64_t filesystem) {
  MountView view;
  view.id = id;
  view.parent = parent;
  view.mount_point = std::move(mount_point);
  view.filesystem = filesystem;
  view.root = std::string("/");
  return view;
}

}  // namespace pivotcheck
