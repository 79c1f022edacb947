// SPDX-License-Identifier: Apache-2.0
// json.h: results as the scenario format's --json has them: one object on one line, keys that don't
// apply absent. Bytes of file names and paths that are no UTF-8 become U+FFFD.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "files.h"
#include "check/trial/trial.h"

namespace pivotcheck::cli {

// With the line break.
std::string line(const nlohmann::ordered_json& object);

std::string json_line(const std::string& file, const TrialResult& result);
std::string json_line(const BadFile& bad);  // result: invalid

}  // namespace pivotcheck::cli
