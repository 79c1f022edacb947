// SPDX-License-Identifier: Apache-2.0
// exhaust.h: what a run of `pivotcheck exhaust` is asked to do.
//
//     for each layout and privilege: a search (exhaust_run.cc)
//       parent                                    workers, forked for each depth
//         blocks of the states of one depth  -->    expand, add to the set in shared memory,
//         reads the journal                  <--    compare with the kernel, append to the journal
//         the next depth
//     summary, exit status (exhaust_summary.cc)
//
// A sequence that is found to differ is the shortest there is, because all shorter ones were tried:
// a search ends after the depth at which something was found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/release.h"
#include "check/exhaust/journal.h"
#include "check/exhaust/space.h"
#include "json.h"
#include "model/traits.h"
#include "options/options.h"

namespace pivotcheck::cli {

inline constexpr std::size_t exhaust_jobs_max = 1024;  // as explore

struct ExhaustJob {
  // --- as the command line has it

  std::vector<std::string> layouts;  // names or files; none: all
  std::string alphabet = "pivot";
  std::string privilege;  // userns, root, both; "": whatever runs here
  std::uint64_t depth = 2;
  std::uint64_t tasks = 1;
  std::uint64_t mounts = 64;
  std::uint64_t memory = 256;  // MiB
  std::optional<std::uint64_t> jobs;
  std::string shard;    // "I/N"
  std::string journal;  // a folder; "": none
  std::string artifacts = "artifacts";
  bool no_kernel = false;
  bool no_laws = false;
  bool no_law_quirks = false;
  bool json = false;
  bool list = false;
  bool print = false;             // the scenarios, and perform nothing
  bool table = false;             // the shortest sequence for each rule and situation
  bool check_parts = false;       // LAYOUT|FILE are what the parts of a search printed
  std::string model = "running";  // model_spec.h

  // --- what exhaust() finds out

  std::vector<exhaust::Layout> starts;
  std::vector<Privilege> privileges;
  KernelTraits traits = {};
  std::uint64_t shard_index = 0;
  std::uint64_t shard_count = 1;
};

// The shortest sequence found for a rule or a situation (exhaust::Targets).
struct ShortestFound {
  std::size_t target = 0;
  std::size_t operations = 0;  // how many
  std::string layout;
  Privilege privilege = Privilege::userns;
  std::vector<std::string> steps;  // these operations
  std::string scenario;            // with the set-up
};

// One search: of one space, to one depth.
struct SearchResult {
  std::string layout;
  Privilege privilege = Privilege::userns;
  std::size_t operations = 0;
  std::size_t symmetries = 0;         // renamings under which states count once
  std::vector<std::uint64_t> states;  // by depth: that were met first there
  exhaust::Counts counts;
  double seconds = 0;
  double cpu_seconds = 0;
  std::uint64_t depth = 0;    // to which it is whole
  bool is_whole = false;      // to the depth that is wanted
  std::uint64_t sum_low = 0;  // of the hashes of all states that are to be expanded, in all parts
  std::uint64_t sum_high = 0;
  std::vector<ShortestFound> shortest;
};

// Prints the scenarios of a search as a stream (stream.h), in this process.
void print_scenarios(const ExhaustJob& job, const exhaust::Layout& start, Privilege privilege);

// Prints what it finds.
SearchResult search(const ExhaustJob& job, const exhaust::Layout& start, Privilege privilege);

Json json_of(const ExhaustJob& job, const SearchResult& result);
Json summary_of(const ExhaustJob& job, const std::vector<SearchResult>& results);

// Of all searches: each rule and each situation with the shortest sequence, or without any.
void print_table(const ExhaustJob& job, const std::vector<SearchResult>& results);

// exhaust_parts.cc: do the parts (--shard, --json) in these files make up the whole?
ExitStatus check_parts(const std::vector<std::string>& files);

}  // namespace pivotcheck::cli
