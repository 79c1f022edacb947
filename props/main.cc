// SPDX-License-Identifier: Apache-2.0
// main.cc: `properties`: tries every property, or lists them, which reads as a specification.
//
// Exit status: 0 all hold, 1 one does not (or is vacuous), 2 bad usage, 3 the harness could not do
// its work, 4 nothing ran.
#include <unistd.h>

#include <array>
#include <cstdio>
#include <map>
#include <random>
#include <vector>

#include <fmt/format.h>

#include "cli/options/options.h"
#include "property.h"

namespace {

using namespace pivotcheck;
using props::Property;
using props::Report;

struct Section {
  std::string_view title;
  std::span<const Property> properties;
};
const std::array<Section, 5> sections{
    Section{"Worlds, as the model has them", props::model_properties()},
    Section{"Detached trees, and the mount API by descriptors", props::mount_api_properties()},
    Section{"Scenario text, and what a world looks like", props::text_properties()},
    Section{"The running kernel, and its observers", props::kernel_properties()},
    Section{"Two runs that must end alike", props::relation_properties()},
};

struct Options {
  props::RunOptions run;
  std::string only;
  std::string failures = PIVOTCHECK_FAILURES_DIR;
};

void list() {
  for (const Section& section : sections) {
    fmt::print("{}\n", section.title);
    for (const Property& property : section.properties) fmt::print("  - {}\n", property.sentence);
  }
}

// What a person needs to see it again.
void print_failure(const Property& property, const props::RunOptions& options,
                  const Report& report) {
  fmt::print("        {}\n", report.what);
  if (!report.scenario) return;
  const std::string text = print(*report.scenario);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    fmt::print("          {}\n", text.substr(begin, end - begin));
    begin = end + 1;
  }
  if (!report.kept.empty()) {
    const std::string file = report.kept.string();
    fmt::print("        kept in {}\n", file);
    fmt::print("        its steps, kernel against model: pivotcheck run --every-step '{}'\n", file);
    fmt::print("        the property again (kept failures come first): properties --only '{}'\n",
               property.sentence);
  }
  if (!report.was_kept) {
    fmt::print("        from the beginning: properties --seed {} --cases {} --only '{}'\n",
               options.seed, options.cases, property.sentence);
  }
}

void print_report(const Property& property, const props::RunOptions& options,
                  const Report& report) {
  static constexpr std::array<std::string_view, 4> words{"holds", "FAILS", "VACUOUS", "HARNESS"};
  fmt::print("{:<7} {}\n", words[static_cast<std::size_t>(report.kind)], property.sentence);
  if (report.tried_again > 0) {
    fmt::print("        {} kept failures hold now\n", report.tried_again);
  }
  if (report.kind == Report::Kind::holds) {
    fmt::print("        {} cases of {} scenarios, met {} times, {:.1f} s\n", report.cases,
               report.scenarios, report.times_relevant, report.elapsed_s);
  } else {
    print_failure(property, options, report);
  }
  std::fflush(stdout);
}

// "" if it can run here.
std::string why_not(const Property& property, const Expected<props::Kernel>& kernel) {
  if (property.needs != Property::Needs::kernel) return "";
  if (!kernel) return kernel.error().what;
  const bool two_roads = property.sentence.contains("observers");
  return two_roads && !kernel->has_listmount() ? "this kernel has no listmount" : "";
}

int run_all(const Options& options) {
  std::optional<Expected<props::Kernel>> kernel;
  std::vector<std::string> not_run;
  std::map<Report::Kind, int> totals;
  for (const Section& section : sections) {
    for (const Property& property : section.properties) {
      if (!property.sentence.contains(options.only)) continue;
      const bool needs_kernel = property.needs == Property::Needs::kernel;
      if (needs_kernel && !kernel) kernel = props::Kernel::make();
      if (const std::string why = needs_kernel ? why_not(property, *kernel) : ""; !why.empty()) {
        not_run.push_back(fmt::format("NOT RUN {}: {}", property.sentence, why));
        continue;
      }
      if (::isatty(2) != 0) fmt::print(stderr, "... {}\r", property.sentence.substr(0, 70));
      props::Kernel* running = needs_kernel ? &**kernel : nullptr;
      const Report report = run(property, options.run, running);
      print_report(property, options.run, report);
      ++totals[report.kind];
    }
  }
  if (kernel && *kernel && !(*kernel)->has_root()) {
    fmt::print(stderr, "properties: not root: no world with an unlocked root mount was tried\n");
  }
  for (const std::string& line : not_run) fmt::print(stderr, "{}\n", line);
  const int hold = totals[Report::Kind::holds];
  const int fail = totals[Report::Kind::fails] + totals[Report::Kind::vacuous];
  const int harness = totals[Report::Kind::harness];
  fmt::print("properties: {} hold, {} fail, {} broke the harness, {} not run (seed {})\n", hold,
             fail, harness, not_run.size(), options.run.seed);
  if (fail > 0) return 1;
  if (harness > 0) return 3;
  if (hold > 0) return 0;
  if (!not_run.empty()) return 4;
  fmt::print(stderr, "properties: no property has \"{}\" in it (see --list)\n", options.only);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.run.seed = std::random_device{}();
  bool only_list = false;
  const cli::CommandSpec command{
      .name = "properties",
      .summary = "properties: what is true of every scenario, tried on many",
      .options = {{"--list", &only_list, "print the properties: a specification"},
                  {"--only", &options.only, "those whose sentence has this in it"},
                  {"--seed", &options.run.seed, "the same seed tries the same scenarios"},
                  {"--cases", &options.run.cases,
                   "for each property: scenarios in which what it is about comes up",
                   {.min = 1, .max = 1'000'000'000}},
                  {"--failures", &options.failures, "folder of failures, which are tried first"}}};
  const cli::Parsed parsed = cli::parse_command_line(command, argc, argv);
  if (parsed.chosen == nullptr) return static_cast<int>(parsed.status);
  if (only_list) {
    list();
    return 0;
  }
  options.run.failures = options.failures;
  return run_all(options);
}
