// SPDX-License-Identifier: Apache-2.0
// mountinfo: whatever the bytes, the parser of /proc/PID/mountinfo says mounts or where the mistake
// is; and mounts, written as the kernel writes them, are read as the same mounts.
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "observe/mountinfo.h"
#include "scenario_input.h"

using namespace pivotcheck;

namespace {

// As seq_path() has it.
std::string escaped(std::string_view path) {
  std::string text;
  for (const char c : path) {
    const bool plain = c != ' ' && c != '\t' && c != '\n' && c != '\\';
    text += plain ? std::string(1, c) : fmt::format("\\{:03o}", static_cast<unsigned char>(c));
  }
  return text;
}

// As proc(5) has it.
std::string written(const MountView& m) {
  const MountFlags relatime{m.flags.intersect(atime_values).empty() ? MountFlags{MountFlag::relatime}
                                                                    : MountFlags{}};
  std::string text =
      fmt::format("{} {} {}:{} {}{} {} {}{}{}", m.id, m.parent, m.filesystem >> 32U,
                  m.filesystem & UINT32_MAX, escaped(m.root), m.root_removed ? "//deleted" : "",
                  escaped(m.mount_point), m.flags.has(MountFlag::ro) ? "" : "rw,",
                  to_string(m.flags.with(relatime)), m.unbindable ? " unbindable" : "");
  if (m.peer_group != 0) text += fmt::format(" shared:{}", m.peer_group);
  if (m.master_group != 0) text += fmt::format(" master:{}", m.master_group);
  if (m.receives_from != 0) text += fmt::format(" propagate_from:{}", m.receives_from);
  return text + (m.filesystem_read_only ? " - tmpfs none ro\n" : " - tmpfs none rw\n");
}

}  // namespace

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
