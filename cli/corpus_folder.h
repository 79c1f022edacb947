// SPDX-License-Identifier: Apache-2.0
// corpus_folder.h: the folder in which libFuzzer keeps what reached something new: one scenario in
// each file, named by its hash. It is kept between runs, may be cached, and may be in any state: a
// damaged file is passed over and reported, and only files that libFuzzer named are ever removed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace pivotcheck::cli {

struct CorpusFile {
  std::string path;
  std::size_t bytes = 0;
  bool by_libfuzzer = false;  // has a name as libFuzzer gives them
};

struct CorpusFolder {
  std::vector<CorpusFile> good;  // scenarios; the shortest first
  std::vector<CorpusFile> bad;   // anything else
  std::string first_error;     // "FILE: what is wrong with it", of the first that is bad
};

// Reads every file below the folder. One that is not there is an empty one.
CorpusFolder read_corpus(const std::string& folder);

// "" if a new file can be written there; otherwise the call that says no, and its errno.
std::string why_not_writable(const std::string& folder);

// What libFuzzer calls a merge, in place: the inner step of -merge=1 is run alone, on a control
// file in memory, and says for each file which features are new with it. Not -merge=1 itself: that
// copies to a second folder, under new names, and runs its steps through a shell, which outlives us
// if we are killed.
//
//     2              <- number of files             STARTED 0 60
//     0              <- of these in the first       FT 0 12 13 40      <- new features
//     corpus/a          folder                      STARTED 1 75
//     corpus/b                                      FT 1               <- none: not needed
//
// (compiler-rt/lib/fuzzer/FuzzerMerge.h has this format.)
struct Reduced {
  std::uint64_t features = 0;  // of all files together
  std::size_t removed = 0;
  std::string error;  // "" if all files were looked at
};
struct ReduceJob {
  std::string target;  // the program
  std::string corpus;
  std::string seeds;  // read first, never changed; "" for none
  std::int64_t deadline_ms = 0;
};
Reduced reduce_corpus(const ReduceJob& job);

}  // namespace pivotcheck::cli
