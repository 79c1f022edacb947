// SPDX-License-Identifier: Apache-2.0
// options.cc: hands the description of a command line to CLI11.
#include "options.h"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <type_traits>

namespace pivotcheck::cli {
namespace {

template <class T>
constexpr bool holds_unsigned =
    std::is_same_v<T, unsigned> || std::is_same_v<T, std::uint64_t> ||
    std::is_same_v<T, std::optional<std::uint64_t>>;

// "" if an unsigned number can hold it; CLI11 makes another number of it where none can.
std::string out_of_range(const std::string& text) {
  errno = 0;
  (void)std::strtoull(text.c_str(), nullptr, 0);
  if (errno == ERANGE) return "Number too large: " + text;
  return text.starts_with('-') ? "Number less than 0: " + text : "";
}

CLI::Option* add_target(CLI::App& app, const OptionSpec& option) {
  return std::visit(
      [&](auto* target) {
        if constexpr (std::is_same_v<decltype(target), bool*>) {
          return app.add_flag(option.names, *target, option.help);
        } else {
          CLI::Option* added = app.add_option(option.names, *target, option.help);
          if constexpr (holds_unsigned<std::remove_pointer_t<decltype(target)>>) {
            added->check(out_of_range);
          }
          return added;
        }
      },
      option.target);
}

void add_rules(CLI::Option& added, const OptionRules& rules) {
  added.required(rules.required);
  if (rules.min && rules.max) added.check(CLI::Range(*rules.min, *rules.max));
  if (rules.min && !rules.max) added.check(CLI::PositiveNumber);
  if (!rules.choices.empty()) added.check(CLI::IsMember(rules.choices));
  if (rules.is_folder) added.check(CLI::ExistingDirectory);
  if (rules.shows_default) added.capture_default_str();
  if (rules.may_repeat) added.take_last();
}

void describe(CLI::App& app, const CommandSpec& command) {
  if (!command.version.empty()) app.set_version_flag("--version", command.version);
  for (const OptionSpec& option : command.options) {
    add_rules(*add_target(app, option), option.rules);
  }
  for (const auto& [names, target, help, rules] : command.options) {
    if (!rules.needs.empty()) app.get_option(names)->needs(app.get_option(rules.needs));
    if (!rules.excludes.empty()) app.get_option(names)->excludes(app.get_option(rules.excludes));
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
    std::string name = program.name;
    for (const CLI::App* sub : app.get_subcommands()) name += " " + sub->get_name();
    std::fprintf(stderr, "%s: %s (see %s --help)\n", program.name.c_str(), error.what(),
                 name.c_str());
    return {.status = ExitStatus::bad_usage};
  }
  return {.chosen = &find_chosen(app, program)};
}

}  // namespace pivotcheck::cli
