// SPDX-License-Identifier: Apache-2.0
// machine.cc: limits of this process, and the link /proc/self.
#include "machine.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "output.h"

namespace pivotcheck::cli {
namespace {

// A scenario of two steps needs 96 KiB and 20 descriptors; a few more tasks, handles and namespaces
// fit in what is left.
constexpr rlim_t stack_needed = rlim_t{256} << 10;
constexpr rlim_t stack_wanted = rlim_t{8} << 20;  // what Linux gives if nobody changes it
constexpr rlim_t descriptors_needed = 32;
constexpr rlim_t descriptors_per_job = 2;
constexpr rlim_t descriptors_wanted = 8192;

void raise_limit(__rlimit_resource resource, rlim_t wanted) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min(limit.rlim_max, wanted);
  ::setrlimit(resource, &limit);
}

rlim_t limit_of(__rlimit_resource resource) {
  rlimit limit{};
  return ::getrlimit(resource, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

}  // namespace

void raise_limits() {
  raise_limit(RLIMIT_STACK, stack_wanted);
  raise_limit(RLIMIT_NOFILE, descriptors_wanted);
}

Resource stack_resource() {
  const rlim_t limit = limit_of(RLIMIT_STACK);
  if (limit >= stack_needed) return {"stack", "large enough", ""};
  return {"stack",
          fmt::format("{} KiB, and {} are needed", limit >> 10, stack_needed >> 10),
          fmt::format("ulimit -s {}", stack_needed >> 10)};
}

Resource descriptor_resource(std::size_t jobs) {
  const rlim_t limit = limit_of(RLIMIT_NOFILE);
  const rlim_t needed = descriptors_needed + descriptors_per_job * jobs;
  if (limit >= needed) return {"descriptors", "enough", ""};
  return {"descriptors", fmt::format("{}, and {} are needed", limit, needed),
          fmt::format("ulimit -n {}", needed)};
}

Resource proc_resource() {
  std::array<char, 32> buffer;
  const ssize_t size = ::readlink("/proc/self", buffer.data(), buffer.size());
  const std::string_view self(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  if (self == std::to_string(::getpid())) return {"/proc", "that of this PID namespace", ""};
  return {"/proc",
          size < 0 ? "there is none, or it is not of this PID namespace"
                   : "it is that of another PID namespace",
          "mount -t proc proc /proc"};
}

bool machine_is_fit(std::size_t jobs) {
  bool fit = true;
  for (const auto& [name, what, change] :
       {stack_resource(), descriptor_resource(jobs), proc_resource()}) {
    if (change.empty()) continue;
    complain(fmt::format("{}: {} ({})", name, what, change));
    fit = false;
  }
  return fit;
}

}  // namespace pivotcheck::cli
