// SPDX-License-Identifier: Apache-2.0
// kernel_coverage.cc: kcov, and the counters that owner and executors share.
#include "check/driver/kernel_coverage.h"

#include <fcntl.h>
#include <linux/kcov.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "base/unique_fd.h"
#include "check/driver/fresh_world.h"
#include "op/outcome.h"

namespace pivotcheck {
namespace {

constexpr const char* kcov_file = "/sys/kernel/debug/kcov";
// Addresses that one step may pass; what is beyond is not seen.
constexpr std::size_t words = 1 << 16;

CoverageCounters* counters = nullptr;  // shared with the executors
std::uint64_t* passed = nullptr;       // in an executor: how many, then their addresses

}  // namespace

std::string why_no_kernel_coverage() {
  const UniqueFd file(::open(kcov_file, O_RDWR | O_CLOEXEC));
  return file ? "" : std::string("open ") + kcov_file + ": " + errno_name(errno);
}

std::string follow_kernel_coverage() {
  if (std::string why = why_no_kernel_coverage(); !why.empty()) return why;
  void* memory = ::mmap(nullptr, sizeof(CoverageCounters), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return "mmap: " + errno_name(errno);
  counters = static_cast<CoverageCounters*>(memory);
  return "";
}

void take_kernel_coverage(CoverageCounters& into) {
  if (counters == nullptr) return;
  into = *counters;
  counters->fill(0);
}

namespace kernel {

SetupError open_kernel_coverage() {
  // The number stays taken: a handle that had it would outlive its world.
  const int number = reserved_fds::kcov;
  if (counters == nullptr) {
    const bool is_taken = ::dup3(reserved_fds::proc, number, O_CLOEXEC) == number;
    return is_taken ? no_setup_error : setup_error("dup3");
  }
  const UniqueFd file(::open(kcov_file, O_RDWR | O_CLOEXEC));
  if (!file) return setup_error("opening kcov");
  if (::ioctl(file.get(), KCOV_INIT_TRACE, words) != 0) return setup_error("KCOV_INIT_TRACE");
  void* memory = ::mmap(nullptr, words * sizeof(std::uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED,
                        file.get(), 0);
  if (memory == MAP_FAILED) return setup_error("mmap of kcov");
  if (::dup3(file.get(), number, O_CLOEXEC) < 0) return setup_error("dup3");
  passed = static_cast<std::uint64_t*>(memory);
  return no_setup_error;
}

FollowedCall::FollowedCall() {
  if (passed == nullptr || ::ioctl(reserved_fds::kcov, KCOV_ENABLE, KCOV_TRACE_PC) != 0) return;
  std::atomic_ref(passed[0]).store(0);
}

FollowedCall::~FollowedCall() {
  if (passed == nullptr) return;
  const std::uint64_t count = std::atomic_ref(passed[0]).load();
  const int error = errno;  // the step's
  const bool was_on = ::ioctl(reserved_fds::kcov, KCOV_DISABLE, 0) == 0;
  errno = error;
  if (!was_on) return;
  for (std::uint64_t i = 1; i <= count; ++i) {
    const std::uint64_t mixed = passed[i] * 0x9e37'79b9'7f4a'7c15U;
    std::uint8_t& counter = (*counters)[(mixed >> 32U) % counters->size()];
    if (counter < UINT8_MAX) ++counter;
  }
}

}  // namespace kernel
}  // namespace pivotcheck
