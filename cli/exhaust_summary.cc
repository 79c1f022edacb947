// SPDX-License-Identifier: Apache-2.0
// exhaust_summary.cc: what `pivotcheck exhaust` covered: figures of each search, and a sentence
// that can be cited.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "check/exhaust/shortest.h"
#include "check/laws/laws.h"
#include "exhaust.h"
#include "output.h"

namespace pivotcheck::cli {
namespace {

std::string_view word(Privilege privilege) {
  return privilege == Privilege::root ? "root" : "userns";
}

std::uint64_t sum(const std::vector<std::uint64_t>& numbers) {
  std::uint64_t result = 0;
  for (const std::uint64_t number : numbers) result += number;
  return result;
}

exhaust::Counts total(const std::vector<SearchResult>& results) {
  exhaust::Counts counts;
  for (const SearchResult& result : results) counts.add(result.counts);
  return counts;
}

// "two-peers and master-and-slave", each once.
std::string joined(const std::vector<std::string>& names) {
  std::vector<std::string> each;
  for (const std::string& name : names) {
    if (std::ranges::find(each, name) == each.end()) each.push_back(name);
  }
  std::string text = each.empty() ? "nothing" : each.front();
  for (std::size_t i = 1; i < each.size(); ++i) {
    text += (i + 1 == each.size() ? " and " : ", ") + each[i];
  }
  return text;
}

std::string differences(const ExhaustJob& job, const exhaust::Counts& counts) {
  std::string text;
  if (!job.no_kernel) text += fmt::format(", {} differences", counts.differences);
  if (!job.no_laws) text += fmt::format(", {} broken laws", counts.broken_laws);
  return text;
}

std::string kernel_text(const ExhaustJob& job) {
  const std::string running = "Linux " + to_string(running_release());
  const bool is_of_running = job.model == "running";
  if (!job.no_kernel) return is_of_running ? running : running + " against the model " + job.model;
  return "the model of " + (is_of_running ? running : job.model);
}

// Of those that are whole to the depth that is wanted.
std::string sentence(const ExhaustJob& job, const std::vector<SearchResult>& results) {
  std::vector<std::string> layouts;
  std::vector<std::string> privileges;
  std::uint64_t states = 0;
  bool has_symmetries = false;
  std::vector<SearchResult> whole;
  for (const SearchResult& result : results) {
    if (!result.is_whole) continue;
    whole.push_back(result);
    layouts.push_back(result.layout);
    privileges.emplace_back(word(result.privilege));
    states += sum(result.states);
    has_symmetries = has_symmetries || result.symmetries > 0;
  }
  if (whole.empty()) return "nothing was searched to the end";
  const exhaust::Counts counts = total(whole);
  const std::string part =
      job.shard_count > 1 ? fmt::format("Part {} of every sequence", job.shard) : "Every sequence";
  const std::string states_text = fmt::format(
      "{} states{}{}", job.shard_count > 1 ? counts.states : states,
      has_symmetries ? " up to symmetry" : "", job.shard_count > 1 ? " of this part" : "");
  return fmt::format(
      "{} of at most {} operations of `{}` by {} from {}, privilege {}, in worlds of at most {} "
      "mounts: {}, {} transitions{}, {}",
      part, job.depth, job.alphabet,
      job.tasks == 1 ? "one task" : fmt::format("{} tasks", job.tasks), joined(layouts),
      joined(privileges), job.mounts, states_text, counts.transitions, differences(job, counts),
      kernel_text(job));
}

// A law that was never asked has proved nothing.
Json laws_never_asked(const ExhaustJob& job, const exhaust::Counts& counts) {
  Json names = Json::array();
  for (std::size_t i = 0; i < laws::laws_count && !job.no_laws; ++i) {
    if (counts.laws_asked[i] == 0) names.push_back(laws::all_laws()[i].name);
  }
  return names;
}

// Adds what a search and the summary of all have.
void add_counts(Json& object, const exhaust::Counts& counts) {
  object.update({{"transitions", counts.transitions},
                 {"refused", counts.refused},
                 {"renamed", counts.renamed},
                 {"left_out",
                  {{"too_many_mounts", counts.too_many},
                   {"leaves_the_world", counts.leaves_world},
                   {"too_large", counts.too_large},
                   {"unclear_master", counts.unclear_master},
                   {"unclear_mark", counts.unclear_mark},
                   {"unclear_cover", counts.unclear_cover}}},
                 {"not_remembered", counts.not_remembered},
                 {"worlds", counts.worlds},
                 {"state_unseen", counts.state_unseen},
                 {"differences", counts.differences},
                 {"broken_laws", counts.broken_laws},
                 {"failures", counts.failures}});
}

}  // namespace

Json json_of(const ExhaustJob& job, const SearchResult& result) {
  const exhaust::Counts& counts = result.counts;
  Json object = {{"layout", result.layout},         {"privilege", word(result.privilege)},
                 {"operations", result.operations}, {"symmetries", result.symmetries},
                 {"depth", result.depth},           {"whole", result.is_whole},
                 {"states", sum(result.states)},    {"states_by_depth", result.states},
                 {"expanded", counts.states}};
  add_counts(object, counts);
  object["seconds"] = result.seconds;
  object["cpu_seconds"] = result.cpu_seconds;
  object["sum"] = fmt::format("{:016x}{:016x}", counts.sum_high, counts.sum_low);
  object["sum_of_all"] = fmt::format("{:016x}{:016x}", result.sum_high, result.sum_low);
  if (job.shard_count > 1) {
    object["shard"] = job.shard;
    object["alphabet"] = job.alphabet;
    object["depth_wanted"] = job.depth;
    // What must be the same for two parts to be of one search.
    object["settings"] = fmt::format("tasks {} mounts {} model {} {}", job.tasks, job.mounts,
                                     job.model, to_string(running_release()));
  }
  return object;
}

void print_table(const ExhaustJob& job, const std::vector<SearchResult>& results) {
  using exhaust::Targets;
  std::array<std::string, 2> missing;  // situations, rules
  for (std::size_t target = 0; target < Targets::count(); ++target) {
    const std::string_view kind = Targets::is_rule(target) ? "rule" : "situation";
    const std::string_view name = Targets::name(target);
    const ShortestFound* shortest = nullptr;
    for (const SearchResult& result : results) {
      const auto found = std::ranges::find(result.shortest, target, &ShortestFound::target);
      if (found == result.shortest.end()) continue;
      if (shortest == nullptr || found->operations < shortest->operations) shortest = &*found;
    }
    if (job.json) {
      Json object = {{std::string(kind), name}};
      if (shortest != nullptr) {
        object["operations"] = shortest->operations;
        object["layout"] = shortest->layout;
        object["privilege"] = word(shortest->privilege);
        object["scenario"] = shortest->scenario;
      }
      print(line(object));
    } else if (shortest == nullptr) {
      missing[Targets::is_rule(target)] += fmt::format(" {}", name);
    } else {
      print(fmt::format("{} {}: {} from {}, {}\n", kind, name, shortest->operations,
                        shortest->layout, word(shortest->privilege)));
      for (const std::string& step : shortest->steps) print(fmt::format("    {}\n", step));
    }
  }
  if (!missing[1].empty()) print(folded("rules not reached:" + missing[1], 4) + "\n");
  if (!missing[0].empty()) print(folded("situations not reached:" + missing[0], 4) + "\n");
}

Json summary_of(const ExhaustJob& job, const std::vector<SearchResult>& results) {
  const exhaust::Counts counts = total(results);
  double seconds = 0;
  double cpu_seconds = 0;
  std::uint64_t not_whole = 0;
  for (const SearchResult& result : results) {
    seconds += result.seconds;
    cpu_seconds += result.cpu_seconds;
    not_whole += result.is_whole ? 0 : 1;
  }
  Json object = {
      {"covered", sentence(job, results)}, {"searches", results.size()}, {"not_whole", not_whole}};
  add_counts(object, counts);
  object["laws_never_asked"] = laws_never_asked(job, counts);
  object["seconds"] = seconds;
  object["cpu_seconds"] = cpu_seconds;
  return object;
}

}  // namespace pivotcheck::cli
