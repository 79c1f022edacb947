// SPDX-License-Identifier: Apache-2.0
// strategies.cc: `pivotcheck strategies`: the ways to switch root, what each does and what it
// guarantees; with --steps, each step with its phase, for a root /new.
#include <fmt/format.h>

#include <memory>
#include <string>

#include "commands.h"
#include "json.h"
#include "output.h"
#include "switch/strategy/step.h"

namespace pivotcheck::cli {
namespace {

struct Options {
  bool json = false;
  bool steps = false;
};

void show(const StrategyInfo& row, const Options& options) {
  const strategy::Steps steps = strategy::steps(row.strategy, strategy::Plan{});
  if (options.json) {
    Json list = Json::array();
    for (const strategy::SwitchStep& step : steps) {
      list.push_back(Json::object({{"phase", name(step.phase)}, {"step", describe(step)}}));
    }
    return print(line({{"name", row.name},
                       {"sequence", row.sequence},
                       {"guarantee", row.guarantee},
                       {"steps", list}}));
  }
  print(fmt::format("{:14} {}\n", row.name, folded(row.sequence, 15)));
  print(fmt::format("{:14} => {}\n", "", folded(row.guarantee, 18)));
  if (!options.steps) return;
  for (const strategy::SwitchStep& step : steps) {
    print(fmt::format("{:18}{:12} {}\n", "", name(step.phase), describe(step)));
  }
}

}  // namespace

CommandSpec strategies_command() {
  auto options = std::make_shared<Options>();
  return {
      .name = "strategies",
      .summary = "List the strategies to switch root: what each does, and what it guarantees (=>)",
      .options = {{"--json", &options->json, "print one JSON object a line"},
                  {"--steps", &options->steps, "print the steps too, each with its phase"}},
      .footer = "Exit status: 0, or 2 for bad usage.",
      .run = [options] {
        for (const StrategyInfo& row : strategies()) show(row, *options);
        return ExitStatus::agreed;
      }};
}

}  // namespace pivotcheck::cli
