// SPDX-License-Identifier: Apache-2.0
// mountinfo.h: parses the text of /proc/PID/mountinfo. Text in, mounts out, nothing else.
//
//     36 35 0:41 /dir /a\040b rw,nosuid,relatime shared:3 master:1 - tmpfs none ro,size=4k
//     |  |  |    |    |       |                  |                   |     |    |
//     |  |  |    |    |       |                  |                   |     |    the filesystem's
//     |  |  |    |    |       |                  optional fields     type  source
//     |  |  |    |    |       flags of the mount
//     |  |  |    |    mount point      (both with octal escapes for blank, tab, newline, backslash)
//     |  |  |    directory shown; ends in "//deleted" when it has been removed
//     |  |  filesystem
//     |  parent
//     id
//
// Unknown optional fields and flags are skipped, as proc_pid_mountinfo(5) demands; anything else
// that is not as above is an error, with its line.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "view/snapshot.h"

namespace pivotcheck {

struct MountinfoError {
  std::size_t line = 0;     // from 1
  std::string_view reason;  // a literal
};

// Ids are as printed; `parent` also where no line has that id.
std::expected<std::vector<MountView>, MountinfoError> parse_mountinfo(std::string_view text);

// "major:minor" as one number, for both sources.
constexpr std::uint64_t filesystem_number(std::uint32_t major, std::uint32_t minor) {
  return (std::uint64_t{major} << 32U) | minor;
}

// Removes the suffix "//deleted" from a directory as the kernel prints it; false if there is none.
// No name contains a slash, so it is never part of one.
bool take_removed_suffix(std::string& root);

}  // namespace pivotcheck
