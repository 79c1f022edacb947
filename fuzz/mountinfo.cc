// SPDX-License-Identifier: Apache-2.0
// mountinfo: whatever the bytes, the parser of /proc/PID/mountinfo says mounts or where the mistake
// is; and mounts, written as the kernel writes them, are read as the same mounts.
#include <fmt/format.h>

#include "observe/mountinfo.h"
#include "scenario_input.h"

using namespace pivotcheck;

namespace {
std::string escaped(std::string_view path) {
  std::string text;
  for (const char c : path) {
    const bool plain = c != ' ' && c != '\t' && c != '\n' && c != '\\';
    text += plain ? std::string(1, c) : fmt::format("\\{:03o}", static_cast<unsigned char>(c));
  }
  return text;
}
std::string written(const MountinfoLine& line) {
  const MountView& m = line.mount;
  std::string text = fmt::format("{} {} {}:{} {}{} {} {}{}{}", m.id, m.parent, m.filesystem >> 32U,
                                 m.filesystem & UINT32_MAX, escaped(m.root),
                                 m.root_removed ? "//deleted" : "", escaped(m.mount_point),
                                 m.flags.has(MountFlag::ro) ? "" : "rw,", to_string(m.flags),
                                 m.unbindable ? " unbindable" : "");
  if (m.peer_group != 0) text += fmt::format(" shared:{}", m.peer_group);
  if (m.master_group != 0) text += fmt::format(" master:{}", m.master_group);
  if (m.receives_from != 0) text += fmt::format(" propagate_from:{}", m.receives_from);
  return text + fmt::format(" - {} none {}\n", line.filesystem_type,
                            m.filesystem_read_only ? "ro" : "rw");
}
}  // namespace

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
