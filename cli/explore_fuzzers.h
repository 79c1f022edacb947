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
#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "check/trial/campaign.h"
#include "explore.h"
#include "supervisor.h"

namespace pivotcheck::cli {

class Fuzzers {
 public:
  using OnFailure = std::function<void(const std::string& what)>;

  // `failed` is called with whatever goes wrong, one line each.
  Fuzzers(const ExploreJob& job, SharedMemory<Findings>& findings, int pipe, OnFailure failed);

  void start();
  bool poll();  // false when no process is left
  void stop_building();
  void kill_rest();
  void reduce(std::int64_t deadline_ms);  // after all have ended

  [[nodiscard]] bool is_building() const { return build_.pid() > 0; }
  [[nodiscard]] std::int64_t started_ms() const { return started_ms_; }  // 0: not yet
  [[nodiscard]] const std::string& missing() const { return missing_; }
  [[nodiscard]] std::size_t jobs() const { return jobs_; }
  [[nodiscard]] Counts counts() const;
  [[nodiscard]] double cpu_seconds() const { return processes_ ? processes_->cpu_seconds() : 0; }
  void add_corpus_figures(Json& summary) const;
  // Writes what was tried since then as files.
  std::uint64_t keep_recent(const std::string& folder, std::int64_t since_ms) const;

 private:
  struct Process {
    SharedMemory<FuzzerSlot> slot;
    UniqueFd messages = memory_file();  // what libFuzzer prints
  };

  void start_build();
  void finish_build(int wait_status);
  void start_processes();
  [[noreturn]] void exec_target(std::size_t i) const;
  void report_lost(Process& process, const std::string& how);

  const ExploreJob& job_;
  std::size_t jobs_;     // 0: this engine is not wanted, or has no corpus
  std::string missing_;  // why it does not run, though it is wanted
  SharedMemory<Findings>& findings_;
  int pipe_;
  OnFailure failed_;
  ChildProcess build_;
  UniqueFd build_messages_ = memory_file();
  std::deque<Process> slots_;
  std::optional<Supervisor> processes_;
  std::int64_t started_ms_ = 0;
  int losses_ = 0;
  std::uint64_t features_ = 0;  // of the corpus, as libFuzzer counts them
};

}  // namespace pivotcheck::cli
