// SPDX-License-Identifier: Apache-2.0
// traits.h: what differs between the kernels that the model predicts. The model states the
// contract; a trait is for what changed between releases, and for quirks: places where a kernel
// departs from the contract, each with an entry in FINDINGS.md. The model never asks uname.
#pragma once

#include "base/release.h"

namespace pivotcheck {

struct KernelTraits {
  // A propagated copy is tucked beneath what occupies its place. Since 6.17 the old occupant then
  // sits on top of everything that is stacked on the copy's root. Before, it sits directly on that
  // root, so that two mounts can have the same mount point, and lookups find the newer one.
  bool tucks_beneath_whole_stack = true;

  // Mounting on a detached mount: ENOENT. Before (seen on 6.1, not on 6.12): EINVAL.
  bool detached_target_is_gone = true;

  // A move first checks that the source is the root of a mount and that both are directories, or
  // neither is, then whether the target can be mounted on. Before 6.17 the other way round.
  bool move_checks_kinds_first = true;

  // Quirk (FINDINGS.md, "A new mount namespace forgets that a mount is unbindable"). Since 6.17,
  // seen on 6.18.
  bool namespace_copy_loses_unbindable = true;

  // open(O_CREAT) checks that the name is missing, and ends in no slash, before it takes a
  // reference to the directory. Before 6.12 it took that first, and so cleared the expiry mark of
  // the directory's mount.
  bool open_checks_name_first = true;

  bool knows_move_mount_beneath = true;  // MOVE_MOUNT_BENEATH, since 6.5

  // move_mount looks its target up before its source. Before 6.15 the other way round.
  bool move_mount_target_first = true;

  // A detached tree may be copied, bound from and mounted on. Before 6.15 it could only be
  // attached, as a whole, and only in a mount namespace.
  bool detached_trees_can_grow = true;

  // Quirk (FINDINGS.md, "Beneath the cover of a detached tree, the wrong mount is checked").
  // Since 6.17, seen on 6.18.
  bool beneath_checks_detached_root = true;

  // Quirk (FINDINGS.md, "An unmount takes away a copy that is in use"). A umount without MNT_DETACH is
  // refused only for a copy in use that nothing is mounted on. Mended in 6.12.117 and 7.2.11.
  bool umount_takes_busy_copies = true;

  // Quirk (FINDINGS.md, "A mount that joins as a slave stays unbindable"). Mended in 7.2.11: an
  // unbindable target is EINVAL.
  bool set_group_leaves_unbindable = true;

  // Quirk (FINDINGS.md, "A mount that arrives beneath a locked one takes the lock off what that
  // covered"). Since 7.1 the lock is handed down to what arrives.
  bool lock_rises_with_cover = true;

  // Quirk (FINDINGS.md, "What arrives beneath a locked mount takes its lock over"). From 7.1 on what
  // arrives is locked; until 7.2.11 what it was tucked beneath is locked no longer.
  bool arrival_unlocks_cover = false;

  // What was promised: no quirk.
  static KernelTraits contract() {
    return {.namespace_copy_loses_unbindable = false,
            .beneath_checks_detached_root = false,
            .umount_takes_busy_copies = false,
            .set_group_leaves_unbindable = false,
            .lock_rises_with_cover = false,
            .arrival_unlocks_cover = false};
  }

  static KernelTraits for_release(const Release& release) {
    const auto since = [&release](int major, int minor) {
      return release >= Release{{major, minor, 0}};
    };
    const bool stable_6_12 = since(6, 12) && !since(6, 13);
    const bool mended_in_7_2 = release >= Release{{7, 2, 11}};
    const bool mended_in_6_12 = stable_6_12 && release >= Release{{6, 12, 117}};
    return {.tucks_beneath_whole_stack = since(6, 17),
            .detached_target_is_gone = since(6, 2),
            .move_checks_kinds_first = since(6, 17),
            .namespace_copy_loses_unbindable = since(6, 17) && !mended_in_7_2,
            .open_checks_name_first = since(6, 12),
            .knows_move_mount_beneath = since(6, 5),
            .move_mount_target_first = since(6, 15),
            .detached_trees_can_grow = since(6, 15),
            .beneath_checks_detached_root = since(6, 17),
            .umount_takes_busy_copies = !mended_in_7_2 && !mended_in_6_12,
            .set_group_leaves_unbindable = !mended_in_7_2,
            .lock_rises_with_cover = !since(7, 1),
            .arrival_unlocks_cover = since(7, 1) && !mended_in_7_2};
  }
};

}  // namespace pivotcheck
