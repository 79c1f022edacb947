// SPDX-License-Identifier: Apache-2.0
// output.h: what the command prints. Results go to standard output; messages about the work itself,
// and progress where that is a terminal, go to standard error.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
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

// Folded at 100 columns, with `indent` blanks before all lines but the first.
std::string folded(std::string_view text, std::size_t indent);

// The text in a colour where standard output is a terminal, unless NO_COLOR is set (no-color.org)
// or the terminal is dumb; otherwise as it is.
enum class Color : unsigned char { red = 31, green = 32, yellow = 33 };
std::string colored(std::string_view text, Color color);
// Of a drawing or a report, each line that begins with one of the marks, such as "# - ".
struct MarkedLine {
  std::string_view mark;
  Color color;
};
std::string colored_lines(std::string_view text, std::span<const MarkedLine> marks);

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
