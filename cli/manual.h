// SPDX-License-Identifier: Apache-2.0
// manual.h: the man pages (`pivotcheck --man`) and the completion for shells (`pivotcheck
// --completion`), both made of what --help prints: there is no second text to keep in step.
//
//     CommandSpec of a subcommand  -.                  .-> man_page()
//                                   |-> ManualPage --- |
//     the text of switch --help    -'                  '-> completion()
//
// The build writes all of them into a folder (manual.cmake), and `cmake --install` installs that.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "options/options.h"

namespace pivotcheck::cli {

// What a shell offers as a value.
enum class Offer : unsigned char {
  nothing,  // a number, say
  words,    // one of `words`
  list,     // some of `words`, with commas between them
  folders,
  files,
};

struct ManualOption {
  std::vector<std::string> names = {};  // "-v", "--verbose"; none: a positional argument
  std::string value = {};               // "N", "FILE|DIR..."; "" for a flag
  std::string help = {};
  Offer offer = Offer::files;
  std::vector<std::string> words = {};
};

struct ManualPage {
  std::string command = {};  // "run"; "" for pivotcheck itself
  std::string summary = {};  // of one line, without a full stop
  std::string synopsis = {};
  std::string description = {};  // paragraphs; a line that begins with a blank stays a line
  std::vector<ManualOption> options = {};
  std::string exit_status = {};
};

// pivotcheck itself, then its subcommands in their order.
std::vector<ManualPage> manual_pages(const CommandSpec& program);

// Of one subcommand, or of pivotcheck itself (""), in the macros of man(7). nullopt: there is no
// such subcommand.
std::optional<std::string> man_page(const CommandSpec& program, std::string_view command);

// For bash, zsh or fish. nullopt: another shell.
std::optional<std::string> completion(const CommandSpec& program, std::string_view shell);

// `pivotcheck --man [SUBCOMMAND]` and `pivotcheck --completion SHELL`; nullopt: neither.
std::optional<ExitStatus> print_manual(const CommandSpec& program,
                                       const std::vector<std::string_view>& words);

}  // namespace pivotcheck::cli
