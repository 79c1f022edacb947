// SPDX-License-Identifier: Apache-2.0
// explore.h: what the parent and the workers of `pivotcheck explore` share.
//
//     parent (explore_parent.cc)               workers (explore_worker.cc), forked
//       starts and replaces workers              take the next case number: from shared memory
//       progress, the kernel's log      <----    figures for the summary: in shared memory
//       prints what was found           <----    one short message for each finding: a pipe
//       summary, exit status                     the finding itself: a file in the artifacts folder
//        |
//        '-- Fuzzers (explore_fuzzers.h)         the other engine: fuzz_trial under libFuzzer
//
// Case N of seed S is the same scenario whichever worker runs it, and whatever ran before it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "check/gen/scenario_generator.h"
#include "check/gen/coverage_stats.h"
#include "scenario/scenario.h"
#include "check/trial/campaign.h"
#include "check/trial/trial.h"
#include "options/options.h"

namespace pivotcheck::cli {

struct FuzzerOptions;  // explore_fuzzers.h

inline constexpr std::uint64_t no_case = UINT64_MAX;
inline constexpr std::size_t recent_cases = 4096;  // per worker: more than it can do in a second

// What the cases of a run are made from.
struct CaseSource {
  std::uint64_t seed = 0;
  std::vector<Privilege> privileges;  // case N has the one at N modulo their number
  KernelTraits traits;
  bool recipes = true;

  [[nodiscard]] Prediction make(std::uint64_t number) const;
};

struct RecentCase {
  std::atomic<std::uint64_t> number{no_case};
  std::atomic<std::int64_t> finished_ms{0};
};

// Written by one worker; the parent may see slightly stale values.
struct Slot {
  std::atomic<std::uint64_t> current{no_case};
  std::atomic<std::int64_t> alive_ms{0};  // when it last made progress
  Counts counts;
  std::array<RecentCase, recent_cases> recent{};
  std::atomic<std::uint64_t> finished{0};  // how many entries of `recent` were ever written
};

struct Shared {
  std::atomic<std::uint64_t> next_case{0};
};

struct ExploreJob {
  CaseSource source;
  std::uint64_t cases_max = no_case;
  std::string artifacts;
  std::string release;  // of the kernel, as uname has it
};

struct ExploreLimits {
  // Counted from the first case of the engine that starts last, so that each engine has them.
  std::optional<std::uint64_t> seconds;
  bool has_cases = false;    // ends when the random scenarios are used up (ExploreJob::cases_max)
  bool until_found = false;  // ends after the first disagreement
};

// The parent (explore_parent.cc): starts the processes of both engines, watches them and the
// kernel's log until the time is up, and prints their findings and the summary. `jobs`: how many
// workers run random scenarios.
ExitStatus run_explore(const ExploreLimits& limits, ExploreJob job, std::size_t jobs,
                       FuzzerOptions fuzzers);

// A worker, in the forked process. Returns when there is nothing left to do.
void work(const ExploreJob& job, Shared& shared, Findings& findings, Slot& slot, int pipe);

}  // namespace pivotcheck::cli
