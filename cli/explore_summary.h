// SPDX-License-Identifier: Apache-2.0
// explore_summary.h: the texts of `pivotcheck explore`: one line of progress, and the summary, with
// a line "key: value" for each figure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/release.h"
#include "check/trial/campaign.h"

namespace pivotcheck::cli {

// What one of the two engines did: random scenarios from a seed, or libFuzzer.
struct EngineResult {
  Counts counts;
  std::size_t jobs = 0;
  double seconds = 0;
  double cpu_seconds = 0;  // of its processes that ended
};

struct ExploreResult {
  Release release;    // of the running kernel
  double seconds = 0;
  Counts total;       // of both engines
  EngineResult random;
  std::optional<EngineResult> libfuzzer;
  std::string libfuzzer_missing;  // why it did not run, though it is wanted
  std::string kernel_warnings;    // how many the kernel's log has, or why it was not watched
  std::uint64_t seed = 0;
  std::string artifacts;
  std::string corpus;
  std::uint64_t features = 0;  // of the corpus, as libFuzzer counts them
};

std::string progress_line(double seconds, const Counts& counts, const Release& release);
std::string summary(const ExploreResult& result);

}  // namespace pivotcheck::cli
