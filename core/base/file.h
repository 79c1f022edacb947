// SPDX-License-Identifier: Apache-2.0
// file.h: writing a small file whole, or not at all.
#pragma once

#include <string>
#include <string_view>

namespace pivotcheck {

// False with errno set where that was not possible; half a file is not left behind then.
bool write_file(const std::string& path, std::string_view text);

}  // namespace pivotcheck
