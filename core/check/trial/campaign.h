// SPDX-License-Identifier: Apache-2.0
// campaign.h: what the processes of a search have in common, whoever makes their scenarios up:
// numbers in memory that they share with the one who started them, and what is done about a
// disagreement.
//
//     parent (cli/explore.cc)
//        |--- worker: seeded scenarios (cli/explore_worker.cc) ---.   each has a FindingReporter, which
//        |--- worker                                              |   performs and counts; where it
//        |--- fuzz_trial: libFuzzer's scenarios (fuzz/)        ---'   differs: once more, slowly;
//        '--- fuzz_trial                                              minimize; write; tell
//
// A kind of disagreement is minimized and shown once, by whichever process meets it first.
//
// A fuzz_trial is another program, so what it shares with its parent it finds at descriptors whose
// numbers stand here. It is never another build: the sizes of the memory are compared.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "check/gen/coverage_stats.h"
#include "scenario/scenario.h"
#include "check/trial/trial.h"

namespace pivotcheck {

inline constexpr std::size_t distinct_max = 20;    // disagreements that are minimized and shown
inline constexpr std::size_t message_bytes = 512;  // below PIPE_BUF: written whole or not at all

// What a process has done. Written by it alone; who reads it bears that it is a moment old.
struct Counts {
  gen::CoverageStats stats;  // of the cases that were performed and compared
  std::uint64_t not_run = 0;
  std::uint64_t cross_checked = 0;
  std::uint64_t mountinfo_incomplete = 0;
  std::uint64_t state_unseen = 0;
  std::uint64_t chance_refusals = 0;  // FINDINGS.md
  std::uint64_t disagreements = 0;

  void add(const Counts& other);
};

// A kind of disagreement, by what it is about.
struct Bucket {
  std::atomic<std::uint64_t> hash{0};  // 0: free
  std::atomic<std::uint64_t> count{0};
};

// One for all processes.
struct Findings {
  std::atomic<bool> stop{false};  // no further case
  std::array<Bucket, distinct_max> distinct{};
};

// One message to the parent. The first byte says which: a path of a new finding, or words of a
// failure.
struct Message {
  enum class Kind : char { finding = 'D', failure = 'F' };
  Kind kind;
  std::string text;
};

void tell(int pipe, Message::Kind kind, std::string text);

// The process that hunts, as its FindingReporter needs to know it.
struct HuntingProcess {
  Findings& findings;
  Counts& counts;
  std::atomic<std::int64_t>& alive_ms;  // when it last got on with anything
  int pipe;                             // to the parent
  std::string artifacts;                // the folder for what was found
};

// A case, as far as it must be found again.
struct CaseRef {
  std::string name;                    // "case-12": a part of file names
  std::string origin;                  // "seed 3 case 12"
  std::function<Scenario()> scenario;  // asked only where there is something to tell
};

class FindingReporter {
 public:
  FindingReporter(HuntingProcess process, Trial trial);

  // Performs what was predicted, counts it, and tells of it where that is needed.
  TrialResult::Kind perform(const CaseRef& one, const gen::CoverageStats& stats, const Prediction& predicted);

  // Ends the worlds, and waits for that.
  void end() { trial_.reset(); }

 private:
  void disagreement(const CaseRef& one, const TrialResult& first);
  void failure(const CaseRef& one, const TrialResult& result);
  void keep_whole(const CaseRef& one, const std::string& path, const Scenario& whole);
  [[nodiscard]] std::function<bool()> time_budget() const;
  [[nodiscard]] bool is_new(const std::string& kind) const;

  HuntingProcess process_;
  std::optional<Trial> trial_;
  std::string release_;  // of the kernel, as uname has it
};

// --- what a libFuzzer target that was started by `pivotcheck explore` finds where

struct FuzzerLink {
  static constexpr int findings = 100;  // a file that is memory: Findings
  static constexpr int slot = 101;      // likewise: FuzzerSlot
  static constexpr int pipe = 102;      // for Messages
  // "SHARE/SHARES PRIVILEGE RECIPES ARTIFACTS": which part of the corpus this process performs,
  // what can be run here (userns, root, both), `recipes` or `no-recipes` for the mutator, the
  // folder for findings. Or `predict`: no kernel is asked, the features are all that is wanted.
  static constexpr const char* variable = "PIVOTCHECK_HUNT";
};

inline constexpr std::size_t fuzzer_recent = 1024;      // more than it does in a second
inline constexpr std::size_t fuzzer_input_max = 16384;  // bytes of one input (-max_len)

// A text that was tried, so that it is not lost when the process is, or the kernel's log alarms.
struct FuzzerRecent {
  std::atomic<std::int64_t> finished_ms{0};  // 0: not yet
  std::atomic<std::uint32_t> size{0};
  std::array<char, fuzzer_input_max> text;  // as the memory was: not written before it is used
};

struct FuzzerSlot {
  std::atomic<std::int64_t> alive_ms{0};
  Counts counts;
  std::atomic<std::uint64_t> begun{0};  // how many entries of `recent` were ever written
  std::array<FuzzerRecent, fuzzer_recent> recent;
};

}  // namespace pivotcheck
