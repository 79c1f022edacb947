// SPDX-License-Identifier: Apache-2.0
// traits.h: what the model has to know about the kernel it predicts. It states the contract by
// itself; a trait is for what changed between versions, and for quirks: places where a kernel
// departs from the contract, each with an entry in FINDINGS.md. The model reads this and never
// asks uname itself.
#pragma once

#include "base/release.h"

namespace pivotcheck {

struct KernelTraits {
  Release release{{6, 18, 0}};

  // A copy that propagates onto a place which is taken slides beneath what is there. What was there
  // then sits on top of everything that is stacked on the copy's root; before, directly on that
  // root, so that two mounts have the same mount point and only the newer one is found.
  bool slides_beneath_whole_stack = true;  // since 6.17

  // A place on a detached mount is refused as one that is gone (ENOENT); before, as a foreign one
  // (EINVAL).
  bool detached_target_is_gone = true;  // seen on 6.12, not on 6.1

  // A move asks what the two places are (the root of a mount; both a directory, or neither) before
  // it asks whether the target can be mounted on; before, behind that.
  bool move_looks_at_shapes_first = true;  // since 6.17

  // The contract of umount propagation as documented since 6.17 (propagate_umount.txt).
  bool umount_propagation_documented = true;

  // Quirk (FINDINGS.md, "A new mount namespace forgets that a mount is unbindable").
  bool namespace_copy_loses_unbindable = true;  // since 6.17, seen on 6.18

  // An open that may create looks whether the name is there, and ends in no slash, before it holds
  // the directory; before, it held that first, and so cleared the expiry mark of its mount.
  bool open_looks_before_it_holds = true;  // since 6.12

  // move_mount knows `beneath`.
  bool moves_beneath = true;  // since 6.5

  // move_mount looks its target up before its source; before, behind it.
  bool move_mount_target_first = true;  // since 6.15

  // A detached tree may be copied, bound from and attached to; before, only the tree as a whole
  // could be attached, and only in a mount namespace.
  bool detached_trees_can_grow = true;  // since 6.15

  // Quirk (FINDINGS.md, "Beneath the cover of a detached tree, the wrong mount is looked at").
  bool beneath_looks_at_detached_root = true;  // since 6.17, seen on 6.18

  static KernelTraits for_release(const Release& release);
};

}  // namespace pivotcheck
