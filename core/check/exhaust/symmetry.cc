// SPDX-License-Identifier: Apache-2.0
// symmetry.cc: see symmetry.h.
#include "check/exhaust/symmetry.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <set>
#include <string_view>
#include <utility>
#include <variant>

namespace pivotcheck::exhaust {
namespace {

// "/a/x": "", "a", "x".
std::vector<std::string> names_of(std::string_view path) {
  std::vector<std::string> names(1);
  for (const char c : path) {
    if (c == '/') {
      names.emplace_back();
    } else {
      names.back() += c;
    }
  }
  return names;
}

bool has_meaning(std::string_view name) { return name.empty() || name == "." || name == ".."; }

// Adds what makes `from` of `to`. False if nothing does that goes with what is there.
bool add_names(const Path& from, const Path& to, Names& names) {
  const std::vector<std::string> old_names = names_of(from.text);
  const std::vector<std::string> new_names = names_of(to.text);
  if (from.handle != to.handle || old_names.size() != new_names.size()) return false;
  for (std::size_t i = 0; i < old_names.size(); ++i) {
    const std::string& old_name = old_names[i];
    const std::string& new_name = new_names[i];
    if (old_name.size() != new_name.size()) return false;
    if (has_meaning(old_name) || has_meaning(new_name)) {
      if (old_name != new_name) return false;
    } else if (names.try_emplace(old_name, new_name).first->second != new_name) {
      return false;
    }
  }
  return true;
}

bool are_distinct(const Names& names) {
  std::set<std::string> results;
  for (const auto& [old_name, new_name] : names) results.insert(new_name);
  return results.size() == names.size();
}

}  // namespace

std::vector<Names> exchangeable_names(const Scenario& set_up, const std::vector<Path>& places) {
  if (std::ranges::any_of(set_up.steps, [](const ScenarioStep& step) {
        return std::holds_alternative<Symlink>(step.step.op);
      })) {
    return {{}};
  }
  std::vector<Names> result;
  std::vector<std::size_t> order(places.size());
  std::iota(order.begin(), order.end(), 0);
  do {
    Names names;
    bool fits = true;
    for (std::size_t i = 0; i < places.size() && fits; ++i) {
      fits = add_names(places[i], places[order[i]], names);
    }
    if (fits && are_distinct(names)) result.push_back(std::move(names));
  } while (std::ranges::next_permutation(order).found);
  return result;
}

std::string renamed(const std::string& path, const Names& names) {
  std::string result;
  for (const std::string& name : names_of(path)) {
    const auto found = names.find(name);
    result += "/" + (found == names.end() ? name : found->second);
  }
  return result.substr(1);
}

}  // namespace pivotcheck::exhaust
