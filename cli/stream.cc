// SPDX-License-Identifier: Apache-2.0
// stream.cc: lines of standard input, as they come.
#include "stream.h"

#include <iostream>
#include <optional>

#include <fmt/format.h>

#include "files.h"
#include "interruption.h"
#include "op/outcome.h"
#include "output.h"

namespace pivotcheck::cli {
namespace {

ExitStatus answer_text(const std::string& name, const std::string& text, Json object,
                       const StreamCalls& calls) {
  if (calls.begin) calls.begin(name);
  auto scenario = parse(text);
  if (scenario) return calls.answer({name, std::move(*scenario), std::move(object)});
  const ParseError& error = scenario.error();
  print_now({{"name", name},
             {"result", "invalid"},
             {"reason", fmt::format("{}:{}: {}", error.line, error.column, error.what)}});
  return ExitStatus::agreed;
}

// An object with the two texts; nullopt for anything else.
std::optional<Json> parse_line(const std::string& text) {
  Json object = Json::parse(text, nullptr, false);
  if (!object.is_object()) return std::nullopt;
  for (const char* key : {"name", "scenario"}) {
    if (!object.contains(key) || !object[key].is_string()) return std::nullopt;
  }
  return object;
}

}  // namespace

ExitStatus for_each_scenario(const std::vector<std::string>& paths, const StreamCalls& calls) {
  if (!paths.empty()) {
    const auto files = read_scenarios(paths);
    if (!files) return ExitStatus::bad_usage;
    for (const ScenarioFile& file : *files) {
      if (calls.begin) calls.begin(file.name);
      if (const auto status = calls.answer({file.name, file.scenario, {}});
          status != ExitStatus::agreed) {
        return status;
      }
    }
    return ExitStatus::agreed;
  }
  std::string text;
  for (std::size_t number = 1; !is_interrupted() && std::getline(std::cin, text); ++number) {
    auto object = parse_line(text);
    if (!object) {
      return complain(
          fmt::format("line {}: an object with \"name\" and \"scenario\" is wanted", number),
          ExitStatus::bad_usage);
    }
    const std::string name = (*object)["name"];
    const std::string scenario = (*object)["scenario"];
    const auto status = answer_text(name, scenario, std::move(*object), calls);
    if (status != ExitStatus::agreed) return status;
  }
  return unless_interrupted(ExitStatus::agreed);
}

void print_now(const Json& object) {
  print(line(object));
  flush();
}

void set_outcomes(Json& object, std::span<const Verdict> verdicts, bool with_rules) {
  object["steps"] = verdicts.size();
  Json refused = Json::object();
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    if (verdicts[i].outcome.ok()) continue;
    std::string text = to_string(verdicts[i].outcome);
    if (with_rules) text += fmt::format(" {}", info(verdicts[i].rule).name);
    refused[std::to_string(i + 1)] = text;
  }
  object["refused"] = refused;
}

}  // namespace pivotcheck::cli
