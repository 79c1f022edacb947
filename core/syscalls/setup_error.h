// SPDX-License-Identifier: Apache-2.0
// setup_error.h: a call of the harness's own that was refused, inside the executor: which, and with
// which errno. It becomes the text of a Failure (base/failure.h). The words are literals, so that a
// task can hand them on without allocating.
#pragma once

#include <cerrno>
#include <string>

#include "op/outcome.h"

namespace pivotcheck::kernel {

struct SetupError {
  const char* call = nullptr;  // "mount of a tmpfs"; nullptr: no error
  int error = 0;               // an errno, or 0 where none applies

  explicit operator bool() const { return call != nullptr; }
};

inline constexpr SetupError no_setup_error{};

inline SetupError setup_error(const char* call) { return {call, errno}; }

inline std::string to_string(const SetupError& what) {
  return std::string(what.call) + (what.error == 0 ? "" : ": " + errno_name(what.error));
}

}  // namespace pivotcheck::kernel
