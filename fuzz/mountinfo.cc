// SPDX-License-Identifier: Apache-2.0
// mountinfo: whatever the bytes, the parser of /proc/PID/mountinfo says mounts or where the mistake
// is; and mounts, written as the kernel writes them, are read as the same mounts.
#include "mountinfo_text.h"
#include "scenario_input.h"

using namespace pivotcheck;
using fuzz::written;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto lines = parse_mountinfo({reinterpret_cast<const char*>(data), size});
  if (!lines && (lines.error().line < 1 || lines.error().reason.empty())) fuzz::found("no place");
  for (const MountinfoLine& line : lines.value_or(std::vector<MountinfoLine>{})) {
    const auto again = parse_mountinfo(written(line));
    if (!again || again->size() != 1) fuzz::found("not read again: " + written(line));
    const MountinfoLine& other = again->front();
    if (other.mount != line.mount || other.filesystem_type != line.filesystem_type) {
      fuzz::found("read as another: " + written(line) + written(other));
    }
  }
  return 0;
}
