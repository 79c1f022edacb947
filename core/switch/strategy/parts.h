// SPDX-License-Identifier: Apache-2.0
// parts.h: what several strategies have in common. Each function appends its steps.
#pragma once

#include "switch/strategy/step.h"

namespace pivotcheck::strategy {

// A change by which mounts become read-only, or get another propagation, or both.
AttributeChange change_to(bool read_only, std::optional<Propagation> propagation = {});

// The new namespaces, in the one order that works: the PID namespace by a fork into it; the user
// namespace before all others, so that it owns them, with its ids mapped before anything is made in
// them; the mount namespace last.
void enter_namespaces(const Plan& plan, Steps& steps);
// The same without a mount namespace.
void enter_other_namespaces(const Plan& plan, Steps& steps);

// pivot_root and MS_MOVE require a mount: the new root is bound to itself, with everything that is
// mounted below it. If the plan says read-only: at once; or, where a directory for the old root
// must be made in it and removed again, its own mount stays writable until the caller seals it.
enum class RootUse : unsigned char { as_asked, room_for_put_old };
void bind_root_to_itself(const Plan& plan, RootUse use, Steps& steps);

// How most strategies begin: the namespaces, a private / (so that nobody outside sees what
// follows), the new root bound to itself, the mounts.
void set_up_root(const Plan& plan, const std::vector<MountRequest>& mounts, RootUse use,
                 Steps& steps);
// umount and rmdir.
void remove_put_old(const Path& put_old, Steps& steps);

// The mounts that the caller asked for, in the caller's order. Each one is made detached, gets its
// attributes, and only then is attached: nobody ever sees it writable. `root` is a path to the new
// root.
void mount_requests(const std::vector<MountRequest>& requests, const Path& root, Steps& steps);
// The two halves, for a strategy that leaves the old root before there is a new one: what needs to
// see the old root, and what is done in the new one.
void gather_mounts(const std::vector<MountRequest>& requests, Steps& steps);
void place_mounts(const std::vector<MountRequest>& requests, const Path& root, Steps& steps);

// The names in a path: neither "" nor "."; ".." is one.
std::vector<std::string> components(std::string_view path);
Path below(const std::string& directory, const std::string& name);

}  // namespace pivotcheck::strategy
