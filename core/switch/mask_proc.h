// SPDX-License-Identifier: Apache-2.0
// mask_proc.h: what of /proc belongs to the whole machine, and not to the processes that a new
// /proc shows, is hidden or made read-only. To root of the machine, mapped or not, its files are
// writable whatever the mount namespace.
//
// Source: MaskedPaths and ReadonlyPaths of runc's default specification (libcontainer/specconv).
#pragma once

namespace pivotcheck::rootswitch {

// `proc` is the root of a proc filesystem that is mounted here; `null` a detached clone of
// /dev/null, which covers files; directories are covered by an empty one. What this kernel does not have
// is passed over. 0 or an errno. Allocates nothing: the child calls it.
int mask_proc(int proc, int null);

}  // namespace pivotcheck::rootswitch
