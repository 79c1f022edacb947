// SPDX-License-Identifier: Apache-2.0
// mountinfo_text.h: a line of /proc/PID/mountinfo, written as the kernel writes it (proc(5);
// octal escapes as seq_path() has them).
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "observe/mountinfo.h"

namespace pivotcheck::fuzz {

inline std::string escaped(std::string_view path) {
  std::string text;
  for (const char c : path) {
    const bool plain = c != ' ' && c != '\t' && c != '\n' && c != '\\';
    text += plain ? std::string(1, c) : fmt::format("\\{:03o}", static_cast<unsigned char>(c));
  }
  return text;
}

inline std::string written(const MountView& m) {
  std::string text = fmt::format("{} {} {}:{} {}{} {} {}{}{}", m.id, m.parent, m.filesystem >> 32U,
                                 m.filesystem & UINT32_MAX, escaped(m.root),
                                 m.root_removed ? "//deleted" : "", escaped(m.mount_point),
                                 m.flags.has(MountFlag::ro) ? "" : "rw,", to_string(m.flags),
                                 m.unbindable ? " unbindable" : "");
  if (m.peer_group != 0) text += fmt::format(" shared:{}", m.peer_group);
  if (m.master_group != 0) text += fmt::format(" master:{}", m.master_group);
  if (m.receives_from != 0) text += fmt::format(" propagate_from:{}", m.receives_from);
  return text + (m.filesystem_read_only ? " - tmpfs none ro\n" : " - tmpfs none rw\n");
}

}  // namespace pivotcheck::fuzz
