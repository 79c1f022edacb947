// SPDX-License-Identifier: Apache-2.0
// options.h: what a program takes on its command line, as data: --help, the reading of the command
// line, and whatever else is made of it (man pages, completion) come from one description. The
// parser is CLI11, which options.cc alone includes, because compiling it takes 15 s in each file.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace pivotcheck::cli {

// As the scenario format fixes them (core/scenario/FORMAT.md).
enum class ExitStatus : int {
  agreed = 0,
  disagreed = 1,     // or a stated outcome that did not hold
  bad_usage = 2,     // or a file that can't be read or parsed
  harness = 3,       // the harness could not do its work
  nothing_ran = 4,   // everything was skipped, or this machine can't run any
  contradicted = 5,  // explain --try: the kernel did what the rules exclude
};

// Where a value is stored. A bool is a flag, a list takes all positional arguments that are left.
using Target = std::variant<bool*, int*, unsigned*, std::uint64_t*, double*, std::string*,
                            std::vector<std::string>*, std::optional<std::uint64_t>*,
                            std::optional<std::string>*>;

struct OptionRules {
  bool required = false;
  std::optional<std::uint64_t> min = {};  // of a number
  std::optional<std::uint64_t> max = {};  // none: any number from 1 on
  std::vector<std::string> choices = {};  // the only values that are allowed
  bool is_folder = false;                 // the value names a folder that is there
  bool shows_default = false;             // --help says what the default is
  bool may_repeat = false;                // the last one counts; otherwise it is bad usage
  std::string needs = {};                 // the name of an option without which this one is refused
  std::string excludes = {};              // ... with which
};

struct OptionSpec {
  std::string names;  // "--json", "-v,--verbose"; a positional argument has no dash: "FILE"
  Target target;      // what it holds before the parsing is the default
  std::string help;
  OptionRules rules = {};
};

struct CommandSpec {
  std::string name;
  std::string summary;
  std::vector<OptionSpec> options = {};
  std::string footer = {};                    // of --help: its last lines
  std::function<ExitStatus()> run = {};       // called by main, not by the parser
  std::string version = {};                   // the text of --version; "": there is no such option
  std::vector<CommandSpec> subcommands = {};  // if there are any, one must be chosen
  // Where arguments go that this command does not know; nullptr: they are bad usage. A command
  // without options leaves all its arguments there, --help too.
  std::vector<std::string>* rest = nullptr;
};

struct Parsed {
  const CommandSpec* chosen = nullptr;  // the program, or its subcommand; nullptr: run nothing,
  ExitStatus status{};                  // and exit with this
};

// Stores what the command line says. --help and --version are answered on standard output; bad
// usage gets one line on standard error: "NAME: what is wrong (see NAME [SUBCOMMAND] --help)".
Parsed parse_command_line(const CommandSpec& program, int argc, char** argv);

}  // namespace pivotcheck::cli
