// SPDX-License-Identifier: Apache-2.0
// main.cc: `safety TEST`: tries on the command itself that nothing of it is left behind. See
// tests.h.
//
// Exit status: 0 it holds, 1 it does not, 2 bad usage, 4 nothing can run here.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>

#include <fmt/format.h>

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
  if (status && WIFEXITED(*status) && WEXITSTATUS(*status) == 0) return true;
  fmt::print("NOT RUN: no scenario can run here:\n{}", read_file(folder.path() + "/err"));
  return false;
}

}  // namespace
}  // namespace pivotcheck::safety

int main(int argc, char** argv) {
  using namespace pivotcheck::safety;
  CLI::App app("safety: whatever happens to the command, nothing of it is left behind");
  app.require_subcommand(1);
  Options options;
  options.seed = std::random_device{}();
  bool (*test)(const Options&) = nullptr;
  const auto add = [&](const char* name, const char* what, bool (*it)(const Options&),
                       std::uint64_t count) {
    CLI::App* command = app.add_subcommand(name, what);
    command->add_option("--pivotcheck", options.pivotcheck, "the command");
    command->add_option("--corpus", options.corpus, "a folder of scenarios");
    command->add_option("--fuzzer", options.fuzzer, "a libFuzzer target, if there is one");
    command->add_option("--seed", options.seed, "of what is chosen at random");
    auto wanted = std::make_shared<std::uint64_t>(count);
    if (count > 0) command->add_option("--count", *wanted, "how many kills, or cases");
    command->callback([&, it, wanted] {
      test = it;
      options.count = *wanted;
    });
    return command;
  };
  add("can-fail", "leave something behind: is it noticed?", can_fail, 0);
  add("kills", "kill its processes at random moments", kills, 300);
  add("hang", "stop a process that others wait for", hang, 3000)
      ->add_flag("--unkillable", options.unkillable, "and it can't be killed either");
  add("soak", "count memory and the kernel's objects before and behind", soak, 100'000);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  // What it starts stands in folders of its own.
  for (std::string* path : {&options.pivotcheck, &options.corpus, &options.fuzzer}) {
    if (!path->empty()) *path = std::filesystem::absolute(*path).string();
  }
  become_the_reaper();
  if (test != can_fail && !something_runs(options)) return 4;
  return test(options) ? 0 : 1;
}
