// SPDX-License-Identifier: Apache-2.0
// fingerprint.h: a canonical snapshot as 16 hexadecimal digits, so that the states of many kernels
// can be compared without carrying them around. Equal snapshots have equal fingerprints; different
// ones differ, except by chance (64 bits: once in 10^9 pairs of 10^5 states).
//
//     fingerprint(canonical(snapshot(world)))      "f3a91c04be6d2817"
//
// All of a Snapshot is in it. It is the same on every machine and in every build, but not for ever:
// a new field of a Snapshot changes it.
#pragma once

#include <string>

#include "view/snapshot.h"

namespace pivotcheck {

std::string fingerprint(const Snapshot& canonical_snapshot);

}  // namespace pivotcheck
