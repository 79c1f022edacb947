// SPDX-License-Identifier: Apache-2.0
// parts.h: what several strategies do in the same words. Each function appends its steps.
#pragma once

#include "switch/strategy/step.h"

namespace pivotcheck::strategy {

// The new namespaces, in the one order that works: a PID namespace by being born into it; the user
// namespace before all others, so that it owns them, and its ids mapped before anything is made in
// them; the mount namespace last.
void enter_namespaces(const Plan& plan, Steps& steps);
// The same without a mount namespace.
void enter_other_namespaces(const Plan& plan, Steps& steps);

// `/` and everything below it, so that nothing that follows is seen outside.
void change_propagation(Propagation to, Steps& steps);

// pivot_root, and MS_MOVE, want a mount: the new root bound to itself, with all that is mounted
// below it. Read-only if the plan says so.
void bind_root_to_itself(const Plan& plan, Steps& steps);
// The same where a directory is to be made in the root and removed again: the root's own mount
// stays writable until seal_root().
void bind_root_with_room_for_put_old(const Plan& plan, Steps& steps);
void seal_root(const Plan& plan, Steps& steps);

// The mounts that the caller asked for, in his order. Each is made detached, gets its attributes,
// and is attached only then: nobody ever sees it writable. `root` is a path to the new root.
void mount_requests(const std::vector<MountRequest>& requests, const Path& root, Steps& steps);
// The two halves of it, for who leaves the old root behind before there is a new one: what needs to
// see the old root, and what is done in the new one.
void gather_mounts(const std::vector<MountRequest>& requests, Steps& steps);
void place_mounts(const std::vector<MountRequest>& requests, const Path& root, Steps& steps);

// In a user namespace the kernel lets a new /proc be mounted only while another is visible
// (mount_namespaces(7)); so it must be mounted before the old root goes, and the strategies do that
// everywhere but where the table of sequences has it last.
std::vector<MountRequest> without_proc(const std::vector<MountRequest>& requests);
std::vector<MountRequest> only_proc(const std::vector<MountRequest>& requests);

// The names in a path: neither "" nor "."; ".." is one.
std::vector<std::string> components(std::string_view path);
Path below(const std::string& directory, const std::string& name);

}  // namespace pivotcheck::strategy
