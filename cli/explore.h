// SPDX-License-Identifier: Apache-2.0
// explore.h: what the parent and the workers of `pivotcheck explore` share.
//
//     parent (explore.cc)                      workers (explore_worker.cc), forked, 6 for each core
//       starts and replaces workers              take the next case number: from shared memory
//       progress, the kernel's log      <----    numbers for the summary: in shared memory
//       prints what was found           <----    one short message for each thing found: a pipe
//       summary, exit status                     the finding itself: a file in the artifacts folder
//
// Case N of seed S is the same scenario whichever worker runs it, and whatever ran before it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "gen/scenario_generator.h"
#include "gen/tally.h"
#include "scenario/scenario.h"
#include "trial/trial.h"

namespace pivotcheck::cli {

inline constexpr std::uint64_t no_case = UINT64_MAX;
inline constexpr std::size_t recent_cases = 4096;   // per worker: more than it can do in a second
inline constexpr std::size_t distinct_max = 20;     // disagreements that are minimized and shown
inline constexpr std::size_t message_bytes = 512;   // below PIPE_BUF: written whole or not at all

// What the cases of a run are made from.
struct CaseSource {
  std::uint64_t seed = 0;
  std::vector<Privilege> privileges;  // case N has the one at N modulo their number
  KernelTraits traits;

  [[nodiscard]] Generated make(std::uint64_t number) const;
};

struct RecentCase {
  std::atomic<std::uint64_t> number{no_case};
  std::atomic<std::int64_t> finished_ms{0};
};

// Written by one worker only, and read by the parent, which bears that a sum is a moment old.
struct Slot {
  std::atomic<std::uint64_t> current{no_case};
  std::atomic<std::int64_t> alive_ms{0};  // when it last got on with anything
  gen::Tally tally;
  std::uint64_t not_run = 0;
  std::uint64_t cross_checked = 0;
  std::uint64_t mountinfo_incomplete = 0;
  std::uint64_t state_unseen = 0;
  std::uint64_t chance_refusals = 0;  // FINDINGS.md
  std::array<RecentCase, recent_cases> recent{};
  std::atomic<std::uint64_t> finished{0};  // how many entries of `recent` were ever written
};

// A kind of disagreement, by what it is about.
struct Distinct {
  std::atomic<std::uint64_t> hash{0};  // 0: free
  std::atomic<std::uint64_t> count{0};
};

struct Shared {
  std::atomic<std::uint64_t> next_case{0};
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> disagreements{0};
  std::array<Distinct, distinct_max> distinct{};
};

struct ExploreJob {
  CaseSource source;
  std::uint64_t cases_max = no_case;
  std::string artifacts;
  std::string release;  // of the kernel, as uname has it
};

// One message of a worker. The first byte says which: a path of a new finding, or words of a
// failure.
struct Message {
  enum class Kind : char { finding = 'D', failure = 'F' };
  Kind kind;
  std::string text;
};

// Runs in the forked process; returns when there is nothing left to do.
void work(const ExploreJob& job, Shared& shared, Slot& slot, int pipe);

std::int64_t now_ms();  // of the monotonic clock

// Writes a file whole; false with errno set if that was not possible.
bool write_file(const std::string& path, std::string_view text);

}  // namespace pivotcheck::cli
