// SPDX-License-Identifier: Apache-2.0
// replay_main.cc: a main for the targets if the build is not with libFuzzer, so that every ordinary
// build has them and runs them as tests.
//
//     fuzz_trial -runs=0 corpus              each file below the folder, once, in byte order
//     fuzz_trial -runs=1000 -seed=1 corpus   then mutations of these, without any coverage to guide
//
// It understands these arguments of libFuzzer and ignores its other flags. An input that fails is
// printed, and the process aborts as it does with libFuzzer.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "check/gen/choices.h"

extern "C" {
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
__attribute__((weak)) int LLVMFuzzerInitialize(int* argc, char*** argv);
__attribute__((weak)) std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                                          std::size_t size_max, unsigned seed);
}

namespace {

constexpr std::size_t bytes_max = 16384;

struct Input {
  std::string name;
  std::string bytes;
};
Input now;

int run(Input input) {
  now = std::move(input);
  return LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(now.bytes.data()),
                                now.bytes.size());
}

void show_input(int) {
  const auto show = [](std::string_view text) { (void)!::write(2, text.data(), text.size()); };
  show("# input: " + now.name + "\n");
  show(now.bytes);
  std::signal(SIGABRT, SIG_DFL);
}

std::string mutated(const std::string& bytes, unsigned seed) {
  std::string result = bytes.substr(0, bytes_max);
  const std::size_t size = result.size();
  result.resize(bytes_max);
  auto* data = reinterpret_cast<std::uint8_t*>(result.data());
  result.resize(LLVMFuzzerCustomMutator(data, size, bytes_max, seed));
  return result;
}

// The files of a folder, or the file itself.
std::vector<std::string> files_at(const std::string& path) {
  if (!std::filesystem::is_directory(path)) return {path};
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    if (entry.is_regular_file()) files.push_back(entry.path().string());
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGABRT, show_input);
  if (LLVMFuzzerInitialize != nullptr) LLVMFuzzerInitialize(&argc, &argv);
  unsigned runs = 0;
  unsigned seed = 0;
  std::vector<std::string> corpus;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    (void)std::sscanf(argv[i], "-runs=%u", &runs);
    (void)std::sscanf(argv[i], "-seed=%u", &seed);
    if (argument.starts_with('-')) continue;
    if (!std::filesystem::exists(argument)) {
      std::fprintf(stderr, "%s: there is no such file\n", argv[i]);
      return 2;
    }
    for (const std::string& path : files_at(argv[i])) {
      corpus.push_back(pivotcheck::read_file(path));
      run({path, corpus.back()});
    }
  }
  const std::size_t files = corpus.size();
  // A mutation of a file, or of an earlier mutation that was of use. Nothing is known of coverage
  // here, so new ones replace the oldest.
  constexpr std::size_t kept_max = 4096;
  pivotcheck::SeededChoices choices(seed, 1);
  if (corpus.empty()) corpus.emplace_back();
  for (unsigned i = 0; i < runs && LLVMFuzzerCustomMutator != nullptr; ++i) {
    const auto at = choices.below(static_cast<std::uint32_t>(corpus.size()));
    const std::string bytes = mutated(corpus[at], choices.below(UINT32_MAX));
    if (run({"run " + std::to_string(i), bytes}) != 0) continue;
    if (corpus.size() < kept_max) corpus.push_back(bytes);
    else corpus[files + i % (kept_max - std::min(files, kept_max - 1))] = bytes;
  }
  std::fprintf(stderr, "%zu files, %u runs\n", files, runs);
  return 0;
}
