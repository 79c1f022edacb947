// SPDX-License-Identifier: Apache-2.0
// workers.h: `run --jobs N`: N forked processes, each with a Trial of its own, share the files.
//
//     parent  <-- pipe -- worker 0: file 0, file 2, file 3 ...   a worker that is free takes the
//             <-- pipe -- worker 1: file 1, file 4 ...           next number from shared memory
//
// A worker that dies loses the file it was at; the others go on.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/failure.h"
#include "check/trial/trial.h"

namespace pivotcheck::cli {

// What became of a file, as far as the summary and the exit status need it.
struct Finished {
  TrialResult::Kind kind = TrialResult::Kind::failed;
  bool cannot_run = false;
  bool state_unseen = false;
  std::string text;    // what to print
  std::string reason;  // of a file that was skipped or failed
};

// What a process does with one item.
using Perform = std::function<Finished(std::size_t item)>;

struct Workers {
  std::size_t jobs = 1;
  std::size_t count = 0;           // items [0, count)
  std::function<Perform()> make_perform;  // called once in each process
  std::function<void(std::size_t item, Finished)> done;  // called here, in the order of finishing
  std::function<void()> idle;                            // called here, a few times a second
};

// Items that a worker lost because it died are never `done`.
Expected<void> run_in_workers(const Workers& workers);

}  // namespace pivotcheck::cli
