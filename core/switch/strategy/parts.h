// SPDX-License-Identifier: Apache-2.0
// parts.h: what several strategies have in common. Each function appends its steps.
#pragma once

#include "switch/strategy/step.h"

namespace pivotcheck::strategy {

// A change by which mounts become read-only, or get another propagation, or both.
AttributeChange change_to(bool read_only, std::optional<Propagation> propagation = {});
// The new root's, and those of what is mounted below it: as the plan asks.
AttributeChange change_of_root(const Plan& plan, std::optional<Propagation> propagation = {});

// The new namespaces, in the one order that works: the PID namespace by a fork into it; the user
// namespace before all others, so that it owns them, with its ids mapped before anything is made in
// them; the mount namespace last. '.' is the new root then, in the copy of the mount it is in.
void enter_namespaces(const Plan& plan, Steps& steps);
// The same without a mount namespace.
void enter_other_namespaces(const Plan& plan, Steps& steps);

// The new root's mount, while it is set up.
HandleName new_root();

// If the plan says read-only: at once; or, where a directory for the old root must be made in the
// new one and removed again, its own mount stays writable until the caller seals it.
enum class RootUse : unsigned char { as_asked, room_for_put_old };

// How most strategies begin: the namespaces, a private / (so that nobody outside sees what
// follows), a bind of the new root on itself, the mounts. The bind is there because pivot_root and
// MS_MOVE require a mount. It is made of '.', with everything that is mounted below, as a clone
// that is attached to '.': after mount(2) '.' would be below it, and only a name would lead there.
void set_up_root(const Plan& plan, RootUse use, Steps& steps,
                 Propagation of_slash = Propagation::private_);

// open, mkdir, pivot_root: '.' is the new root, before and after. The old root is at put_old.
void pivot_to_put_old(const Plan& plan, Steps& steps);
// fchdir, umount, chdir, rmdir: the old root goes by its descriptor, because another directory may
// have the name by now. Then the name goes, if it is an empty directory's.
void remove_put_old(const Plan& plan, Steps& steps);

// The mounts that the caller asked for, in the caller's order. Each one is made detached, gets its
// attributes, and only then is attached: nobody ever sees it writable. A target that lies in a
// tmpfs of an earlier one is made there. new_root() is open; `contents`: its top directory is a
// tmpfs of the switch itself, with these names of the image.
void mount_requests(const std::vector<MountRequest>& requests, Steps& steps,
                    const std::vector<Entry>* contents = nullptr);
// The two halves, for a strategy that leaves the old root before there is a new one: what needs to
// see the old root, and what is done in the new one.
void gather_mounts(const std::vector<MountRequest>& requests, Steps& steps);
void place_mounts(const std::vector<MountRequest>& requests, Steps& steps,
                  const std::vector<Entry>* contents = nullptr);

// The tmpfs of the switch's own in which a target lies: which of the requests made it, and the
// target's path there.
struct OwnPlace {
  static constexpr std::size_t top = static_cast<std::size_t>(-1);  // the new root's top directory
  std::size_t tmpfs = top;
  std::vector<std::string> names;
};
// Nothing for a target on what is not the switch's own.
std::optional<OwnPlace> own_place(const std::vector<MountRequest>& requests, std::size_t which,
                                  const std::vector<Entry>* contents);
bool is_below(const std::vector<std::string>& names, const std::vector<std::string>& directory);

// The names in a path: neither "" nor "."; ".." is one.
std::vector<std::string> components(std::string_view path);

}  // namespace pivotcheck::strategy
