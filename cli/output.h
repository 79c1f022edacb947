// SPDX-License-Identifier: Apache-2.0
// output.h: how the command talks. Results go to standard output, everything about the work itself
// to standard error: messages, the log (--verbose), and progress where that is a terminal.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "commands.h"

namespace pivotcheck::cli {

// To standard output. An error is remembered until finish_output().
void print(std::string_view text);
// What was printed is out, or the error is remembered. Before a fork, so that it is not out twice.
void flush();
// "pivotcheck: TEXT" and a line break, to standard error.
void complain(std::string_view text);

// Flushes standard output. Results that could not be written are a harness failure: one clear line,
// and an exit status that says so, unless there was a disagreement to tell of.
ExitStatus finish_output(ExitStatus status);

// One line on a terminal that is written over, from two seconds after its making on.
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
