// SPDX-License-Identifier: Apache-2.0
// main.cc: the table of contents of the command.
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "commands.h"
#include "commit.h"
#include "machine.h"
#include "manual.h"
#include "output.h"

namespace pivotcheck::cli {
namespace {

// In the list of subcommands, and after options of pivotcheck itself (pivotcheck --verbose switch).
CommandSpec switch_command() {
  auto rest = std::make_shared<std::vector<std::string>>();
  const auto run = [rest] {
    std::string name = "switch";
    std::vector<char*> words{name.data()};
    for (std::string& word : *rest) words.push_back(word.data());
    words.push_back(nullptr);
    return static_cast<ExitStatus>(run_switch(static_cast<int>(words.size()) - 1, words.data()));
  };
  return {.name = "switch",
          .summary = "Run a command in a new root, by any of the strategies (see switch --help)",
          .run = run,
          .rest = rest.get()};
}

}  // namespace
}  // namespace pivotcheck::cli

namespace {

// A frame of its own, because main() looks at the stack before.
[[gnu::noinline]] int run_command_line(int argc, char** argv) {
  namespace cli = pivotcheck::cli;
  using cli::ExitStatus;
  try {
    const cli::CommandSpec program{
        .name = "pivotcheck",
        .summary =
            "pivotcheck: an executable model of mounts, namespaces and pivot_root, compared with "
            "the running kernel",
        .options = {{"-v,--verbose", &pivotcheck::log_is_verbose,
                     "say more on standard error about what is done"}},
        .footer =
            "pivotcheck --man [SUBCOMMAND] prints a page of the manual, as man -l reads it;\n"
            "pivotcheck --completion bash|zsh|fish prints what completes command lines there.\n"
            "Exit status: each subcommand has its own; 2 for bad usage.",
        .version = "pivotcheck " PIVOTCHECK_VERSION " (commit " PIVOTCHECK_COMMIT ")",
        .subcommands = {
            cli::run_command(),         // replay scenarios: kernel against model
            cli::explore_command(),     // make up scenarios and do the same
            cli::exhaust_command(),     // try everything that is small
            cli::minimize_command(),    // what a scenario comes down to
            cli::draw_command(),        // what a scenario's world looks like
            cli::explain_command(),     // why a pivot_root fails, and what mends it
            cli::claims_command(),      // what people say, and what is true of it
            cli::rules_command(),       // every reason to refuse
            cli::laws_command(),        // what must never happen
            cli::situations_command(),  // what random scenarios rarely reach
            cli::format_command(),      // what a scenario is written in
            cli::generate_command(),    // random scenarios as data, for other kernels
            cli::answer_command(),      // what this kernel answers to a stream of them
            cli::predict_command(),     // what the model of any kernel answers
            cli::shortage_command(),    // each step, while what it needs runs out
            cli::doctor_command(),      // what this machine can run
            cli::strategies_command(),  // the ways to switch root
            cli::switch_command(),      // run a command in a new root by one of them
        }};
    if (const auto status = cli::print_manual(program, {argv + 1, argv + argc})) {
      return static_cast<int>(cli::finish_output(*status));
    }
    const cli::Parsed parsed = cli::parse_command_line(program, argc, argv);
    if (parsed.chosen == nullptr) return static_cast<int>(parsed.status);
    return static_cast<int>(cli::finish_output(parsed.chosen->run()));
  } catch (const std::exception& error) {  // no memory, as a rule
    std::fprintf(stderr, "pivotcheck: %s\n", error.what());
    return static_cast<int>(ExitStatus::harness);
  }
}

}  // namespace

int main(int argc, char** argv) {
  namespace cli = pivotcheck::cli;
  // It starts other programs, and is timed: nothing of what the others need is set up for it.
  if (argc > 1 && std::string_view(argv[1]) == "switch") return cli::run_switch(argc - 1, argv + 1);
  cli::raise_limits();
  if (const cli::Resource stack = cli::stack_resource(); !stack.change.empty()) {
    std::fprintf(stderr, "pivotcheck: stack: %s (%s)\n", stack.what.c_str(),
                 stack.change.c_str());
    return static_cast<int>(cli::ExitStatus::nothing_ran);
  }
  return run_command_line(argc, argv);
}
