// SPDX-License-Identifier: Apache-2.0
// tests.h: what must hold of a harness that plays with mounts as root, tried on the command itself.
// Each returns true if it holds, and prints what it saw.
#pragma once

#include <cstdint>
#include <string>

namespace pivotcheck::safety {

struct Options {
  std::string pivotcheck;       // the command
  std::string corpus;           // a folder of scenarios
  std::string fuzzer;           // a libFuzzer target; "": there is none in this build
  std::uint64_t seed = 0;
  std::uint64_t count = 0;      // of kills, or of cases
  bool unkillable = false;      // of `hang`: also by a process that even SIGKILL does not end
};

// kills.cc: whichever of its processes is killed, at whatever moment, nothing is left behind.
bool kills(const Options& options);
// hang.cc: a world that hangs costs its own case, one line and exit status 3.
bool hang(const Options& options);
// soak.cc: behind many cases memory and the kernel's own counts are back where they were.
bool soak(const Options& options);
// can_fail.cc: the same checks notice what is left behind on purpose.
bool can_fail(const Options& options);

// A folder for one test that goes with it.
class Folder {
 public:
  Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// How long what was killed may take to be gone: far longer than it does, for machines that are
// busy.
inline constexpr int gone_limit_ms = 20'000;

}  // namespace pivotcheck::safety
