// SPDX-License-Identifier: Apache-2.0
// slabs.h: how many objects of a kind the kernel holds, from /proc/slabinfo (root only):
//
//     # name      <active_objs> <num_objs> <objsize> ...
//     mnt_cache           210        294        384
//
// Objects that a processor keeps in reserve count as active. They are given back through
// /sys/kernel/slab before counting; where that fails, the counts are too high by some slabs for
// each processor.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace pivotcheck::safety {

// Every world has some of each. (Mount namespaces have no slab of their own.)
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

// By name; only those that this kernel has. Empty where /proc/slabinfo can't be read.
std::map<std::string, std::int64_t> count_slabs();

}  // namespace pivotcheck::safety
