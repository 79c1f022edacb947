// SPDX-License-Identifier: Apache-2.0
// draw.cc: `pivotcheck draw`: draws a scenario's world as the model predicts it for the running
// kernel, at the end or after every step. It does not perform the scenario, so any machine can draw
// any.
#include <fmt/format.h>

#include <memory>

#include "check/trial/probed_traits.h"
#include "check/trial/trial.h"
#include "commands.h"
#include "files.h"
#include "model/predict.h"
#include "model/world.h"
#include "output.h"
#include "view/draw.h"
#include "view/picture.h"

namespace pivotcheck::cli {
namespace {

struct DrawOptions {
  std::string file;
  bool every_step = false;
  bool dot = false;
  bool svg = false;
};

std::string lines_of(const Snapshot& snapshot) {
  return fmt::format("{}\n", fmt::join(pivotcheck::draw(snapshot), "\n"));
}

void draw_world(const model::World& world) { print(lines_of(canonical(snapshot(world)))); }

// "3. pivot_root /new /old => EINVAL new-root-shared"
std::string numbered(std::size_t number, const ScenarioStep& step, const Verdict& verdict) {
  const std::string rule =
      verdict.rule == Rule::none ? "" : fmt::format(" {}", info(verdict.rule).name);
  return fmt::format("{}. {} => {}{}\n", number, pivotcheck::print(step.step),
                     to_string(verdict.outcome), rule);
}

void draw_scenario(const ScenarioFile& file, const DrawOptions& options) {
  const KernelTraits traits = probed_traits().traits;
  Predictor predictor(file.scenario.effective_privilege(), traits);
  const Prediction& all = predictor.so_far();
  if (options.every_step) {
    print("0. the fresh world\n");
    draw_world(all.world);
  }
  for (const ScenarioStep& line : file.scenario.steps) {
    if (!predictor.add(line.step)) break;
    if (!options.every_step) continue;
    print("\n" + numbered(all.verdicts.size(), line, predictor.last()));
    draw_world(all.world);
  }
  if (!options.every_step) {
    const Snapshot end = canonical(snapshot(all.world));
    print(options.dot ? draw_dot(end) : options.svg ? draw_svg(end) : lines_of(end));
  }
  if (all.stop != Verdict::Stop::no) {
    complain(fmt::format("{}: ends before step {}: {}", file.name, all.verdicts.size() + 1,
                         reason(all.stop)));
  }
}

ExitStatus draw_file(const DrawOptions& options) {
  const auto files = read_scenarios({options.file});
  if (!files) return ExitStatus::bad_usage;
  if (files->size() > 1 && (options.dot || options.svg)) {
    return complain(options.file + ": --dot and --svg draw one scenario", ExitStatus::bad_usage);
  }
  for (const ScenarioFile& file : *files) {
    if (files->size() > 1) print(file.name + "\n");
    draw_scenario(file, options);
    if (files->size() > 1) print("\n");
  }
  return ExitStatus::agreed;
}

}  // namespace

CommandSpec draw_command() {
  auto options = std::make_shared<DrawOptions>();
  return {
      .name = "draw",
      .summary = "Draw the mounts and tasks that the model predicts for the end of a scenario",
      .options = {{"--every-step", &options->every_step, "draw them after every step"},
                  {"--dot", &options->dot, "as a graph for Graphviz: dot -Tpng",
                   {.excludes = "--every-step"}},
                  {"--svg", &options->svg, "as a picture", {.excludes = "--dot"}},
                  {"FILE", &options->file, "a scenario, or a folder of them; - for standard input",
                   {.required = true}}},
      .footer = "Exit status: 0, or 2 for bad usage or a malformed file.",
      .run = [options] { return draw_file(*options); }};
}

}  // namespace pivotcheck::cli
