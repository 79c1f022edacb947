// SPDX-License-Identifier: Apache-2.0
// corpus_test.cc: the corpus against the model, without a kernel. Each rule has one scenario that
// ends in it, and needs every step it has; and wherever a scenario says what a step answers, the
// model says the same.
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "examples.h"
#include "model/apply.h"
#include "model/rules.h"
#include "scenario/scenario.h"

namespace pivotcheck {
namespace {

namespace fs = std::filesystem;

const fs::path corpus = PIVOTCHECK_SOURCE_DIR "/corpus";

// A release that meets the scenario's conditions: the newest one known, or one next to those named.
KernelTraits traits_for(const Scenario& scenario) {
  std::vector<Release> candidates{Release{{6, 18, 0}}};  // the newest one tried
  for (const KernelCondition& condition : scenario.kernel) {
    const auto [major, minor, patch] = condition.release.parts;
    candidates.push_back({{major, minor, patch}});
    candidates.push_back({{major, minor, patch + 1}});  // for '>'
    candidates.push_back(minor > 0 ? Release{{major, minor - 1, 999}}
                                   : Release{{major - 1, 999, 999}});  // for '<'
  }
  for (const Release& release : candidates) {
    const auto held = [&](const KernelCondition& c) { return holds(c, release); };
    if (!std::ranges::all_of(scenario.kernel, held)) continue;
    KernelTraits traits = KernelTraits::for_release(release);
    for (const TraitCondition& condition : scenario.traits) {
      const TraitInfo* trait = find_trait(condition.name);
      REQUIRE_MESSAGE(trait != nullptr, condition.name);
      traits.*trait->value = condition.on;
    }
    return traits;
  }
  FAIL_CHECK("no release meets its conditions");
  return {};
}

// The model's verdicts; ends after a step that would end the run.
std::vector<Verdict> verdicts(const Scenario& scenario) {
  model::World world(scenario.effective_privilege(), traits_for(scenario));
  std::vector<Verdict> result;
  const Program program = resolve(scenario).value();
  for (const ProgramStep& step : program.steps) {
    result.push_back(apply(world, step));
    if (result.back().stop != Verdict::Stop::no) break;
    REQUIRE(model::broken_invariant(world) == "");
  }
  return result;
}

std::string to_text(const Verdict& verdict) {
  std::string text = to_string(verdict.outcome);
  if (verdict.rule != Rule::none) text.append(" ").append(info(verdict.rule).name);
  return text;
}

bool holds(const StatedOutcome& stated, const Verdict& verdict) {
  if (stated.outcome != verdict.outcome) return false;
  return stated.rule.empty() || stated.rule == info(verdict.rule).name;
}

}  // namespace

TEST_CASE("corpus/rules has one scenario for each rule, and nothing else") {
  std::set<std::string> expected;
  for (const RuleInfo& row : rule_table()) expected.insert(std::string(row.name) + ".scn");
  std::set<std::string> found;
  for (const auto& entry : fs::directory_iterator(corpus / "rules")) {
    found.insert(entry.path().filename().string());
  }
  for (const std::string& name : expected) CHECK_MESSAGE(found.contains(name), name, " is missing");
  for (const std::string& name : found) {
    CHECK_MESSAGE(expected.contains(name), name, " belongs to no rule");
  }
}

TEST_CASE("the last step of a rule's scenario, and only that, is refused, by that rule") {
  for (const auto& [name, text, scenario] : corpus_files("rules")) {
    CAPTURE(name);
    const Rule rule = find_rule(fs::path(name).stem().string());
    if (rule == Rule::none) continue;  // reported above
    CHECK(scenario.title.has_value());
    REQUIRE(!scenario.steps.empty());
    const auto& stated = scenario.steps.back().stated;
    REQUIRE(stated.has_value());
    CHECK(stated->rule == info(rule).name);
    CHECK(stated->outcome.error == info(rule).error);
    const std::vector<Verdict> answers = verdicts(scenario);
    REQUIRE(answers.size() == scenario.steps.size());
    CHECK(answers.back().rule == rule);
    CHECK(info(rule).calls.overlaps(calls_of(scenario.steps.back().step.op)));
    for (std::size_t i = 0; i + 1 < answers.size(); ++i) {
      CHECK_MESSAGE(answers[i].outcome.ok(), "step ", i + 1, ": ", to_text(answers[i]));
    }
  }
}

TEST_CASE("no step of a rule's scenario can be left out") {
  for (const auto& [name, text, scenario] : corpus_files("rules")) {
    CAPTURE(name);
    const Verdict whole = verdicts(scenario).back();
    for (std::size_t left_out = 0; left_out + 1 < scenario.steps.size(); ++left_out) {
      Scenario shorter = scenario;
      shorter.steps.erase(shorter.steps.begin() + static_cast<std::ptrdiff_t>(left_out));
      if (!parse(print(shorter))) continue;  // it made a task that the others name
      const std::vector<Verdict> answers = verdicts(shorter);
      const bool same = answers.size() == shorter.steps.size() && answers.back() == whole;
      CHECK_MESSAGE(!same, "step ", left_out + 1, ": ",
                    print(scenario.steps[left_out].step));
    }
  }
}

TEST_CASE("the model agrees with every outcome that the corpus states") {
  for (const auto& [name, text, scenario] : corpus_files(".")) {
    CAPTURE(name);
    const std::vector<Verdict> answers = verdicts(scenario);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const auto& [step, stated] = scenario.steps[i];
      CHECK_MESSAGE((!stated || holds(*stated, answers[i])), "step ", i + 1, ", ", print(step),
                    ": ", to_text(answers[i]));
    }
  }
}

TEST_CASE("each seed has a title, runs to its end, and says so where a step is refused") {
  for (const auto& [name, text, scenario] : corpus_files("seeds")) {
    CAPTURE(name);
    CHECK(scenario.title.has_value());
    const std::vector<Verdict> answers = verdicts(scenario);
    REQUIRE(answers.size() == scenario.steps.size());
    for (std::size_t i = 0; i < answers.size(); ++i) {
      CHECK(answers[i].stop == Verdict::Stop::no);
      CHECK_MESSAGE((answers[i].outcome.ok() || scenario.steps[i].stated.has_value()), "step ",
                    i + 1, ", ", print(scenario.steps[i].step), ": ", to_text(answers[i]));
    }
  }
}

}  // namespace pivotcheck
