// SPDX-License-Identifier: Apache-2.0
// options.cc: hands the description of a command line to CLI11.
#include "options.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <type_traits>

namespace pivotcheck::cli {
namespace {

CLI::Option* add_target(CLI::App& app, const OptionSpec& option) {
  return std::visit(
      [&](auto* target) {
        if constexpr (std::is_same_v<decltype(target), bool*>) {
          return app.add_flag(option.names, *target, option.help);
        } else {
          return app.add_option(option.names, *target, option.help);
        }
      },
      option.target);
}

void add_checks(CLI::Option& added, const OptionSpec& option) {
  if (option.min && option.max) added.check(CLI::Range(*option.min, *option.max));
  if (option.min && !option.max) added.check(CLI::PositiveNumber);
  if (!option.choices.empty()) added.check(CLI::IsMember(option.choices));
  if (option.is_file) added.check(CLI::ExistingFile);
  if (option.is_folder) added.check(CLI::ExistingDirectory);
}

void describe(CLI::App& app, const CommandSpec& command) {
  if (!command.version.empty()) app.set_version_flag("--version", command.version);
  for (const OptionSpec& option : command.options) {
    CLI::Option* added = add_target(app, option);
    added->required(option.required);
    add_checks(*added, option);
    if (option.shows_default) added->capture_default_str();
    if (option.may_repeat) added->take_last();
  }
  for (const OptionSpec& option : command.options) {
    if (!option.needs.empty()) app.get_option(option.names)->needs(app.get_option(option.needs));
    if (!option.excludes.empty()) {
      app.get_option(option.names)->excludes(app.get_option(option.excludes));
    }
  }
  app.footer(command.footer);
  if (command.rest != nullptr && command.options.empty()) {
    app.prefix_command();
    app.set_help_flag();
  } else if (command.rest != nullptr) {
    app.allow_extras();
  }
  if (!command.subcommands.empty()) app.require_subcommand(1);
  for (const CommandSpec& each : command.subcommands) {
    describe(*app.add_subcommand(each.name, each.summary), each);
  }
}

const CommandSpec& find_chosen(const CLI::App& app, const CommandSpec& command) {
  for (const CommandSpec& each : command.subcommands) {
    const CLI::App* sub = app.get_subcommand(each.name);
    if (sub->parsed()) return find_chosen(*sub, each);
  }
  if (command.rest != nullptr) *command.rest = app.remaining();
  return command;
}

}  // namespace

Parsed parse_command_line(const CommandSpec& program, int argc, char** argv) {
  CLI::App app(program.summary);
  describe(app, program);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help and --version are "errors" to CLI11
      app.exit(error);
      return {.status = ExitStatus::agreed};
    }
    const char* name = program.name.c_str();
    std::fprintf(stderr, "%s: %s (see %s --help)\n", name, error.what(), name);
    return {.status = ExitStatus::bad_usage};
  }
  return {.chosen = &find_chosen(app, program)};
}

}  // namespace pivotcheck::cli
