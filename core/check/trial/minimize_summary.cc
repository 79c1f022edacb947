// SPDX-License-Identifier: Apache-2.0
// minimize_summary.cc: one line on what minimizing has removed.
#include <string_view>

#include <fmt/format.h>

#include "check/trial/minimize.h"
#include "check/trial/simpler_options.h"
#include "scenario/edit.h"

namespace pivotcheck {
namespace {

// What makes a scenario long to read.
struct Size {
  std::size_t steps = 0;
  std::size_t tasks = 1;
  std::size_t path_components = 0;
  std::size_t handles = 0;  // paths that start at one
  std::size_t options = 0;  // words of flags, "recursive", ramfs; conditions in the header
};

Size size_of(const Scenario& scenario) {
  Size size{.steps = scenario.steps.size()};
  size.options = scenario.kernel.size() + (scenario.privilege ? 1 : 0);
  for (const ScenarioStep& step : scenario.steps) {
    size.tasks += std::holds_alternative<Spawn>(step.step.op) ? 1 : 0;
    size.options += options_in(step.step.op);
    edit::for_each_path(step.step.op, [&](const std::string& text, const Path* path) {
      size.path_components += edit::names_of(text).size();
      if (path != nullptr && !path->handle.empty()) ++size.handles;
    });
  }
  return size;
}

}  // namespace

std::string what_was_removed(const Scenario& before, const Minimized& after) {
  const Size from = size_of(before);
  const Size to = size_of(after.scenario);
  std::string text;
  const auto add = [&](std::string_view what, std::size_t was, std::size_t is) {
    if (is >= was) return;
    text += fmt::format("{}{} of {} {}", text.empty() ? "removed " : ", ", was - is, was, what);
  };
  add("steps", from.steps, to.steps);
  add("tasks", from.tasks, to.tasks);
  add("path components", from.path_components, to.path_components);
  add("handles", from.handles, to.handles);
  add("options", from.options, to.options);
  if (text.empty()) text = before == after.scenario ? "nothing to remove" : "only names changed";
  return text + fmt::format(" ({} trial{}{})", after.trials, after.trials == 1 ? "" : "s",
                            after.cut_short ? ", cut short by a limit" : "");
}

}  // namespace pivotcheck
