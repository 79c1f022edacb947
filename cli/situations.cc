// SPDX-License-Identifier: Apache-2.0
// situations.cc: `pivotcheck situations` lists the situations that `explore` counts, and says how
// many scenarios of a folder reach each. The model is asked, for the running kernel; no scenario is
// performed.
#include "check/gen/situations.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "check/trial/probed_traits.h"
#include "commands.h"
#include "files.h"
#include "json.h"
#include "output.h"

namespace pivotcheck::cli {
namespace {

struct SituationsOptions {
  std::vector<std::string> paths;
  bool json = false;
};

ExitStatus print_situations(const SituationsOptions& options) {
  std::array<std::size_t, gen::situations_count> reached{};
  std::vector<ScenarioFile> files;
  if (!options.paths.empty()) {
    auto read = read_scenarios(options.paths);
    if (!read) return ExitStatus::bad_usage;
    files = std::move(*read);
  }
  const KernelTraits traits = probed_traits().traits;
  for (const ScenarioFile& file : files) {
    const gen::Situations of_file = gen::situations_of(predict(file.scenario, traits));
    for (std::size_t i = 0; i < reached.size(); ++i) reached[i] += of_file[i] ? 1 : 0;
  }
  for (std::size_t i = 0; i < reached.size(); ++i) {
    const auto& [name, sentence] = gen::situation_table()[i];
    if (options.json) {
      Json object = {{"name", name}, {"situation", sentence}};
      if (!files.empty()) object["scenarios"] = reached[i];
      print(line(object));
      continue;
    }
    print(fmt::format("{}\n    {}\n", name, folded(sentence, 4)));
    if (!files.empty()) print(fmt::format("    {} of {} scenarios\n", reached[i], files.size()));
  }
  return ExitStatus::agreed;
}

}  // namespace

CommandSpec situations_command() {
  auto options = std::make_shared<SituationsOptions>();
  return {
      .name = "situations",
      .summary = "List the rare situations that explore counts, and how many scenarios reach each",
      .options = {{"--json", &options->json, "print one JSON object a line"},
                  {"FILE|DIR", &options->paths,
                   "count those that these scenarios reach, as the model has it; - for "
                   "standard input"}},
      .footer = "Exit status: 0, or 2 for bad usage or a malformed file.",
      .run = [options] { return print_situations(*options); }};
}

}  // namespace pivotcheck::cli
