// SPDX-License-Identifier: Apache-2.0
// runner.h: tries one property on many scenarios, those first that it failed on before.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "property.h"

namespace pivotcheck::props {

struct RunOptions {
  std::uint64_t seed = 0;
  int cases = 100;  // in which the property met what it is about
  Subjects subjects = {};
  bool shrink = true;
  bool locked_worlds_only = false;  // no Privilege::root
  std::optional<std::filesystem::path> failures;  // kept here; not given: not kept
};

struct Report {
  enum class Kind : unsigned char {
    holds,
    fails,    // broken by `scenario`; `what` says how
    vacuous,  // hardly any scenario met what it is about
    harness,  // says nothing about the property
  };
  Kind kind = Kind::holds;
  std::string what;
  std::optional<Scenario> scenario;  // shrunk
  std::filesystem::path kept;        // where that is; "" if it could not be kept
  bool was_kept = false;             // from an earlier run
  int tried_again = 0;               // kept failures that hold now
  int cases = 0;
  std::uint64_t times_relevant = 0;
  double elapsed_s = 0;
};

// `kernel`: nullptr only where the property needs none.
Report run(const Property& property, const RunOptions& options, Kernel* kernel);

}  // namespace pivotcheck::props
