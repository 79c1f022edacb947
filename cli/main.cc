// SPDX-License-Identifier: Apache-2.0
// main.cc: the table of contents of the command.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string_view>

#include "commands.h"
#include "output.h"

namespace {

using pivotcheck::cli::ExitStatus;

// CLI11 has its own numbers for bad usage; the format has one, and one line.
int usage_error(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) {  // --help and --version are "errors" to CLI11
    app.exit(error);
    return 0;
  }
  std::fprintf(stderr, "pivotcheck: %s (see pivotcheck --help)\n", error.what());
  return static_cast<int>(ExitStatus::bad_usage);
}

}  // namespace

int main(int argc, char** argv) {
  namespace cli = pivotcheck::cli;
  // It starts other programs, and is timed: nothing of what the others need is set up for it.
  if (argc > 1 && std::string_view(argv[1]) == "switch") return cli::run_switch(argc - 1, argv + 1);

  CLI::App app(
      "pivotcheck: an executable model of mounts, namespaces and pivot_root, compared with "
      "the running kernel");
  app.set_version_flag("--version", cli::version_text);
  app.require_subcommand(1);

  ExitStatus status = ExitStatus::agreed;
  cli::set_up_log(app);
  cli::add_run(app, status);      // replay scenarios: kernel against model
  cli::add_explore(app, status);  // make up scenarios and do the same
  cli::add_minimize(app, status); // what a scenario comes down to
  cli::add_draw(app, status);     // what a scenario's world looks like
  cli::add_explain(app, status);  // why a pivot_root fails, and what mends it
  cli::add_claims(app, status);   // what people say, and what is true of it
  cli::add_rules(app, status);    // every reason to refuse
  cli::add_doctor(app, status);   // what this machine can run
  cli::add_strategies(app, status);  // the ways to switch root
  cli::add_switch(app, status);      // run a command in a new root by one of them
#ifdef PIVOTCHECK_PLANTED_FAULTS
  cli::add_faults(app, status);   // a model that is wrong on purpose
#endif

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return usage_error(app, error);
  } catch (const std::exception& error) {  // no memory, as a rule
    std::fprintf(stderr, "pivotcheck: %s\n", error.what());
    return static_cast<int>(ExitStatus::harness);
  }
  return static_cast<int>(cli::finish_output(status));
}
