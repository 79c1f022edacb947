// SPDX-License-Identifier: Apache-2.0
// json.cc: see json.h.
#include "json.h"

#include <nlohmann/json.hpp>

namespace pivotcheck::cli {

using nlohmann::ordered_json;

std::string line(const ordered_json& object) {
  constexpr bool ascii = false;
  return object.dump(-1, ' ', ascii, ordered_json::error_handler_t::replace) + "\n";
}

std::string json_line(const std::string& file, const TrialResult& result) {
  ordered_json object{{"file", file}, {"result", name(result.kind)}, {"steps", result.steps}};
  if (result.step != 0) object["step"] = result.step;
  if (result.kernel) object["kernel"] = to_string(*result.kernel);
  if (result.model) object["model"] = to_string(*result.model);
  if (result.rule != Rule::none) object["rule"] = info(result.rule).name;
  if (!result.differences.empty()) object["differences"] = result.differences;
  if (!result.reason.empty()) object["reason"] = result.reason;
  return line(object);
}

std::string json_line(const BadFile& bad) {
  ordered_json object{{"file", bad.name}, {"result", "invalid"}, {"steps", 0}};
  if (bad.line != 0) {
    object["line"] = bad.line;
    object["column"] = bad.column;
  }
  object["reason"] = bad.what;
  return line(object);
}

}  // namespace pivotcheck::cli
