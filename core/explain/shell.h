// SPDX-License-Identifier: Apache-2.0
// shell.h: words and lines for a POSIX shell.
#pragma once

#include <string>
#include <vector>

#include "explain/remedy.h"

namespace pivotcheck::explain {

// One word, quoted where that is needed, in UTF-8 whatever bytes it has.
std::string shell_word(const std::string& word);

// The same for a path as an argument: one that begins with '-' is not taken for an option.
std::string shell_path(const std::string& path);

// The remedies as lines of a script. Where one changes the process, the following ones run inside
// of it, and the call of pivot_root too.
std::vector<std::string> shell_lines(const std::vector<Remedy>& remedies,
                                     const ProcessView& process);

}  // namespace pivotcheck::explain
