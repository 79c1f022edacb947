// SPDX-License-Identifier: Apache-2.0
// json.h: results as the scenario format's --json has them: one object on one line, keys in the
// order in which they were set, keys that don't apply absent.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace pivotcheck::cli {

using Json = nlohmann::ordered_json;

// With the line break. Bytes of file names and paths that are no UTF-8 become U+FFFD.
inline std::string line(const Json& object) {
  constexpr bool ascii = false;
  return object.dump(-1, ' ', ascii, Json::error_handler_t::replace) + "\n";
}

// Sets a text that applies: one that is not empty.
inline void set(Json& object, const char* key, std::string_view text) {
  if (!text.empty()) object[key] = text;
}

}  // namespace pivotcheck::cli
