// SPDX-License-Identifier: Apache-2.0
// check.h: assertions. An assertion that fails is a bug of pivotcheck itself, never an answer of
// the kernel (that is an Outcome, op/outcome.h) and never a machine that can't run something (that
// is a Failure, base/failure.h). It stays on in release builds: a model that went wrong must not go
// on.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace pivotcheck::detail {
[[noreturn]] inline void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "pivotcheck: assertion failed, please report it: %s (%s:%d)\n", condition,
               file, line);
  std::abort();
}
}  // namespace pivotcheck::detail

#define PIVOTCHECK_CHECK(condition) \
  ((condition) ? static_cast<void>(0) \
               : ::pivotcheck::detail::check_failed(#condition, __FILE__, __LINE__))
