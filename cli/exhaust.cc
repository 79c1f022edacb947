// SPDX-License-Identifier: Apache-2.0
// exhaust.cc: `pivotcheck exhaust`: every sequence of a few operations, from small worlds. Here are
// its options, and what can run on this machine.
#include "exhaust.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>

#include <fmt/format.h>

#include "commands.h"
#include "files.h"
#include "interruption.h"
#include "machine.h"
#include "model_spec.h"
#include "output.h"
#include "privileges.h"

namespace pivotcheck::cli {
namespace {

constexpr std::size_t jobs_per_core_of_kernel = 6;  // a reset waits for RCU most of its time
constexpr std::uint64_t depth_max = 20;             // far more than any search ends
constexpr std::uint64_t tasks_most = 4;
constexpr std::uint64_t mounts_most = 3000;  // below the format's limit, with what a step adds
constexpr std::uint64_t memory_max = 1 << 20;

ExitStatus print_list(const ExhaustJob& job) {
  for (const exhaust::Layout& layout : exhaust::layouts()) {
    std::string places;
    for (const Path& place : layout.places) places += " " + pivotcheck::print(place);
    places.erase(0, 1);
    if (job.json) {
      print(line({{"layout", layout.name},
                  {"sentence", layout.sentence},
                  {"places", places},
                  {"scenario", pivotcheck::print(layout.set_up)}}));
    } else {
      print(fmt::format("layout {}\n    {}; places {}\n", layout.name, folded(layout.sentence, 4),
                        places));
    }
  }
  for (const exhaust::Alphabet& alphabet : exhaust::alphabets()) {
    if (job.json) {
      print(line({{"alphabet", alphabet.name}, {"sentence", alphabet.sentence}}));
    } else {
      print(fmt::format("alphabet {}\n    {}\n", alphabet.name, folded(alphabet.sentence, 4)));
    }
  }
  return ExitStatus::agreed;
}

// A file is a start of its own: "lib/two.scn" is the layout two.
bool add_file(ExhaustJob& job, const std::string& name) {
  if (!name.ends_with(".scn")) {
    complain(name + ": no layout has this name (--list), nor is it a scenario's file (.scn)");
    return false;
  }
  const auto files = read_scenarios({name});
  if (!files) return false;
  const std::string file = name.substr(name.rfind('/') + 1);
  auto layout = exhaust::layout_of(file.substr(0, file.find('.')), files->front().scenario);
  if (!layout) {
    complain(fmt::format("{}: its first about: is not one to {} paths, with blanks between", name,
                         exhaust::places_max));
    return false;
  }
  job.starts.push_back(std::move(*layout));
  return true;
}

bool find_starts(ExhaustJob& job) {
  if (job.layouts.empty()) job.starts = exhaust::layouts();
  for (const std::string& name : job.layouts) {
    if (const exhaust::Layout* layout = exhaust::find_layout(name)) {
      job.starts.push_back(*layout);
    } else if (!add_file(job, name)) {
      return false;
    }
  }
  return true;
}

bool parse_shard(ExhaustJob& job) {
  if (job.shard.empty()) return true;
  const char* end = job.shard.data() + job.shard.size();
  const auto index = std::from_chars(job.shard.data(), end, job.shard_index);
  if (index.ec == std::errc() && index.ptr != end && *index.ptr == '/') {
    const auto count = std::from_chars(index.ptr + 1, end, job.shard_count);
    if (count.ec == std::errc() && count.ptr == end && job.shard_index >= 1 &&
        job.shard_index <= job.shard_count) {
      --job.shard_index;
      return true;
    }
  }
  complain("--shard: I/N is wanted, with I from 1 to N, not \"" + job.shard + "\"");
  return false;
}

// The start must be a world that can be made: all its steps succeed, on the model. And the tasks that
// are to perform operations must be there.
bool starts_are_fit(const ExhaustJob& job) {
  for (const exhaust::Layout& start : job.starts) {
    const Prediction predicted = predict(start.set_up, job.traits);
    const bool all_ok = predicted.stop == Verdict::Stop::no &&
                        std::ranges::all_of(predicted.verdicts, [](const Verdict& verdict) {
                          return verdict.outcome.ok();
                        });
    const auto space =
        exhaust::make_space(start, Privilege::userns, job.alphabet, static_cast<int>(job.tasks));
    if (all_ok && space) continue;
    complain(start.name + ": " + (space ? "a step of a layout is refused" : space.error().what));
    return false;
  }
  return true;
}

bool make_folder(const std::string& path) {
  if (path.empty() || ::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return true;
  complain(fmt::format("mkdir {}: {}", path, errno_name(errno)));
  return false;
}

ExitStatus status_of(const std::vector<SearchResult>& results) {
  exhaust::Counts counts;
  bool all_whole = !results.empty();
  for (const SearchResult& result : results) {
    counts.add(result.counts);
    all_whole = all_whole && result.is_whole;
  }
  if (counts.differences + counts.broken_laws > 0) return ExitStatus::disagreed;
  return counts.failures > 0 || !all_whole ? ExitStatus::harness : ExitStatus::agreed;
}

std::string text_of_summary(const Json& object) {
  std::string text;
  for (const auto& [key, value] : object.items()) {
    text +=
        fmt::format("{}: {}\n", key, value.is_string() ? value.get<std::string>() : value.dump());
  }
  return text;
}

ExitStatus run_searches(const ExhaustJob& job) {
  std::vector<SearchResult> results;
  for (const exhaust::Layout& start : job.starts) {
    for (const Privilege privilege : job.privileges) {
      if (is_interrupted()) break;
      results.push_back(search(job, start, privilege));
      if (job.json) {
        print(line(json_of(job, results.back())));
      } else {
        const SearchResult& one = results.back();
        print(fmt::format("{}, {}: {} states, {} transitions{}\n", one.layout,
                          privilege == Privilege::root ? "root" : "userns",
                          json_of(job, one)["states"].dump(), one.counts.transitions,
                          one.is_whole ? "" : fmt::format(", whole to depth {}", one.depth)));
      }
      flush();
    }
  }
  if (job.table) print_table(job, results);
  const Json summary = summary_of(job, results);
  print(job.json ? line(summary) : text_of_summary(summary));
  ::rmdir(job.artifacts.c_str());  // succeeds if nothing is in it
  return unless_interrupted(status_of(results));
}

ExitStatus print_all(ExhaustJob& job) {
  for (const exhaust::Layout& start : job.starts) {
    if (job.privilege != "root") print_scenarios(job, start, Privilege::userns);
    if (job.privilege != "userns") print_scenarios(job, start, Privilege::root);
  }
  return unless_interrupted(ExitStatus::agreed);
}

ExitStatus exhaust(ExhaustJob& job) {
  if (job.list) return print_list(job);
  if (job.check_parts) return check_parts(job.layouts);
  catch_interruptions(SecondSignal::is_noted);
  if (!parse_shard(job) || !find_starts(job)) return ExitStatus::bad_usage;
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  if (!job.jobs) job.jobs = cores * (job.no_kernel ? 1 : jobs_per_core_of_kernel);
  if (!machine_is_fit(*job.jobs)) return ExitStatus::nothing_ran;
  const auto traits = parse_model(job.model);
  if (!traits) return complain("--model: " + traits.error().what, ExitStatus::bad_usage);
  job.traits = *traits;
  if (!starts_are_fit(job)) return ExitStatus::bad_usage;
  if (job.print) return print_all(job);
  job.privileges = find_privileges({.traits = job.traits, .asks_kernel = !job.no_kernel},
                                   job.privilege, "searched");
  if (job.privileges.empty()) {
    return complain("nothing can run here, so nothing is known (see pivotcheck doctor)",
                    ExitStatus::nothing_ran);
  }
  if (!make_folder(job.artifacts) || !make_folder(job.journal)) return ExitStatus::harness;
  return run_searches(job);
}

std::vector<std::string> alphabet_names() {
  std::vector<std::string> names;
  for (const exhaust::Alphabet& alphabet : exhaust::alphabets()) names.emplace_back(alphabet.name);
  return names;
}

}  // namespace

CommandSpec exhaust_command() {
  auto job = std::make_shared<ExhaustJob>();
  // clang-format off
  return {
      .name = "exhaust",
      .summary = "Try every sequence of a few operations from small worlds, kernel against model",
      .options = {{"--list", &job->list, "list the layouts and the alphabets, and end"},
                  {"--alphabet", &job->alphabet, "which operations",
                   {.choices = alphabet_names(), .shows_default = true}},
                  {"--depth", &job->depth, "how many operations at most",
                   {.min = 1, .max = depth_max, .shows_default = true}},
                  {"--tasks", &job->tasks, "how many tasks perform them",
                   {.min = 1, .max = tasks_most, .shows_default = true}},
                  {"--mounts", &job->mounts, "leave out worlds of more mounts, and count them",
                   {.min = 1, .max = mounts_most, .shows_default = true}},
                  {"--privilege", &job->privilege,
                   "userns, root or both; not given: both as root or without a kernel, else userns",
                   {.choices = {"userns", "root", "both"}}},
                  {"--no-kernel", &job->no_kernel,
                   "ask no kernel: hold the model's states against the laws alone"},
                  {"--no-laws", &job->no_laws, "do not ask the laws"},
                  {"--no-law-quirks", &job->no_law_quirks,
                   "excuse no deviation from the laws, not even known ones (FINDINGS.md)",
                   {.excludes = "--no-laws"}},
                  {"--jobs", &job->jobs,
                   "processes; not given: 6 for each core, and without a kernel 1",
                   {.min = 1, .max = exhaust_jobs_max}},
                  {"--memory", &job->memory, "MiB for the set of the states that were met",
                   {.min = 1, .max = memory_max, .shows_default = true}},
                  {"--journal", &job->journal,
                   "folder for what is done: after a kill the same command goes on there"},
                  {"--shard", &job->shard,
                   "I/N: of the states only part I of N, by their hashes; together they are all"},
                  {"--check-parts", &job->check_parts,
                   "the FILEs are what such parts printed with --json: are they the whole?"},
                  {"--table", &job->table,
                   "print the shortest sequence for each rule and each situation"},
                  {"--print", &job->print,
                   "print the scenarios as JSON lines, for pivotcheck answer; none is performed"},
                  {"--artifacts", &job->artifacts, "folder for what was found",
                   {.shows_default = true}},
                  {"--model", &job->model,
                   "of which kernel: a release, running or contract, then changes of traits: "
                   "6.12.117,lock_rises_with_cover=off",
                   {.shows_default = true}},
                  {"--json", &job->json,
                   "print an object for each finding, each search and the summary, on a line each"},
                  {"LAYOUT|FILE", &job->layouts,
                   "where to start (--list), all layouts if none is given; a scenario of one's own "
                   "names its places in its first about:, with blanks between"}},
      .footer =
          "What differs, or breaks a law, is the shortest there is: a search ends after the depth\n"
          "at which it found something. The last lines are 'key: value'; the line 'covered' can\n"
          "be cited. Exit status: 0 all was searched and agreed, 1 a disagreement or a broken\n"
          "law, 2 bad usage, 3 the harness could not do its work, 4 nothing can run, 128 + the\n"
          "signal that ended it.",
      .run = [job] { return exhaust(*job); }};
  // clang-format on
}

}  // namespace pivotcheck::cli
