// SPDX-License-Identifier: Apache-2.0
// json.h: results as the scenario format's --json has them: one object on one line, keys that don't
// apply absent. Bytes of file names and paths that are no UTF-8 become U+FFFD. nlohmann_json does
// the quoting, in json.cc alone: compiling it takes seconds in each file.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

#include "files.h"
#include "check/trial/trial.h"

namespace pivotcheck::cli {

class Json {
 public:
  struct Member;

  // From the values themselves, so that objects read like JSON.
  Json(std::string_view text);                                              // NOLINT
  Json(const std::string& text) : Json(std::string_view(text)) {}           // NOLINT
  Json(const char* text) : Json(std::string_view(text)) {}                  // NOLINT
  Json(std::same_as<bool> auto value) : text_(value ? "true" : "false") {}  // NOLINT
  template <std::integral Number>
    requires(!std::same_as<Number, bool>)
  Json(Number number) : text_(std::to_string(number)) {}  // NOLINT

  // Keys stay in their order.
  static Json object(std::initializer_list<Member> members);
  void set(std::string_view key, const Json& value);  // appends, to an object

  static Json array(const auto& values) {
    Json result = empty_array();
    for (const auto& value : values) result.push_back(value);
    return result;
  }
  static Json empty_array();
  void push_back(const Json& value);  // to an array

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  Json() = default;
  void append(const std::string& text);

  std::string text_;
};

struct Json::Member {
  std::string_view key;
  Json value;
};

// With the line break.
std::string line(const Json& object);

std::string json_line(const std::string& file, const TrialResult& result);
std::string json_line(const BadFile& bad);  // result: invalid

}  // namespace pivotcheck::cli
