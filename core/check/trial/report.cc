// SPDX-License-Identifier: Apache-2.0
// report.cc: the text of a report.
#include "check/trial/report.h"

#include <ranges>

#include <fmt/format.h>

#include "view/draw.h"

namespace pivotcheck {
namespace {

constexpr std::string_view step_mark = "^^^";

// Every line of `text` as a comment.
std::string commented(std::string_view text) {
  std::string result;
  if (text.ends_with('\n')) text.remove_suffix(1);
  for (const auto line : std::views::split(text, '\n')) {
    result.append("# ").append(line.begin(), line.end());
    result.resize(result.find_last_not_of(' ') + 1);
    result += '\n';
  }
  return result;
}

std::string model_answer(const TrialResult& result) {
  std::string answer = to_string(*result.model);
  if (result.rule != Rule::none) {
    const RuleInfo& rule = info(result.rule);
    answer += fmt::format(" by rule {}: {}\n        ({})", rule.name, rule.reason,
                          to_string(rule.source));
  }
  return answer;
}

std::string answers(const TrialResult& result) {
  std::string text = fmt::format("{} step {}\n", step_mark, result.step);
  if (*result.kernel == *result.model) {
    text += fmt::format("    both    {}", model_answer(result));
  } else {
    text += fmt::format("    kernel  {}\n    model   {}", to_string(*result.kernel),
                        model_answer(result));
  }
  return commented(text);
}

// The scenario, with the answers after the step that the result is about.
std::string marked_scenario(const Scenario& scenario, const TrialResult& result) {
  Scenario header = scenario;
  header.steps.clear();
  std::string text = print(header);
  for (std::size_t i = 0; i < scenario.steps.size(); ++i) {
    Scenario line;
    line.steps.push_back(scenario.steps[i]);
    text += print(line);
    if (i + 1 == result.step) text += answers(result);
  }
  return text;
}

std::string state(const TrialResult& result) {
  std::string text;
  if (!result.differences.empty()) {
    text += fmt::format("what differs {}\n", result.step == 0
                                                 ? "in the fresh world"
                                                 : fmt::format("after step {}", result.step));
    for (const std::string& difference : result.differences) text += "  " + difference + "\n";
    if (result.kind == TrialResult::Kind::disagree) {
      text += "the state after that step\n";
      text += draw_difference(result.kernel_view, "kernel", result.model_view, "model");
    }
  } else if (result.kind == TrialResult::Kind::disagree && !result.model_view.tasks.empty()) {
    text += fmt::format("the state before step {}, in which both agree\n", result.step);
    for (const std::string& line : draw(result.model_view)) text += "  " + line + "\n";
  }
  return commented(text);
}

}  // namespace

std::string headline(const Scenario& scenario, const TrialResult& result) {
  std::string text(name(result.kind));
  switch (result.kind) {
    case TrialResult::Kind::agree:
      return text + fmt::format(" ({} steps{})", result.steps,
                                has_unseen(result) ? ", a part of the state was seen" : "");
    case TrialResult::Kind::disagree:
      return text + fmt::format(" at step {} of {}", result.step, scenario.steps.size());
    case TrialResult::Kind::broken_law:
    case TrialResult::Kind::unmet:
    case TrialResult::Kind::skipped:
    case TrialResult::Kind::failed: return text + ": " + result.reason;
  }
  return text;
}

std::string report(std::string_view name, const Scenario& scenario, const TrialResult& result) {
  std::string text = fmt::format("# {}: {}\n", name, headline(scenario, result));
  if (result.kind == TrialResult::Kind::disagree && !result.reason.empty()) {
    text += commented(result.reason);
  }
  if (result.law != nullptr) {
    text += commented(fmt::format("{}\n[{}]", result.law->sentence, result.law->source));
  }
  text += marked_scenario(scenario, result);
  text += state(result);
  return text;
}

}  // namespace pivotcheck
