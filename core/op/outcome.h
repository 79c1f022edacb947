// SPDX-License-Identifier: Apache-2.0
// outcome.h: what the kernel or the model answered to one operation: ok, or an errno. A refusal is
// a result, not an error of ours (base/failure.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pivotcheck {

struct Outcome {
  int error = 0;  // 0 for ok, otherwise the errno as the kernel returned it (positive)

  [[nodiscard]] bool ok() const { return error == 0; }
  bool operator==(const Outcome&) const = default;
};

// "EINVAL"; "errno 4242" for a number that has no name here.
std::string errno_name(int error);
// The number of "EINVAL", nullopt for what is not the name of an errno.
std::optional<int> errno_number(std::string_view name);
// "ok" or the errno's name.
std::string to_string(Outcome outcome);

}  // namespace pivotcheck
