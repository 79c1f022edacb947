// SPDX-License-Identifier: Apache-2.0
// shortage.cc: `pivotcheck shortage`: every step of scenarios while what it needs runs out
// (check/trial/shortage.h). A step is tried with the first allocation that it makes failing, then
// with the second, and so on until it makes no more; the same with a limit, from 1 upwards. With
// --count-objects all worlds end after each step, and what the kernel then has more of than before
// was lost.
//
//     $ pivotcheck exhaust two-peers --depth 1 --alphabet propagation --print | pivotcheck shortage
//     operation   steps   tries  refused  succeeded  with
//     bind           16     240      240          0  ENOMEM 240
#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <ranges>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "check/trial/kernel_log.h"
#include "check/trial/kernel_objects.h"
#include "check/trial/probed_traits.h"
#include "check/trial/shortage.h"
#include "commands.h"
#include "interruption.h"
#include "machine.h"
#include "model/predict.h"
#include "output.h"
#include "stream.h"

namespace pivotcheck::cli {
namespace {

struct ShortageOptions {
  std::vector<std::string> paths;
  std::string lack = "allocations";
  unsigned tries = 1000;
  bool count_objects = false;
  bool json = false;
};

struct Counts {
  std::size_t steps = 0;
  std::size_t tries = 0;
  std::size_t refused = 0;
  std::size_t succeeded = 0;
  std::map<std::string, std::size_t> errors;  // with which it was refused, how often
};

class Shortages {
 public:
  Shortages(ShortageTrial trial, Lack lack, const ShortageOptions& options)
      : trial_(std::move(trial)), options_(options), lack_(lack) {}

  // Each step of it that was not asked before with the same ones before it.
  ExitStatus ask(const StreamItem& item) {
    const Prediction whole = predict(item.scenario, traits_);
    for (std::size_t count = 1; count <= whole.program.steps.size(); ++count) {
      if (is_interrupted()) return unless_interrupted(ExitStatus::agreed);
      const Prediction part = predict(whole.program, traits_, count);
      const std::string text = pivotcheck::print(scenario_of(part.program));
      if (!seen_.insert(text).second) continue;
      if (const auto why = why_not_asked(part, lack_); !why.empty()) {
        ++not_asked_[std::string(why)];
        continue;
      }
      ask(part, text, item.name);
    }
    return ExitStatus::agreed;
  }

  ExitStatus finish() {
    for (const std::string& warning : log_.kernel_warnings()) {
      warned("after the last step", warning);
    }
    if (options_.json) {
      show_json();
    } else {
      show_table();
    }
    if (findings_ > 0) return ExitStatus::disagreed;
    if (failures_ > 0) return ExitStatus::harness;
    if (tries_ > 0) return ExitStatus::agreed;
    return complain("there was no step to ask", ExitStatus::nothing_ran);
  }

 private:
  void ask(const Prediction& part, const std::string& text, const std::string& name) {
    Counts& counts = by_verb_[std::string(verb(part.program.steps.back().op))];
    ++counts.steps;
    std::vector<long> before;
    if (options_.count_objects) {
      trial_.end_worlds();
      before = objects_.count();
    }
    for (unsigned number = 1; number <= options_.tries; ++number) {
      ShortageResult result = trial_.run(part, {lack_, number});
      using enum ShortageResult::Kind;
      if (result.kind == enough) break;
      ++counts.tries;
      ++tries_;
      counts.refused += result.kind == refused ? 1 : 0;
      counts.succeeded += result.kind == succeeded ? 1 : 0;
      if (!result.outcome.ok()) ++counts.errors[to_string(result.outcome)];
      if (result.kind == between || result.kind == failed) {
        show(result, number, text, name);
        if (result.kind == failed) break;
      }
    }
    if (options_.count_objects) {
      trial_.end_worlds();
      for (const std::string& lost : objects_.more_than(before)) {
        show(finding("lost, when all has ended: " + lost), 0, text, name);
      }
    }
    for (const std::string& warning : log_.kernel_warnings()) {
      show(finding("the kernel warns: " + warning), 0, text, name);
    }
  }

  static ShortageResult finding(std::string reason) {
    ShortageResult result;
    result.kind = ShortageResult::Kind::between;
    result.reason = std::move(reason);
    return result;
  }

  // A finding, or a failure of the harness.
  void show(const ShortageResult& result, unsigned number, const std::string& text,
            const std::string& name) {
    const bool is_finding = result.kind == ShortageResult::Kind::between;
    ++(is_finding ? findings_ : failures_);
    if (options_.json) {
      Json object = {{is_finding ? "finding" : "failure", name}, {"scenario", text},
                     {"lack", options_.lack}, {"reason", result.reason}};
      if (number > 0) object["number"] = number;
      if (!result.outcome.ok()) object["kernel"] = to_string(result.outcome);
      if (!result.differences.empty()) object["differences"] = result.differences;
      return print_now(object);
    }
    print(fmt::format("# {}: {}, {}: {}\n", name, options_.lack,
                      number > 0 ? fmt::format("number {}", number) : "any number", result.reason));
    for (const std::string& difference : result.differences) print("#   " + difference + "\n");
    print(text + "\n");
    flush();
  }

