// SPDX-License-Identifier: Apache-2.0
// output.cc: standard output and standard error.
#include "output.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "interruption.h"
#include "op/outcome.h"

namespace pivotcheck::cli {
namespace {

constexpr auto progress_starts = std::chrono::seconds(2);
constexpr auto progress_interval = std::chrono::milliseconds(200);

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
