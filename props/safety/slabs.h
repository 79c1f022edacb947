// SPDX-License-Identifier: Apache-2.0
// slabs.h: how many objects of a kind the kernel holds, from /proc/slabinfo (root only):
//
//     # name      <active_objs> <num_objs> <objsize> ...
//     mnt_cache           210        294        384
//
// What each processor keeps at hand counts as active. Where /sys/kernel/slab lets us, it is handed
// back before counting; without that the counts are too high by some slabs for each processor.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace pivotcheck::safety {

// The kinds of which every world has some. (The namespaces of mounts are among those of no name.)
inline constexpr std::string_view slab_names[] = {
    "mnt_cache",         // mounts
    "nsproxy",           // the set of namespaces of a task
    "pid_namespace",
    "user_namespace",
    "shmem_inode_cache",  // files and directories on a tmpfs
    "task_struct",
    "pid",
    "signal_cache",
    "cred",
};

// By name; those that this kernel counts apart. Empty where it can't be read.
std::map<std::string, std::int64_t> count_slabs();

}  // namespace pivotcheck::safety
