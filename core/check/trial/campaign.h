// SPDX-License-Identifier: Apache-2.0
// campaign.h: what all processes of `pivotcheck explore` have in common: counts in memory that they
// share with their parent, and what is done about a disagreement.
//
//     parent (cli/explore_campaign.cc)
//        |--- worker: seeded scenarios (a fork)         ---.   a FindingReporter in each
//        |--- worker                                       |   performs and counts; at a
//        |--- fuzz_trial: libFuzzer's scenarios (fuzz/) ---'   difference it minimizes,
//        '--- fuzz_trial                                       writes a file, sends a Message
//
// Disagreements with the same signature (minimize.h) are one bucket: the process that finds the
// first minimizes it and sends a message, the others only count.
//
// fuzz_trial is a program of its own. What it shares with its parent it finds at fixed descriptors
// (FuzzerLink); it compares the sizes of the memory, so that both are of the same build.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "check/gen/coverage_stats.h"
#include "check/gen/probing_end.h"
#include "scenario/scenario.h"
#include "check/trial/trial.h"

namespace pivotcheck {

inline constexpr std::size_t buckets_max = 20;     // disagreements that are minimized and shown
inline constexpr std::size_t message_bytes = 512;  // below PIPE_BUF: written whole or not at all

// What a process has done, in numbers of 64 bits and nothing else: add() relies on that. Written by
// that process; the parent may read slightly stale values.
struct Counts {
  gen::CoverageStats stats;  // of the cases that were performed and compared
  std::uint64_t not_run = 0;
  std::uint64_t cross_checked = 0;
  std::uint64_t mountinfo_incomplete = 0;
  std::uint64_t state_unseen = 0;
  std::uint64_t seen_in_copies = 0;
  std::uint64_t listmount_lost = 0;
  std::uint64_t with_slave = 0;           // cases whose last state had one, and in how many of them
  std::uint64_t propagate_from_read = 0;  // the kernel itself said what it receives from
  std::uint64_t chance_refusals = 0;  // see FINDINGS.md
  std::uint64_t chance_possible = 0;  // cases in which a step may be refused by chance
  std::uint64_t disagreements = 0;
  std::uint64_t broken_laws = 0;
  std::uint64_t every_step = 0;   // cases whose state was read after each step
  gen::ProbeCounts probed;         // of the random cases
  laws::AskedCounts laws_asked{};  // how often each law's premise held

  void add(const Counts& other);
};

// What the observers did not see is compared with nothing. Which of it is too often in random cases,
// as a line each: losses of listmount, refusals by chance, propagate_from that the kernel was not asked
// for. Of at least 2,000 cases.
std::vector<std::string> seen_too_little(const Counts& counts);

// All disagreements with one signature.
struct Bucket {
  std::atomic<std::uint64_t> hash{0};  // 0: free
  std::atomic<std::uint64_t> count{0};
};

// One for all processes.
struct Findings {
  std::atomic<bool> stop{false};  // no further case
  std::array<Bucket, buckets_max> buckets{};
};

// One message to the parent: a byte for its kind, then the path of a new finding, or the text of a
// failure.
struct Message {
  enum class Kind : char { finding = 'D', seen_once = 'O', failure = 'F' };
  Kind kind;
  std::string text;
};

void send_message(int pipe, Message::Kind kind, std::string text);

// What a FindingReporter needs to know of its process.
struct CampaignProcess {
  Findings& findings;
  Counts& counts;
  std::atomic<std::int64_t>& alive_ms;  // when it last made progress
  int pipe;                             // to the parent
  std::string artifacts;                // the folder for findings
};

// A case, so that it can be named and made again.
struct CaseRef {
  std::string name;                    // "case-12": a part of file names
  std::string origin;                  // "seed 3 case 12"
  std::function<Scenario()> scenario;  // called only if there is something to report
};

class FindingReporter {
 public:
  FindingReporter(CampaignProcess process, Trial trial);

  // Performs the predicted scenario, counts it, and reports a disagreement or a failure.
  TrialResult::Kind perform(const CaseRef& ref, const Prediction& predicted);

  // Ends the kernel drivers, and waits for them.
  void end() { trial_.reset(); }

 private:
  void disagreement(const CaseRef& ref, const TrialResult& first);
  void failure(const CaseRef& ref, const TrialResult& result);
  void keep_whole(const CaseRef& ref, const std::string& path, const Scenario& whole);
  [[nodiscard]] std::function<bool()> time_budget() const;
  [[nodiscard]] bool is_read_after_each_step(const Prediction& predicted);
  [[nodiscard]] bool is_new(const std::string& about) const;

  CampaignProcess process_;
  std::optional<Trial> trial_;
  std::string release_;  // of the kernel, as uname has it
  std::uint64_t since_every_step_ = 0;  // cases
};

// --- what a libFuzzer target gets from `pivotcheck explore`

struct FuzzerLink {
  static constexpr int findings = 100;  // a file that is memory: Findings
  static constexpr int slot = 101;      // likewise: FuzzerSlot
  static constexpr int pipe = 102;      // for Messages
  // "SHARE/SHARES PRIVILEGE RECIPES ARTIFACTS": which part of the corpus this process performs,
  // what can be run here (userns, root, both), `recipes` or `no-recipes` for the mutator, the
  // folder for findings. Or `predict`: no kernel is asked, the features are all that is wanted.
  static constexpr const char* variable = "PIVOTCHECK_CAMPAIGN";
};

inline constexpr std::size_t fuzzer_recent = 1024;      // more than it does in a second
inline constexpr std::size_t fuzzer_input_max = 16384;  // bytes of one input (-max_len)

// A text that was tried. The parent keeps it if the process is lost, or if the kernel's log has a
// warning.
struct FuzzerRecent {
  std::atomic<std::int64_t> finished_ms{0};  // 0: not yet
  std::atomic<std::uint32_t> size{0};
  std::array<char, fuzzer_input_max> text;  // not initialized
};

struct FuzzerSlot {
  std::atomic<std::int64_t> alive_ms{0};
  Counts counts;
  std::atomic<std::uint64_t> begun{0};  // how many entries of `recent` were ever written
  std::array<FuzzerRecent, fuzzer_recent> recent;
};

}  // namespace pivotcheck
