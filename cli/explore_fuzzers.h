// SPDX-License-Identifier: Apache-2.0
// explore_fuzzers.h: the second engine of `pivotcheck explore`: processes of fuzz_trial under
// libFuzzer, which is led by the model's coverage, on one corpus folder.
//
//     start        read the folder; start the processes, or first the build of their program
//     poll         what ended or hangs is reported, its input is kept, and it is started again
//     (stop)       Findings::stop ends them as it ends workers, after the case under way
//     kill_rest    kill those that did not end
//     reduce       make the folder small again
//
// A process performs its share of the corpus once, and then what it makes of it. It counts and
// reports as a worker does (check/trial/campaign.h).
//
// Not libFuzzer's own -fork=N (compiler-rt/lib/fuzzer/FuzzerFork.cpp): it starts its jobs through a
// shell, so they outlive a parent that is killed and leave a folder in /tmp; each job takes a
// random part of the corpus, hands its inputs on only when it ends, and can't be told from one that
// hangs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "check/trial/campaign.h"
#include "corpus_folder.h"
#include "shared_memory.h"
#include "supervisor.h"

namespace pivotcheck::cli {

struct FuzzerOptions {
  std::string target;   // the program
  std::string build;    // a shell command that builds it first; "": it is there
  std::string missing;  // why libFuzzer does not run, though it is wanted; "": it does
  std::string corpus;
  std::string seeds;
  std::string artifacts;
  std::string privilege;  // userns, root, both: what may be run here
  std::uint64_t seed = 0;
  std::size_t jobs = 0;  // 0: this engine is not wanted
  bool recipes = true;   // false: its mutator inserts none
};

class Fuzzers {
 public:
  using OnFailure = std::function<void(const std::string& what)>;

  // `failed` is called with whatever goes wrong, one line each.
  Fuzzers(FuzzerOptions options, SharedMemory<Findings>& findings, int pipe, OnFailure failed);

  void start();
  bool poll();  // false when no process is left
  void stop_building();
  void kill_rest();
  Reduced reduce(std::int64_t deadline_ms);  // after all have ended

  [[nodiscard]] bool is_building() const { return build_.pid() > 0; }
  [[nodiscard]] std::int64_t started_ms() const { return started_ms_; }  // 0: not yet
  [[nodiscard]] const std::string& missing() const { return options_.missing; }
  [[nodiscard]] std::size_t jobs() const { return options_.jobs; }
  [[nodiscard]] Counts counts() const;
  [[nodiscard]] double cpu_seconds() const { return processes_ ? processes_->cpu_seconds() : 0; }
  // Writes what was tried since then as files.
  std::uint64_t keep_recent(const std::string& folder, std::int64_t since_ms) const;

 private:
  struct Process {
    SharedMemory<FuzzerSlot> slot;
    UniqueFd messages;  // a file in memory: what libFuzzer prints
  };

  void start_build();
  void finish_build(int wait_status);
  void start_processes();
  [[noreturn]] void exec_target(std::size_t i) const;
  void report_lost(std::size_t i, const std::string& how);

  FuzzerOptions options_;
  SharedMemory<Findings>& findings_;
  int pipe_;
  OnFailure failed_;
  ChildProcess build_;
  UniqueFd build_messages_;
  std::vector<std::unique_ptr<Process>> slots_;
  std::optional<Supervisor> processes_;
  std::int64_t started_ms_ = 0;
  int losses_ = 0;
};

}  // namespace pivotcheck::cli
