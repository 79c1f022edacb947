// SPDX-License-Identifier: Apache-2.0
// output.h: what the command prints. Results go to standard output; messages about the work itself,
// and progress where that is a terminal, go to standard error.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "commands.h"

namespace pivotcheck::cli {

// To standard output. An error is remembered until finish_output().
void print(std::string_view text);
// Writes out what was printed; an error is remembered. Called before a fork, so that the child does
// not write it again.
void flush();
// "pivotcheck: TEXT" and a line break, to standard error. Returns the status, for a `return`.
ExitStatus complain(std::string_view text, ExitStatus status = {});

// Flushes standard output. If results could not be written, one line says so, and the exit status
// is that of a harness failure; a disagreement and an interruption keep their own.
ExitStatus finish_output(ExitStatus status);

// One line on a terminal that is written over. It appears after two seconds.
class Progress {
 public:
  Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  [[nodiscard]] bool is_due() const;  // false without a terminal, too early, or shown just now
  void show(std::string_view text);
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point next_;
  bool terminal_;
  bool shown_ = false;
};

}  // namespace pivotcheck::cli
