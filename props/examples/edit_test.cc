// SPDX-License-Identifier: Apache-2.0
// edit_test.cc: changes to a scenario. Whatever is changed, the result is a scenario: its text is
// parsed as the same.
#include "scenario/edit.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "check/gen/choices.h"
#include "check/gen/scenario_generator.h"
#include "check/trial/minimize.h"
#include "examples.h"

namespace pivotcheck {
namespace {

constexpr std::string_view names[] = {"A", "B", "C", "D"};

constexpr std::string_view two_tasks =
    "mkdir /a\n"
    "spawn B\n"
    "B: spawn C\n"
    "B: chdir /a/b\n"
    "C: setns B mnt\n"
    "B: exit\n"
    "umount /a/b\n";

Scenario generated(std::uint64_t number) {
  SeededChoices choices(4, number);
  return scenario_of(ScenarioGenerator({}).generate(choices).program);
}

void check_valid(const Scenario& scenario) {
  const std::string text = print(scenario);
  const auto parsed = parse(text);
  REQUIRE_MESSAGE(parsed.has_value(), text);
  CHECK_MESSAGE(*parsed == scenario, text);
}
void check_valid(const std::optional<Scenario>& scenario) {
  if (scenario) check_valid(*scenario);
}

TEST_CASE("a task whose spawn goes takes along all that needs it") {
  CHECK(print(edit::without_steps(scenario_of(two_tasks), 1, 1)) == "mkdir /a\numount /a/b\n");
  CHECK(print(edit::without_steps(scenario_of(two_tasks), 2, 1)) ==
        "mkdir /a\nspawn B\nB: chdir /a/b\nB: exit\numount /a/b\n");
  CHECK(edit::without_steps(scenario_of(two_tasks), 0, 7).steps.empty());
}

TEST_CASE("the task that spawned another one takes its place, unless it exits too early") {
  CHECK(print(*edit::without_task(scenario_of(two_tasks), 1)) ==
        "mkdir /a\nspawn C\nchdir /a/b\nC: setns A mnt\numount /a/b\n");
  const Scenario orphan = scenario_of("spawn B\nB: spawn C\nB: exit\nC: mkdir /a\n");
  CHECK(!edit::without_task(orphan, 1));
  CHECK(!edit::performed_by_first_task(scenario_of("spawn B\nexit\nB: mkdir /a\n"), 2));
}

TEST_CASE("steps of several scenarios become one whose tasks exist") {
  std::vector<ScenarioStep> steps = scenario_of(two_tasks).steps;
  for (const ScenarioStep& step : scenario_of("spawn Z\nZ: mkdir /z\nexit\n").steps) {
    steps.push_back(step);
  }
  edit::repair_tasks(steps, names, [](std::size_t) { return 0; });
  Scenario repaired;
  repaired.steps = steps;
  CHECK(print(repaired) == std::string(two_tasks) + "spawn D\nD: mkdir /z\nexit\n");
}

TEST_CASE("a path becomes simpler, and a name another one everywhere") {
  CHECK(edit::names_of("/a//./b/") == std::vector<std::string>{"a", "b"});
  CHECK(edit::simpler_paths("/a/b", false) == std::vector<std::string>{"/", "/b", "/a"});
  CHECK(edit::simpler_paths("/a", true) == std::vector<std::string>{""});
  CHECK(edit::simpler_paths("a/@b", false) ==
        std::vector<std::string>{".", "/", "./@b", "/@b", "a", "/a", "/a/@b"});
  CHECK(print(edit::renamed(scenario_of("symlink x/y /y\nopen h y\nchdir @h/y\n"), "y", "")) ==
        "symlink x /\nopen h .\nchdir @h\n");
}

TEST_CASE("every change of a scenario gives a scenario") {
  for (std::uint64_t number = 0; number < 60; ++number) {
    const Scenario whole = generated(number);
    for (std::size_t i = 0; i < whole.steps.size(); ++i) {
      Scenario changed = whole;
      const Op& op = whole.steps[i].step.op;
      check_valid(edit::without_steps(whole, i, whole.steps.size() / 2));
      check_valid(edit::without_steps(whole, i, 1));
      check_valid(edit::performed_by_first_task(whole, i));
      if (std::holds_alternative<Spawn>(op)) check_valid(edit::without_task(whole, i));
      for (const Op& simpler : with_fewer_options(op)) {
        CHECK(options_in(simpler) < options_in(op));
        changed.steps[i].step.op = simpler;
        check_valid(changed);
      }
      changed = whole;
      edit::for_each_path(changed.steps[i].step.op, [&](std::string& text, const Path* path) {
        const bool after_handle = path != nullptr && !path->handle.empty();
        const std::string before = text;
        for (const std::string& simpler : edit::simpler_paths(before, after_handle)) {
          text = simpler;
          check_valid(changed);
        }
        text = before;
      });
    }
    for (const std::string& name : edit::names_in(whole)) {
      check_valid(edit::renamed(whole, name, ""));
      check_valid(edit::renamed(whole, name, "@z"));
    }
    Scenario both = whole;
    const Scenario other = generated(number + 1000);
    both.steps.insert(both.steps.end(), other.steps.begin(), other.steps.end());
    edit::repair_tasks(both.steps, names, [&](std::size_t n) { return number % n; });
    check_valid(both);
  }
}

}  // namespace
}  // namespace pivotcheck
