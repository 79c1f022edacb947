// SPDX-License-Identifier: Apache-2.0
// statmount.h: the mounts of a namespace by listmount(2) and statmount(2), from outside of it:
// every mount, covered or not, whatever the root of any task is.
//
// One field is missing, MountView::receives_from: the kernel computes it for the root of the
// calling process, which is in another namespace, so it would always be 0. observe.cc computes it
// from the groups.
#pragma once

#include <cstdint>
#include <vector>

#include "base/failure.h"
#include "view/snapshot.h"

namespace pivotcheck {

// What a descriptor of /proc/PID/ns/mnt gives.
struct NamespaceIdentity {
  std::uint64_t id = 0;      // for listmount and statmount
  std::uint32_t mounts = 0;  // how many it has, without the lowest one, rootfs
};

// id 0 where the kernel can't tell: older than Linux 6.12.
NamespaceIdentity identify_namespace(int namespace_descriptor);

struct ListedNamespace {
  std::vector<MountView> mounts;             // with unique ids; without rootfs
  std::vector<std::uint32_t> mountinfo_ids;  // of the same mounts, the ids in mountinfo
  bool complete = true;                      // false: the kernel listed fewer mounts than there are
};

// How the mounts of a namespace are listed: list_mounts, or what a test puts in its place.
using ListMounts = Expected<ListedNamespace> (*)(const NamespaceIdentity& which);

Expected<ListedNamespace> list_mounts(const NamespaceIdentity& which);

// Whether both calls and the ioctl work on the caller's own namespace.
bool listmount_works();

}  // namespace pivotcheck
