// SPDX-License-Identifier: Apache-2.0
// pasted.h: finds the lines of a mountinfo in a text as people paste it:
//
//     ```                                          fences, prompts, comments: left out
//     root@host:~# cat /proc/self/mountinfo
//     > 22 1 8:1 / / rw,relatime shared:1 - ex     quoted, and wrapped: joined, with a blank or
//     > t4 /dev/sda1 rw                            without, whichever gives a line
//     [   12.5] 30 22 0:40 / /new rw - tmpfs x rw  what a log writes before a line: left out
//     ```
//
// Tabs are blanks, and a byte order mark, carriage returns and dashes of a word processor are
// mended. Anything else is an error, with its line: a line that was passed over would be a mount
// that is missing. What mount(8), findmnt(8) and /proc/mounts print is known, and refused with
// what it lacks.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "view/snapshot.h"

namespace pivotcheck::explain {

struct PastedLine {
  std::size_t number = 0;  // in the text, from 1
  std::string text;        // as the kernel wrote it
  MountView mount;
};

// The error is a line for people: "line 3: ...".
std::expected<std::vector<PastedLine>, std::string> find_mountinfo(std::string_view text);

}  // namespace pivotcheck::explain
