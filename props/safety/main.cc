// SPDX-License-Identifier: Apache-2.0
// main.cc: `safety TEST`: the tests of tests.h.
//
// Exit status: 0 it holds, 1 it does not, 2 bad usage, 4 nothing can run here.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>

#include <fmt/format.h>

#include "base/file.h"
#include "cli/options/options.h"
#include "processes.h"
#include "tests.h"

namespace pivotcheck::safety {

Folder::Folder() {
  path_ = (std::filesystem::temp_directory_path() / "pivotcheck-safety-XXXXXX").string();
  if (::mkdtemp(path_.data()) == nullptr) {
    std::perror("mkdtemp");
    std::exit(3);
  }
}

Folder::~Folder() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

namespace {

constexpr int doctor_limit_ms = 60'000;

bool something_runs(const Options& options) {
  const Folder folder;
  const pid_t doctor = start({.words = {options.pivotcheck, "doctor"}, .folder = folder.path()});
  const auto status = wait_for(doctor, doctor_limit_ms);
  if (exited_with(status, 0)) return true;
  fmt::print("NOT RUN: no scenario can run here:\n{}", read_file(folder.path() + "/err"));
  return false;
}

cli::ExitStatus run_test(Options options, bool (*test)(const Options&)) {
  // The commands have other current directories.
  for (std::string* path : {&options.pivotcheck, &options.corpus, &options.fuzzer}) {
    if (!path->empty()) *path = std::filesystem::absolute(*path).string();
  }
  become_the_reaper();
  if (test != can_fail && !something_runs(options)) return cli::ExitStatus::nothing_ran;
  return test(options) ? cli::ExitStatus::agreed : cli::ExitStatus::disagreed;
}

cli::CommandSpec command_for(const char* name, const char* summary, bool (*test)(const Options&),
                             std::uint64_t count, std::uint64_t seed) {
  auto options = std::make_shared<Options>();
  options->seed = seed;
  options->count = count;
  cli::CommandSpec command{
      .name = name,
      .summary = summary,
      .options = {{"--pivotcheck", &options->pivotcheck, "the command"},
                  {"--corpus", &options->corpus, "a folder of scenarios"},
                  {"--fuzzer", &options->fuzzer, "a libFuzzer target, if there is one"},
                  {"--seed", &options->seed, "of what is chosen at random"}},
      .run = [options, test] { return run_test(*options, test); }};
  if (count > 0) {
    command.options.push_back({"--count", &options->count, "how many kills, or cases"});
  }
  if (test == hang) {
    command.options.push_back(
        {"--unkillable", &options->unkillable, "and it can't be killed either"});
  }
  return command;
}

}  // namespace
}  // namespace pivotcheck::safety

int main(int argc, char** argv) {
  namespace cli = pivotcheck::cli;
  using namespace pivotcheck::safety;
  const std::uint64_t seed = std::random_device{}();
  const cli::CommandSpec program{
      .name = "safety",
      .summary = "safety: the command leaves nothing behind, even if it is killed or hangs",
      .subcommands = {
          command_for("can-fail", "leave something behind: is it noticed?", can_fail, 0, seed),
          command_for("kills", "kill its processes at random moments", kills, 300, seed),
          command_for("hang", "stop a process that others wait for", hang, 3000, seed),
          command_for("soak", "count memory and kernel objects before and after many cases", soak,
                      100'000, seed)}};
  const cli::Parsed parsed = cli::parse_command_line(program, argc, argv);
  return static_cast<int>(parsed.chosen == nullptr ? parsed.status : parsed.chosen->run());
}
