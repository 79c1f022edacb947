// SPDX-License-Identifier: Apache-2.0
// strategies.cc: `pivotcheck strategies`: the ways to switch root, what each does and what it
// guarantees; with --steps, each step with its phase, for a root /new.
#include <fmt/format.h>

#include <memory>
#include <sstream>
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

// Folded at 100 columns, with `indent` blanks before all lines but the first.
std::string folded(std::string_view text, std::size_t indent) {
  constexpr std::size_t columns = 100;
  std::string result;
  std::size_t column = indent;
  std::istringstream words{std::string(text)};
  for (std::string word; words >> word; column += word.size()) {
    if (column != indent && column + 1 + word.size() > columns) {
      result += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column != indent) {
      result += ' ';
      ++column;
    }
    result += word;
  }
  return result;
}

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
