// SPDX-License-Identifier: Apache-2.0
// traits.cc: which release has which trait.
#include "model/traits.h"

namespace pivotcheck {

KernelTraits KernelTraits::for_release(const Release& release) {
  KernelTraits traits;
  traits.release = release;
  traits.slides_beneath_whole_stack = release >= Release{{6, 17, 0}};
  traits.move_looks_at_shapes_first = release >= Release{{6, 17, 0}};
  traits.detached_target_is_gone = release >= Release{{6, 2, 0}};
  traits.umount_propagation_documented = release >= Release{{6, 17, 0}};
  traits.namespace_copy_loses_unbindable = release >= Release{{6, 17, 0}};
  traits.open_looks_before_it_holds = release >= Release{{6, 12, 0}};
  traits.moves_beneath = release >= Release{{6, 5, 0}};
  traits.move_mount_target_first = release >= Release{{6, 15, 0}};
  traits.detached_trees_can_grow = release >= Release{{6, 15, 0}};
  traits.beneath_looks_at_detached_root = release >= Release{{6, 17, 0}};
  return traits;
}

}  // namespace pivotcheck
