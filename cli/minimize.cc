// SPDX-License-Identifier: Apache-2.0
// minimize.cc: `pivotcheck minimize`: the smallest scenario that still shows what a scenario shows
// (check/trial/minimize.h says what that is). It is printed as `run` prints it, with the outcomes
// in comments, so the output is a scenario again.
#include <cerrno>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "base/file.h"
#include "check/trial/minimize.h"
#include "check/trial/report.h"
#include "commands.h"
#include "files.h"
#include "machine.h"
#include "op/outcome.h"
#include "output.h"
#include "traits.h"

namespace pivotcheck::cli {
namespace {

struct MinimizeCommand {
  std::string file;
  std::string output;
  std::string trait_changes;
};

ExitStatus status_of(const TrialResult& result) {
  switch (result.kind) {
    case TrialResult::Kind::agree: return ExitStatus::agreed;
    case TrialResult::Kind::disagree:
    case TrialResult::Kind::broken_law:
    case TrialResult::Kind::unmet: return ExitStatus::disagreed;
    case TrialResult::Kind::skipped: return ExitStatus::nothing_ran;
    case TrialResult::Kind::failed: return ExitStatus::harness;
  }
  return ExitStatus::harness;
}

ExitStatus nothing_to_minimize(const ScenarioFile& file, const TrialResult& result) {
  const bool agrees = result.kind == TrialResult::Kind::agree;
  return complain(
      fmt::format("{}: nothing to minimize: {}{}", file.name, headline(file.scenario, result),
                  agrees ? ", and no outcome is stated" : ""),
      status_of(result));
}

Minimized minimize_with_progress(Trial& trial, const ScenarioFile& file, const TrialResult& whole) {
  Progress progress;
  int trials = 0;
  return minimize(trial, file.scenario, whole, {.stop = [&] {
                    ++trials;
                    if (progress.is_due()) progress.show(fmt::format("{} trials", trials));
                    return false;
                  }});
}

ExitStatus minimize_file(const MinimizeCommand& command) {
  const auto files = read_scenarios({command.file});
  if (!files) return ExitStatus::bad_usage;
  if (files->size() != 1) {
    return complain(command.file + ": one scenario is minimized at a time", ExitStatus::bad_usage);
  }
  const ScenarioFile& file = files->front();
  if (!machine_is_fit()) return ExitStatus::nothing_ran;
  const auto traits = traits_with_remarks(command.trait_changes);
  if (!traits) return ExitStatus::bad_usage;
  auto trial = Trial::make({.traits = *traits});
  if (!trial) return complain(trial.error().what, ExitStatus::nothing_ran);
  const TrialResult whole = trial->run(file.scenario);
  if (!can_minimize(file.scenario, whole)) return nothing_to_minimize(file, whole);
  const Minimized minimized = minimize_with_progress(*trial, file, whole);
  const std::string removed = what_was_removed(file.scenario, minimized);
  const std::string text = report(file.name, minimized.scenario, minimized.result);
  if (command.output.empty()) {
    print(text + "# " + removed + "\n");
  } else if (write_file(command.output, text)) {
    print(fmt::format("{}: {}\n", command.output, removed));
  } else {
    return complain(fmt::format("{} can't be written: {}", command.output, errno_name(errno)),
                    ExitStatus::harness);
  }
  return status_of(minimized.result);
}

}  // namespace

CommandSpec minimize_command() {
  auto options = std::make_shared<MinimizeCommand>();
  return {
      .name = "minimize",
      .summary = "Find the smallest scenario with the same disagreement or stated outcome",
      .options = {{"FILE", &options->file, "a scenario; - for standard input", {.required = true}},
                  {"-o", &options->output, "file to write; standard output if not given"},
                  trait_option(&options->trait_changes)},
      .footer =
          "It keeps the verb, both answers and the rule of the disagreement; where all agree, the\n"
          "last outcome that is stated. The last line says what was removed.\n"
          "Exit status: as pivotcheck run FILE, so 1 for a disagreement that was minimized.",
      .run = [options] { return minimize_file(*options); }};
}

}  // namespace pivotcheck::cli
