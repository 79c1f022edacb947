// SPDX-License-Identifier: Apache-2.0
// json.cc: objects and arrays are put together as text; nlohmann_json quotes the strings.
#include "json.h"

#include <nlohmann/json.hpp>

namespace pivotcheck::cli {

Json::Json(std::string_view text) {
  constexpr bool ascii = false;
  using nlohmann::json;
  text_ = json(text).dump(-1, ' ', ascii, json::error_handler_t::replace);
}

Json Json::object(std::initializer_list<Member> members) {
  Json result;
  result.text_ = "{}";
  for (const Member& member : members) result.set(member.key, member.value);
  return result;
}

Json Json::empty_array() {
  Json result;
  result.text_ = "[]";
  return result;
}

// Before the bracket at the end.
void Json::append(const std::string& text) {
  text_.insert(text_.size() - 1, (text_.size() > 2 ? "," : "") + text);
}

void Json::set(std::string_view key, const Json& value) {
  append(Json(key).text_ + ":" + value.text_);
}

void Json::push_back(const Json& value) { append(value.text_); }

std::string line(const Json& object) { return object.text() + "\n"; }

std::string json_line(const std::string& file, const TrialResult& result) {
  Json object = Json::object(
      {{"file", file}, {"result", name(result.kind)}, {"steps", result.steps}});
  if (result.step != 0) object.set("step", result.step);
  if (result.kernel) object.set("kernel", to_string(*result.kernel));
  if (result.model) object.set("model", to_string(*result.model));
  if (result.rule != Rule::none) object.set("rule", info(result.rule).name);
  if (!result.differences.empty()) object.set("differences", Json::array(result.differences));
  if (!result.reason.empty()) object.set("reason", result.reason);
  return line(object);
}

std::string json_line(const BadFile& bad) {
  Json object = Json::object({{"file", bad.name}, {"result", "invalid"}, {"steps", 0}});
  if (bad.line != 0) {
    object.set("line", bad.line);
    object.set("column", bad.column);
  }
  object.set("reason", bad.what);
  return line(object);
}

}  // namespace pivotcheck::cli
