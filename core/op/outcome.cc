// SPDX-License-Identifier: Apache-2.0
// outcome.cc: the names of Linux's errnos, both ways: those of the C library (glibc 2.32).
//
// Three numbers have a second name (EWOULDBLOCK, EDEADLOCK, ENOTSUP): it is understood, and the
// other one is printed.
#include "op/outcome.h"

#include <cerrno>
#include <cstring>

namespace pivotcheck {

std::string errno_name(int error) {
  const char* name = error > 0 ? ::strerrorname_np(error) : nullptr;
  return name != nullptr ? name : "errno " + std::to_string(error);
}

std::optional<int> errno_number(std::string_view name) {
  for (int error = 1; error <= EHWPOISON; ++error) {  // the last one of Linux
    const char* known = ::strerrorname_np(error);
    if (known != nullptr && name == known) return error;
  }
  if (name == "EWOULDBLOCK") return EWOULDBLOCK;
  if (name == "EDEADLOCK") return EDEADLOCK;
  if (name == "ENOTSUP") return ENOTSUP;
  return std::nullopt;
}

std::string to_string(Outcome outcome) { return outcome.ok() ? "ok" : errno_name(outcome.error); }

}  // namespace pivotcheck
