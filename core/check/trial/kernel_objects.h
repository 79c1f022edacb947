// SPDX-License-Identifier: Apache-2.0
// kernel_objects.h: how many mounts, user namespaces and the like the kernel has, visible or not.
// Once all worlds have ended the numbers are as they were; what is more was lost. A mount namespace
// that is lost keeps its mounts.
//
//     const auto before = objects.count();     {"mnt_cache": 31, ...}
//     ... worlds begin and end ...
//     objects.more_than(before)                {"mnt_cache: 2 more"}
//
// The numbers are exact where nothing else makes such objects, each kind has a cache of its own
// (boot option slab_nomerge), and the kernel has CONFIG_SLUB_DEBUG: in a guest made for it.
//
// Source: Documentation/ABI/testing/sysfs-kernel-slab.
#pragma once

#include <string>
#include <vector>

namespace pivotcheck {

class KernelObjects {
 public:
  static KernelObjects open();

  // Which can be counted here; others can't.
  [[nodiscard]] const std::vector<std::string>& counted() const { return names_; }
  [[nodiscard]] std::vector<long> count() const;  // of each
  // Waits a while for what the kernel puts away later.
  [[nodiscard]] std::vector<std::string> more_than(const std::vector<long>& before) const;

 private:
  std::vector<std::string> names_;
};

}  // namespace pivotcheck
