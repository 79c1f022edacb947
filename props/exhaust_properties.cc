// SPDX-License-Identifier: Apache-2.0
// exhaust_properties.cc: `exhaust_properties`: the properties of the model, of every sequence of a
// few operations from a small world, instead of random scenarios.
//
//     layout, alphabet --> each state once --> each operation there --> a scenario --> check(Case&)
//
// With --fault a refusal leaves a trace in the model's world: then the properties must notice.
//
// Exit status: 0 all hold, 1 one does not, or never met what it is about; 2 bad usage.
#include <cstdio>
#include <map>
#include <string>

#include <fmt/format.h>

#include "check/exhaust/space.h"
#include "check/exhaust/walk.h"
#include "cli/options/options.h"
#include "property.h"
#include "transitions.h"

namespace {

using namespace pivotcheck;

constexpr int mounts_max = 64;

struct Figures {
  std::uint64_t scenarios = 0;
  std::map<std::string_view, std::uint64_t> relevant;  // by property
  bool any_broken = false;
};

void leave_trace(const props::Transition& transition, model::World& after) {
  if (!transition.ok()) after.mounts.back().locked = !after.mounts.back().locked;
}

void check(const exhaust::Space& space, exhaust::Sequence sequence, const props::Subjects& subjects,
           Figures& figures) {
  const Scenario scenario = scenario_of(space.program(sequence));
  ++figures.scenarios;
  for (const props::Property& property : props::model_properties()) {
    props::Case one(scenario, subjects, nullptr);
    try {
      property.check(one);
    } catch (const props::Broken& broken) {
      if (!figures.any_broken) {
        fmt::print("FAILS {}\n  {}\n{}", property.sentence, broken.what(), print(scenario));
      }
      figures.any_broken = true;
    }
    figures.relevant[property.sentence] += one.times_relevant();
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t depth = 2;
  bool fault = false;
  const cli::CommandSpec program{
      .name = "exhaust_properties",
      .summary = "The properties of the model, of every short sequence from small worlds",
      .options = {{"--depth", &depth, "operations at most", {.min = 1, .shows_default = true}},
                  {"--fault", &fault, "a refusal leaves a trace"}}};
  const cli::Parsed parsed = cli::parse_command_line(program, argc, argv);
  if (parsed.chosen == nullptr) return static_cast<int>(parsed.status);
  props::Subjects subjects;
  if (fault) subjects.after_step = leave_trace;
  Figures figures;
  for (const char* layout : {"two-peers", "two-namespaces"}) {
    for (const char* alphabet : {"pivot", "propagation"}) {
      const exhaust::Space space =
          exhaust::make_space(*exhaust::find_layout(layout), Privilege::root, alphabet, 1).value();
      exhaust::walk(space, KernelTraits{}, depth, mounts_max,
                    [&](exhaust::Sequence sequence) { check(space, sequence, subjects, figures); });
    }
  }
  for (const auto& [sentence, times] : figures.relevant) {
    fmt::print("{:>9} times  {}\n", times, sentence);
    figures.any_broken = figures.any_broken || times == 0;
  }
  fmt::print("{} scenarios of at most {} operations: {}\n", figures.scenarios, depth,
             figures.any_broken ? "not all holds" : "all holds");
  return figures.any_broken ? 1 : 0;
}
