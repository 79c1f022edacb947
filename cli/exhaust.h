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

struct ExhaustJob {
  // --- as the command line has it

  std::vector<std::string> layouts;  // names or files; none: all
  std::string alphabet = "pivot";
  std::string privilege;  // userns, root, both; "": whatever runs here
  std::string places;     // of a file
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
  std::string model = "running";  // model_spec.h

  // --- what exhaust() finds out

  std::vector<exhaust::Layout> starts;
  std::vector<Privilege> privileges;
  KernelTraits traits = {};
  std::uint64_t shard_index = 0;
  std::uint64_t shard_count = 1;
};

// One search: of one space, to one depth.
struct SearchResult {
  std::string layout;
  Privilege privilege = Privilege::userns;
  std::size_t operations = 0;
  std::vector<std::uint64_t> states;  // by depth: that were met first there
  exhaust::Counts counts;
  double seconds = 0;
  double cpu_seconds = 0;
  std::uint64_t depth = 0;  // to which it is whole
  bool is_whole = false;    // to the depth that is wanted
};

// Prints what it finds.
SearchResult search(const ExhaustJob& job, const exhaust::Layout& start, Privilege privilege);

Json json_of(const SearchResult& result);
Json summary_of(const ExhaustJob& job, const std::vector<SearchResult>& results);

}  // namespace pivotcheck::cli
