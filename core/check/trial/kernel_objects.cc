// SPDX-License-Identifier: Apache-2.0
// kernel_objects.cc: what /sys/kernel/slab says of a few caches.
#include "check/trial/kernel_objects.h"

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include <fmt/format.h>

#include "base/file.h"

namespace pivotcheck {
namespace {

constexpr const char* caches[] = {"mnt_cache", "user_namespace", "nsproxy", "fs_cache",
                                  "names_cache"};
constexpr std::chrono::milliseconds look_again{5};
constexpr int looks_max = 200;

std::string file_of(const std::string& cache, const char* name) {
  return fmt::format("/sys/kernel/slab/{}/{}", cache, name);
}

}  // namespace

KernelObjects KernelObjects::open() {
  KernelObjects objects;
  for (const std::string cache : caches) {
    const bool is_there = ::access(file_of(cache, "shrink").c_str(), W_OK) == 0;
    if (is_there && !read_file(file_of(cache, "objects")).empty()) objects.names_.push_back(cache);
  }
  return objects;
}

// What a processor has put aside for its next object would count as used, so that goes first.
std::vector<long> KernelObjects::count() const {
  std::vector<long> result;
  for (const std::string& cache : names_) {
    write_file(file_of(cache, "shrink"), "1");
    result.push_back(std::atol(read_file(file_of(cache, "objects")).c_str()));
  }
  return result;
}

std::vector<std::string> KernelObjects::more_than(const std::vector<long>& before) const {
  std::vector<std::string> more;
  for (int look = 0; look < looks_max; ++look) {
    const std::vector<long> now = count();
    more.clear();
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const long added = now[i] - before[i];
      if (added > 0) more.push_back(fmt::format("{}: {} more", names_[i], added));
    }
    if (more.empty()) break;
    std::this_thread::sleep_for(look_again);
  }
  return more;
}

}  // namespace pivotcheck
