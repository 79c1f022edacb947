// SPDX-License-Identifier: Apache-2.0
// explore.h: what a run of `pivotcheck explore` is asked to do.
//
//     parent (explore_campaign.cc)             workers, forked
//       starts and replaces workers              take the next case number: from shared memory
//       progress, the kernel's log      <----    figures for the summary: in shared memory
//       prints what was found           <----    one short message for each finding: a pipe
//       summary, exit status                     the finding itself: a file in the artifacts folder
//        |
//        '-- Fuzzers (explore_fuzzers.h)         the other engine: fuzz_trial under libFuzzer
//
// Case N of seed S is the same scenario whichever worker runs it, and whatever ran before it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/release.h"
#include "check/trial/campaign.h"
#include "json.h"
#include "model/traits.h"
#include "op/privilege.h"
#include "options/options.h"

namespace pivotcheck::cli {

struct Libfuzzer {
  std::string target;   // the program; "": this engine is not wanted
  std::string build;    // a shell command that builds it first; "": it is there
  std::string missing;  // why libFuzzer does not run, though it is wanted; "": it does
  std::string corpus;
  std::string seeds;
  std::uint64_t percent = 0;  // of the jobs
};

struct ExploreJob {
  // --- as the command line has it; explore() completes it

  // Counted from the first case of the engine that starts last, so that each engine has them.
  std::optional<std::uint64_t> seconds;
  std::optional<std::uint64_t> cases;  // random ones; the run ends when they are used up
  std::optional<std::uint64_t> only_case;  // this one of the seed, and nothing else
  std::optional<std::uint64_t> jobs;
  std::optional<std::uint64_t> seed;
  std::string privilege;  // userns, root, both; "": whatever runs here
  std::string artifacts = "artifacts";
  bool until_found = false;  // ends after the first disagreement that shows again
  bool no_recipes = false;
  bool no_kernel = false;      // the laws are asked of the model's states; no kernel is
  bool no_law_quirks = false;  // nor is any known deviation excused
  bool contract = false;       // both; and the model has no kernel's quirks either
  bool json = false;
  std::string trait_changes = {};
  Libfuzzer libfuzzer = {};

  // --- what explore() finds out

  std::vector<Privilege> privileges = {};  // case N has the one at N modulo their number
  KernelTraits traits = {};
  std::size_t random_jobs = 0;
  std::size_t fuzzer_jobs = 0;
};

// What one of the two engines did.
struct Engine {
  Counts counts;
  std::size_t jobs;
  double seconds;
  double cpu_seconds;  // of its processes that ended
};

// "userns", "root", "both".
std::string name_of(const std::vector<Privilege>& privileges);

// Figures (explore_summary.cc): one line of progress; and the summary, as an object for --json, of
// which each key is a line "key: value" otherwise.
std::string progress_line(double seconds, const Counts& counts, const Release& release);
Json figures(double seconds, const Counts& counts, const Release& release);
Json figures(const Engine& engine);
std::string text_of(const Json& summary);

// Starts the processes of both engines, watches them and the kernel's log until the time is up, and
// prints their findings and the summary.
ExitStatus run_campaign(const ExploreJob& job);

}  // namespace pivotcheck::cli
