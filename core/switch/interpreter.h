// SPDX-License-Identifier: Apache-2.0
// interpreter.h: execve(2) answers ENOENT for a file that is there if the program that should
// interpret it is not: a script's, after #!, or the dynamic loader of an ELF file (PT_INTERP).
#pragma once

#include <sys/types.h>

#include <span>
#include <string>

namespace pivotcheck::rootswitch {

// The missing interpreter of the first of these paths that exists in the root of the process;
// relative ones begin in `directory`. "" if none is missing, or if nothing can be told.
std::string missing_interpreter(pid_t process, std::span<char* const> paths,
                                const std::string& directory);

}  // namespace pivotcheck::rootswitch
