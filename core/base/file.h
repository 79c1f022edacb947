// SPDX-License-Identifier: Apache-2.0
// file.h: reading a file whole; writing a small one whole, or not at all.
#pragma once

#include <string>
#include <string_view>

namespace pivotcheck {

// Its contents, of /proc too; "" where it can't be read.
std::string read_file(const std::string& path);

// False, with errno set, if it can't be written; then no part of it is left.
bool write_file(const std::string& path, std::string_view text);

}  // namespace pivotcheck
