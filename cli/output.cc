// SPDX-License-Identifier: Apache-2.0
// output.cc: standard output and standard error.
#include "output.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include <fmt/format.h>

#include "interruption.h"
#include "op/outcome.h"

namespace pivotcheck::cli {
namespace {

constexpr auto progress_starts = std::chrono::seconds(2);
constexpr auto progress_interval = std::chrono::milliseconds(200);

bool wants_colors() {
  const char* none = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return ::isatty(STDOUT_FILENO) != 0 && (none == nullptr || *none == '\0') &&
         terminal != nullptr && std::string_view(terminal) != "dumb";
}

int output_error = 0;  // the first errno of a write to standard output

}  // namespace

void print(std::string_view text) {
  if (output_error != 0) return;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) output_error = errno;
}

void flush() {
  if (std::fflush(stdout) != 0 && output_error == 0) output_error = errno;
}

ExitStatus complain(std::string_view text, ExitStatus status) {
  flush();
  std::fprintf(stderr, "pivotcheck: %.*s\n", static_cast<int>(text.size()), text.data());
  return status;
}

std::string folded(std::string_view text, std::size_t indent) {
  constexpr std::size_t columns = 100;
  std::string result;
  std::size_t column = indent;
  std::istringstream words{std::string(text)};
  for (std::string word; words >> word; column += word.size()) {
    if (column != indent && column + 1 + word.size() > columns) {
      result += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column != indent) {
      result += ' ';
      ++column;
    }
    result += word;
  }
  return result;
}

std::string colored(std::string_view text, Color color) {
  static const bool wanted = wants_colors();
  if (!wanted) return std::string(text);
  return fmt::format("\033[{}m{}\033[0m", static_cast<int>(color), text);
}

std::string colored_lines(std::string_view text, std::span<const MarkedLine> marks) {
  std::string result;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    const auto found = std::ranges::find_if(
        marks, [&](const MarkedLine& each) { return line.starts_with(each.mark); });
    result += found == marks.end() ? std::string(line) : colored(line, found->color);
    if (end < text.size()) result += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return result;
}

ExitStatus finish_output(ExitStatus status) {
  flush();
  if (output_error == 0) return status;
  if (status != ExitStatus::disagreed) status = unless_interrupted(ExitStatus::harness);
  return complain("can't write to standard output: " + errno_name(output_error), status);
}

Progress::Progress() : next_(Clock::now() + progress_starts), terminal_(::isatty(STDERR_FILENO)) {}

bool Progress::is_due() const { return terminal_ && Clock::now() >= next_; }

void Progress::show(std::string_view text) {
  std::fprintf(stderr, "\r\033[K%.*s", static_cast<int>(text.size()), text.data());
  std::fflush(stderr);
  shown_ = true;
  next_ = Clock::now() + progress_interval;
}

void Progress::clear() {
  if (!shown_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  shown_ = false;
}

}  // namespace pivotcheck::cli
