// SPDX-License-Identifier: Apache-2.0
// explore_fuzzers.h: the other road of `pivotcheck explore`: processes of fuzz_trial under
// libFuzzer, which is led by the model's coverage, on one corpus folder.
//
//     begin        look at the folder; start the processes
//     look_after   what ended or hangs is told of, kept, and started again
//     (stop)       Findings::stop ends them as it ends workers, behind the case under way
//     end          kill who did not; make the folder small again
//
// A process performs its part of the corpus once, and then what it makes of it. It counts and tells
// as a worker does (check/trial/campaign.h).
//
// Not libFuzzer's own -fork=N (compiler-rt/lib/fuzzer/FuzzerFork.cpp): it starts its jobs through a
// shell, so they outlive a parent that is killed and leave a folder in /tmp; each job takes a
// random part of the corpus, hands its inputs on only when it ends, and can't be told from one that
// hangs.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "corpus_folder.h"
#include "shared_memory.h"
#include "check/trial/campaign.h"

namespace pivotcheck::cli {

double cpu_seconds_of(const rusage& usage);

struct FuzzerOptions {
  std::string target;  // the program; "": this road is not taken
  std::string corpus;
  std::string seeds;
  std::string artifacts;
  std::string privilege;  // userns, root, both: what may be run here
  std::uint64_t seed = 0;
  std::size_t jobs = 0;
  bool recipes = true;    // false: its mutator inserts none
};

class Fuzzers {
 public:
  using SetupError = std::function<void(const std::string& words)>;

  // `trouble` is told whatever goes wrong, one line each.
  Fuzzers(FuzzerOptions options, SharedMemory<Findings>& findings, int pipe, SetupError trouble);

  void begin();
  bool supervise();  // false when no process is left
  void end();         // kills whoever is left
  // The corpus made small again, behind the end.
  Reduced reduce(std::int64_t deadline_ms);

  [[nodiscard]] Counts counts() const;
  [[nodiscard]] double cpu_seconds() const { return cpu_seconds_; }  // of those that ended
  // Writes what was tried since then as files.
  std::uint64_t keep_recent(const std::string& folder, std::int64_t since_ms) const;

 private:
  struct Process {
    pid_t pid = -1;
    std::unique_ptr<SharedMemory<FuzzerSlot>> slot;
    UniqueFd messages;  // memory for what libFuzzer says
  };

  bool supervise(std::size_t number);
  void start(std::size_t number);
  [[noreturn]] void become(std::size_t number) const;
  void lost(std::size_t number, const std::string& how);
  bool keep_under_way(const FuzzerSlot& slot, const std::string& path) const;

  FuzzerOptions options_;
  SharedMemory<Findings>& findings_;
  int pipe_;
  SetupError trouble_;
  std::vector<Process> processes_;
  int losses_ = 0;
  int started_ = 0;
  double cpu_seconds_ = 0;
};

}  // namespace pivotcheck::cli
