// SPDX-License-Identifier: Apache-2.0
// tests.h: what must hold of a command that changes mounts as root. Each test starts the command,
// prints what it saw, and returns true if it holds.
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

// kills.cc: any of its processes is killed at any moment: nothing is left behind.
bool kills(const Options& options);
// hang.cc: a world that hangs costs one case, one line and exit status 3.
bool hang(const Options& options);
// soak.cc: after many cases, memory and the kernel's counts of objects are as before.
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

// For killed processes to end: far longer than it takes, because machines can be busy.
inline constexpr int gone_limit_ms = 20'000;

}  // namespace pivotcheck::safety
