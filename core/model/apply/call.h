// SPDX-License-Identifier: Apache-2.0
// call.h: one operation of one task on its way through the model; the functions that perform
// operations, and what several of them need. Only for core/model.
#pragma once

#include "model/apply.h"
#include "model/lookup.h"
#include "model/refusal.h"
#include "model/world.h"

namespace pivotcheck::model {

struct Call {
  World& world;
  TaskIndex caller;
  TaskIndex subject;  // the task that is entered (setns)
  Verdict::Stop stop = Verdict::Stop::no;

  [[nodiscard]] Task& task() const { return world[caller]; }
};

// Each lists its refusals in the order in which kernels were seen to give them, and then does what
// the operation does. A refused operation changes nothing but expiry marks (lookup.h).

// names.cc
Refusal apply(Call& call, const Mkdir& op);
Refusal apply(Call& call, const Rmdir& op);
Refusal apply(Call& call, const Touch& op);
Refusal apply(Call& call, const Unlink& op);
Refusal apply(Call& call, const Rename& op);
Refusal apply(Call& call, const Symlink& op);
Refusal apply(Call& call, const Chmod& op);
// mounts.cc
Refusal apply(Call& call, const pivotcheck::Mount& op);
Refusal apply(Call& call, const Bind& op);
Refusal apply(Call& call, const Move& op);
Refusal apply(Call& call, const ChangePropagation& op);
Refusal apply(Call& call, const Remount& op);
Refusal apply(Call& call, const Umount& op);
// roots.cc
Refusal apply(Call& call, const PivotRoot& op);
Refusal apply(Call& call, const Chroot& op);
Refusal apply(Call& call, const Chdir& op);
// handles.cc
Refusal apply(Call& call, const Open& op);
Refusal apply(Call& call, const Fchdir& op);
Refusal apply(Call& call, const Close& op);
// tasks.cc
Refusal apply(Call& call, const Spawn& op);
Refusal apply(Call& call, const Exit& op);
Refusal apply(Call& call, const Unshare& op);
Refusal apply(Call& call, const Setns& op);
Refusal apply(Call& call, const DropCapabilities& op);
// mount_api.cc
Refusal apply(Call& call, const OpenTree& op);
Refusal apply(Call& call, const MoveMount& op);
Refusal apply(Call& call, const MountSetattr& op);
Refusal apply(Call& call, const Fsmount& op);

// look_up() and look_up_parent() for the caller; what was found is in `found`.
Refusal find(Call& call, const Path& path, Location& found, LookupOptions options = {});
Refusal find_parent(Call& call, const Path& path, ParentResult& found,
                    bool keep_expiry_mark = false);

// mount_namespaces(7): changing mounts needs CAP_SYS_ADMIN over the owner of one's mount namespace.
bool may_mount(const Call& call);
bool has_sys_admin(const Call& call);  // in the caller's own user namespace

// Ends the run before this step: the world would get too large (FORMAT.md).
Refusal too_large(Call& call);

// Opens the handle, in place of an open one of that name. `detached_tree` lasts as long as a handle
// that came with it is open.
Refusal store_handle(Call& call, const HandleName& name, Location at, NamespaceId detached_tree);

}  // namespace pivotcheck::model
