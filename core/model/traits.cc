// SPDX-License-Identifier: Apache-2.0
// traits.cc: which release has which trait.
#include "model/traits.h"

namespace pivotcheck {

KernelTraits KernelTraits::for_release(const Release& release) {
  const auto since = [&release](int major, int minor) {
    return release >= Release{{major, minor, 0}};
  };
  return {.tucks_beneath_whole_stack = since(6, 17),
          .detached_target_is_gone = since(6, 2),
          .move_checks_kinds_first = since(6, 17),
          .namespace_copy_loses_unbindable = since(6, 17),
          .open_checks_name_first = since(6, 12),
          .knows_move_mount_beneath = since(6, 5),
          .move_mount_target_first = since(6, 15),
          .detached_trees_can_grow = since(6, 15),
          .beneath_checks_detached_root = since(6, 17)};
}

}  // namespace pivotcheck
