// SPDX-License-Identifier: Apache-2.0
// files.h: from the FILE|DIR arguments of a command (- for standard input) to scenarios. All files
// are read and parsed before anything is run, so that one that is malformed stops everything at
// once.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "scenario/scenario.h"

namespace pivotcheck::cli {

struct ScenarioFile {
  std::string name;
  Scenario scenario;
};

// A file that can't be read (line 0) or parsed, or a folder without scenarios (line 0 and no file).
struct BadFile {
  std::string name;
  ParseError error;
};
// To standard error: "FILE:LINE:COLUMN: what", "FILE: what".
void report_bad(const BadFile& bad);

struct Files {
  std::vector<ScenarioFile> good;  // in the order of the arguments, folders in byte order
  std::vector<BadFile> bad;
};
Files read_files(const std::vector<std::string>& arguments);
// nullopt if one is bad; all that are have been reported.
std::optional<std::vector<ScenarioFile>> read_scenarios(const std::vector<std::string>& arguments);

}  // namespace pivotcheck::cli
