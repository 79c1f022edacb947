// SPDX-License-Identifier: Apache-2.0
// named_mounts.h: the mounts that a task can name, each by a path that leads to its root now: by no
// symbolic link, and past no cover. (Places in places.h draws one at random, and sometimes misses.)
#pragma once

#include <vector>

#include "model/world.h"
#include "op/op.h"

namespace pivotcheck::gen {

struct NamedMount {
  model::MountIndex mount;
  Path path;
};

// Those of its namespace, from its root, parents before children; what covers that is at "/..". By
// its handles, those that no path names.
std::vector<NamedMount> named_mounts(const model::World& world, const model::Task& task);
// Of a task that enters the namespace, with that root.
std::vector<NamedMount> named_mounts(const model::World& world, model::NamespaceId mount_ns,
                                     model::Location root);

}  // namespace pivotcheck::gen
