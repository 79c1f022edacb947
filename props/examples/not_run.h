// SPDX-License-Identifier: Apache-2.0
// not_run.h: for a test case, or a part of one, that this machine cannot run.
#pragma once

#include <string_view>

namespace pivotcheck {

// Says so, with the reason, on stderr, and counts the test case as not run. pivotcheck_examples
// then ends with status 77 unless a check fails, and ctest says "Skipped".
void not_run(std::string_view reason);

}  // namespace pivotcheck
