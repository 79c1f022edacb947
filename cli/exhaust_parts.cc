// SPDX-License-Identifier: Apache-2.0
// exhaust_parts.cc: `pivotcheck exhaust --check-parts`: do the parts of a search make up the whole?
//
// Each part (--shard I/N --json) knows all states of the search, because it needs them, and says
// what their hashes sum up to. It says the same of the states that it took. So the parts are the
// whole if they know of the same states, and what they took sums up to these.
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/file.h"
#include "exhaust.h"
#include "output.h"

namespace pivotcheck::cli {
namespace {

// A sum of hashes: two numbers of 64 bits, which wrap around.
struct Sum {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  bool operator==(const Sum&) const = default;

  static Sum parse(const std::string& text) {
    Sum sum;
    if (text.size() != 32) return sum;
    std::from_chars(text.data(), text.data() + 16, sum.high, 16);
    std::from_chars(text.data() + 16, text.data() + 32, sum.low, 16);
    return sum;
  }
};

// All that the parts say of one search.
struct Whole {
  std::set<std::string> shards;
  std::set<std::string> known;  // what each part knows of the search; of one search one text
  Sum sum_of_all;
  Sum sum;
  std::uint64_t transitions = 0;
  std::uint64_t differences = 0;
  bool all_done = true;
};

std::string search_of(const Json& part) {
  return fmt::format("{}, {}, {} to {} operations", part["layout"].get<std::string>(),
                     part["privilege"].get<std::string>(), part["alphabet"].get<std::string>(),
                     part["depth_wanted"].dump());
}

void add(Whole& whole, const Json& part) {
  whole.shards.insert(part["shard"].get<std::string>());
  whole.known.insert(part["settings"].get<std::string>() + part["sum_of_all"].dump());
  whole.sum_of_all = Sum::parse(part["sum_of_all"]);
  const Sum own = Sum::parse(part["sum"]);
  whole.sum.high += own.high;
  whole.sum.low += own.low;
  whole.transitions += part["transitions"].get<std::uint64_t>();
  whole.differences +=
      part["differences"].get<std::uint64_t>() + part["broken_laws"].get<std::uint64_t>();
  whole.all_done = whole.all_done && part["whole"].get<bool>();
}

// "" or why it is not whole.
std::string what_lacks(const Whole& whole) {
  const std::string first = *whole.shards.begin();
  const std::size_t count = std::strtoull(first.c_str() + first.find('/') + 1, nullptr, 10);
  for (std::size_t i = 1; i <= count; ++i) {
    const std::string shard = fmt::format("{}/{}", i, count);
    if (!whole.shards.contains(shard)) return "part " + shard + " is missing";
  }
  if (whole.shards.size() != count) return "parts of another division are there as well";
  if (!whole.all_done) return "a part did not come to its end";
  if (whole.known.size() != 1) return "the parts are not of one search";
  if (whole.sum != whole.sum_of_all) return "the states of the parts are not all states, each once";
  return "";
}

}  // namespace

ExitStatus check_parts(const std::vector<std::string>& files) {
  std::map<std::string, Whole> searches;
  for (const std::string& file : files) {
    const std::string text = read_file(file);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      const Json object = Json::parse(text.substr(at, end - at), nullptr, false);
      at = end + 1;
      if (object.is_object() && object.contains("shard")) add(searches[search_of(object)], object);
    }
  }
  if (searches.empty()) {
    return complain("--check-parts: no part of a search is in these files", ExitStatus::bad_usage);
  }
  ExitStatus status = ExitStatus::agreed;
  for (const auto& [search, whole] : searches) {
    const std::string lacks = what_lacks(whole);
    print(fmt::format("{}: {}\n", search,
                      lacks.empty() ? fmt::format("whole, {} transitions, {} differences",
                                                  whole.transitions, whole.differences)
                                    : lacks));
    if (!lacks.empty()) status = ExitStatus::harness;
    if (whole.differences > 0 && status == ExitStatus::agreed) status = ExitStatus::disagreed;
  }
  return status;
}

}  // namespace pivotcheck::cli