  void warned(const std::string& when, const std::string& warning) {
    ++findings_;
    print(options_.json ? line({{"finding", when}, {"reason", warning}})
                        : fmt::format("# {}: the kernel warns: {}\n", when, warning));
  }

  void show_table() const {
    constexpr auto row = "{:18} {:>7} {:>9} {:>9} {:>9}  {}\n";
    print(fmt::format(row, "operation", "steps", "tries", "refused", "succeeded", "with"));
    for (const auto& [name, counts] : by_verb_) {
      std::vector<std::string> errors;
      for (const auto& [error, count] : counts.errors) {
        errors.push_back(fmt::format("{} {}", error, count));
      }
      print(fmt::format(row, name, counts.steps, counts.tries, counts.refused, counts.succeeded,
                        fmt::join(errors, ", ")));
    }
    for (const auto& [why, count] : not_asked_) {
      print(fmt::format("not asked: {} ({})\n", count, why));
    }
    if (options_.count_objects) {
      print(fmt::format("counted: {}\n", fmt::join(objects_.counted(), " ")));
    }
    if (!log_.readable()) print("log: not watched: " + log_.unreadable_because() + "\n");
    print(fmt::format("findings: {}\n", findings_));
  }
  void show_json() const {
    Json operations = Json::object();
    for (const auto& [name, counts] : by_verb_) {
      operations[name] = {{"steps", counts.steps},
                          {"tries", counts.tries},
                          {"refused", counts.refused},
                          {"succeeded", counts.succeeded},
                          {"errors", counts.errors}};
    }
    Json summary = {{"lack", options_.lack},   {"operations", operations},
                    {"not_asked", not_asked_}, {"findings", findings_},
                    {"failures", failures_}};
    if (options_.count_objects) summary["counted"] = objects_.counted();
    set(summary, "log_not_watched", log_.unreadable_because());
    print(line(summary));
  }

  ShortageTrial trial_;
  const ShortageOptions& options_;
  Lack lack_;
  KernelTraits traits_ = probed_traits().traits;
  KernelLog log_ = KernelLog::open();
  KernelObjects objects_ = KernelObjects::open();
  std::set<std::string> seen_;
  std::map<std::string, Counts> by_verb_;
  std::map<std::string, std::size_t> not_asked_;
  std::size_t tries_ = 0;
  std::size_t findings_ = 0;
  std::size_t failures_ = 0;
};

ExitStatus shortage(const ShortageOptions& options) {
  catch_interruptions(SecondSignal::exits);
  if (!machine_is_fit()) return ExitStatus::nothing_ran;
  const auto lack =
      static_cast<Lack>(std::ranges::find(lack_names, options.lack) - lack_names.begin());
  if (const std::string never = why_never(lack); !never.empty()) {
    return complain(never, ExitStatus::nothing_ran);
  }
  auto trial = ShortageTrial::make();
  if (!trial) return complain(trial.error().what, ExitStatus::nothing_ran);
  if (options.count_objects && KernelObjects::open().counted().empty()) {
    return complain("--count-objects: /sys/kernel/slab can't be used (CONFIG_SLUB_DEBUG, root)",
                    ExitStatus::nothing_ran);
  }
  Shortages shortages(std::move(*trial), lack, options);
  const auto status = for_each_scenario(
      options.paths, {.answer = [&](const StreamItem& item) { return shortages.ask(item); }});
  return status == ExitStatus::agreed ? shortages.finish() : status;
}

}  // namespace

CommandSpec shortage_command() {
  auto options = std::make_shared<ShortageOptions>();
  return {
      .name = "shortage",
      .summary = "Hold each step to its promise while what it needs runs out: all or nothing",
      .options = {{"--lack",
                   &options->lack,
                   "what runs out. mounts: fs.mount-max is lowered, for the whole machine, and put "
                   "back after each step; so in a guest",
                   {.choices = {lack_names.begin(), lack_names.end()}, .shows_default = true}},
                  {"--tries", &options->tries, "of one step at most",
                   {.min = 1, .max = 100'000, .shows_default = true}},
                  {"--count-objects", &options->count_objects,
                   "after each step, count the mounts, user namespaces and the like that the "
                   "kernel has: in a guest where nothing else makes any"},
                  {"--json", &options->json,
                   "print an object for each finding, and one for the summary, on a line each"},
                  {"FILE|DIR", &options->paths,
                   "scenarios; if none is named, JSON lines with \"name\" and \"scenario\" are "
                   "read from standard input, as exhaust --print and generate write them"}},
      .footer =
          "allocations takes a kernel with fault injection (ci/kernels build --variant leaks).\n"
          "Exit status: 0 each step did all or nothing, 1 one did not, or the kernel lost\n"
          "something or warned, 2 bad usage, 3 the harness could not do its work, 4 nothing\n"
          "can run, 128 + the signal that ended it.",
      .run = [options] { return shortage(*options); }};
}

}  // namespace pivotcheck::cli
