// SPDX-License-Identifier: Apache-2.0
// mountinfo: whatever the bytes, the parser of /proc/PID/mountinfo says mounts or where the mistake
// is; and mounts, written as the kernel writes them, are read as the same mounts.
#include "mountinfo_text.h"
#include "scenario_input.h"

using namespace pivotcheck;
using fuzz::written;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto mounts = parse_mountinfo({reinterpret_cast<const char*>(data), size});
  if (!mounts && (mounts.error().line < 1 || mounts.error().reason.empty()))
    fuzz::found("no place");
  for (const MountView& mount : mounts.value_or(std::vector<MountView>{})) {
    const auto again = parse_mountinfo(written(mount));
    if (!again || again->size() != 1) fuzz::found("not read again: " + written(mount));
    if (again->front() != mount) {
      fuzz::found("read as another: " + written(mount) + written(again->front()));
    }
  }
  return 0;
}
