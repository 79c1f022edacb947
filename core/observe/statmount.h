// SPDX-License-Identifier: Apache-2.0
// statmount.h: the mounts of a namespace by listmount(2) and statmount(2), from outside of it. They
// show every mount, covered or not, whatever the root of any task is.
//
// The one field they cannot give is MountView::receives_from: the kernel computes it from the root
// of the process that asks, which here is in another namespace, so it would always be 0. observe.cc
// works it out from the groups.
#pragma once

#include <cstdint>
#include <vector>

#include "base/failure.h"
#include "view/snapshot.h"

namespace pivotcheck {

// A mount namespace as its descriptor (of /proc/PID/ns/mnt) tells.
struct NamespaceIdentity {
  std::uint64_t id = 0;      // for listmount and statmount
  std::uint32_t mounts = 0;  // how many it has; the lowest, rootfs, is not counted
};

// id 0 where the kernel can't tell: older than Linux 6.12.
NamespaceIdentity identify_namespace(int namespace_descriptor);

struct ListedNamespace {
  std::vector<MountView> mounts;             // ids are the unique ones; without rootfs
  std::vector<std::uint32_t> mountinfo_ids;  // of the same mounts, what mountinfo calls them
  bool complete = true;                      // false: the kernel listed fewer mounts than there are
};

Expected<ListedNamespace> list_mounts(const NamespaceIdentity& which);

// Both calls and the ioctl work here, tried on the caller's own namespace.
bool listmount_works();

}  // namespace pivotcheck
