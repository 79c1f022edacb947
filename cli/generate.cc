// SPDX-License-Identifier: Apache-2.0
// generate.cc: `pivotcheck generate`: random scenarios as a stream (stream.h), and nothing is
// performed. So several kernels can be asked the same: what `explore` makes up depends on the model
// of the kernel that it runs on.
#include <cstdint>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "check/gen/scenario_generator.h"
#include "commands.h"
#include "interruption.h"
#include "model_spec.h"
#include "output.h"
#include "stream.h"

namespace pivotcheck::cli {
namespace {

constexpr std::uint64_t cases_max = 1'000'000'000;

struct GenerateOptions {
  std::uint64_t cases = 1000;
  std::uint64_t first = 0;
  std::uint64_t every = 1;
  std::uint64_t seed = 1;
  std::string privilege = "both";
  std::string model = "contract";
};

Privilege privilege_of(const GenerateOptions& options, std::uint64_t number) {
  if (options.privilege == "both") return number % 2 == 0 ? Privilege::userns : Privilege::root;
  return options.privilege == "root" ? Privilege::root : Privilege::userns;
}

ExitStatus generate(const GenerateOptions& options) {
  catch_interruptions(SecondSignal::exits);
  const auto traits = parse_model(options.model);
  if (!traits) return complain(traits.error().what, ExitStatus::bad_usage);
  for (std::uint64_t number = options.first; number < options.cases; number += options.every) {
    if (is_interrupted()) break;
    const ScenarioGenerator generator(
        {.privilege = privilege_of(options, number), .traits = *traits});
    SeededChoices choices(options.seed, number);
    const Prediction generated = generator.generate(choices);
    print(line({{"name", fmt::format("seed-{}-case-{}", options.seed, number)},
                {"scenario", pivotcheck::print(scenario_of(generated.program))}}));
  }
  return unless_interrupted(ExitStatus::agreed);
}

}  // namespace

CommandSpec generate_command() {
  auto options = std::make_shared<GenerateOptions>();
  return {
      .name = "generate",
      .summary = "Make up random scenarios and print them as JSON lines; nothing is performed",
      .options = {{"--cases",
                   &options->cases,
                   "the numbers below this one",
                   {.min = 1, .max = cases_max, .shows_default = true}},
                  {"--seed",
                   &options->seed,
                   "case N of a seed is always the same scenario, for the same model and privilege",
                   {.min = 0, .max = UINT64_MAX, .shows_default = true}},
                  {"--first",
                   &options->first,
                   "the first number",
                   {.min = 0, .max = cases_max, .shows_default = true}},
                  {"--every",
                   &options->every,
                   "only every N-th number: one of N shards",
                   {.min = 1, .max = cases_max, .shows_default = true}},
                  {"--privilege",
                   &options->privilege,
                   "of the worlds: userns, root, or both in turn",
                   {.choices = {"userns", "root", "both"}, .shows_default = true}},
                  {"--model",
                   &options->model,
                   "by whose answers the generator is led (see pivotcheck predict --help)",
                   {.shows_default = true}}},
      .footer = "Exit status: 0, 2 for bad usage, or 128 + the signal that ended it.",
      .run = [options] { return generate(*options); }};
}

}  // namespace pivotcheck::cli
