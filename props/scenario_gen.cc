// SPDX-License-Identifier: Apache-2.0
// scenario_gen.cc: see scenario_gen.h.
#include "scenario_gen.h"

#include <algorithm>
#include <cerrno>
#include <ostream>
#include <type_traits>
#include <utility>

#include "check/gen/choices.h"
#include "check/gen/scenario_generator.h"

namespace pivotcheck::props {
namespace {

constexpr std::uint32_t steps_min = 4;
constexpr std::uint32_t steps_max_at_first = 12;  // grows with the cases, as RapidCheck has it
constexpr std::uint32_t steps_max = 30;

class RapidCheckChoices final : public Choices {
 public:
  explicit RapidCheckChoices(rc::Random random) : random_(std::move(random)) {}

  std::uint32_t below(std::uint32_t n) override {
    return static_cast<std::uint32_t>(random_.split().next() % n);
  }

 private:
  rc::Random random_;
};

// Any bytes that the format can hold in a path.
std::string odd_bytes(Choices& choices) {
  static constexpr std::string_view favourites = "/.@#=>:\"\\ \t\n\rabA\x7F\xC3\xA9";
  std::string bytes;
  for (std::uint32_t i = choices.below(8); i > 0; --i) {
    bytes += choices.chance(20) ? static_cast<char>(1 + choices.below(255))
                              : favourites[choices.below(favourites.size())];
  }
  return bytes;
}

std::string odd_header(Choices& choices) {
  std::string value = odd_bytes(choices);
  std::erase(value, '\n');
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.erase(0, 1);
  // A CR in front of the line's end belongs to the line's end.
  while (!value.empty() && std::string_view(" \t\r").contains(value.back())) value.pop_back();
  return value;
}

void make_odd(Op& op, Choices& choices) {
  const auto change = [&]<class Field>(Field& field) {
    if constexpr (std::is_same_v<Field, Path>) {
      if (!choices.chance(30)) return;
      field.text = odd_bytes(choices);
      if (!field.handle.empty() && !field.text.empty()) field.text.insert(0, 1, '/');
      if (field.handle.empty() && field.text.starts_with('@')) field.text.insert(0, "./");
    } else if constexpr (std::is_same_v<Field, LinkTarget>) {
      if (choices.chance(50)) field.text = odd_bytes(choices);
    }
  };
  std::visit([&](auto& operation) { operation.fields(operation, change); }, op);
}

std::optional<StatedOutcome> stated(Choices& choices) {
  static constexpr int errors[] = {EPERM, ENOENT, EINVAL, EBUSY, ELOOP, EWOULDBLOCK};
  if (choices.chance(50)) return StatedOutcome{};
  StatedOutcome outcome{.outcome = {errors[choices.below(std::size(errors))]}, .rule = {}};
  if (choices.chance(50)) outcome.rule = "no-such-rule-2";
  return outcome;
}

void decorate(Scenario& scenario, Choices& choices) {
  if (choices.chance(50)) scenario.title = odd_header(choices);
  for (std::uint32_t i = choices.below(3); i > 0; --i) {
    scenario.about.push_back(odd_header(choices));
  }
  if (choices.chance(30)) scenario.privilege.reset();
  for (std::uint32_t i = choices.below(3); i > 0; --i) {
    KernelCondition condition;
    condition.relation = static_cast<KernelCondition::Relation>(choices.below(5));
    condition.parts = choices.chance(50) ? 2 : 3;
    condition.release.parts[0] = static_cast<int>(choices.below(9));
    condition.release.parts[1] = static_cast<int>(choices.below(30));
    if (condition.parts == 3) condition.release.parts[2] = static_cast<int>(choices.below(300));
    scenario.kernel.push_back(condition);
  }
  for (ScenarioStep& step : scenario.steps) {
    make_odd(step.step.op, choices);
    if (choices.chance(30)) step.stated = stated(choices);
  }
}

// Without some of its steps; then with more of them done by A.
rc::Seq<Scenario> shrunk(const Scenario& scenario) {
  const auto by_first_task = [](const ScenarioStep& step) {
    ScenarioStep other = step;
    other.step.task = TaskName{"A"};
    return other == step ? rc::Seq<ScenarioStep>() : rc::seq::just(std::move(other));
  };
  auto fewer = rc::seq::concat(rc::shrink::removeChunks(scenario.steps),
                               rc::shrink::eachElement(scenario.steps, by_first_task));
  return rc::seq::map(rc::seq::filter(std::move(fewer), tasks_are_there),
                      [scenario](std::vector<ScenarioStep> steps) {
                        Scenario smaller = scenario;
                        smaller.steps = std::move(steps);
                        return smaller;
                      });
}

Scenario story(const StoryOptions& options, const rc::Random& random, int size) {
  RapidCheckChoices choices(random);
  const auto grown =
      static_cast<std::uint32_t>(std::max(size, 0)) * (steps_max - steps_max_at_first);
  GeneratorOptions generator;
  generator.privilege =
      options.privileges[choices.below(static_cast<std::uint32_t>(options.privileges.size()))];
  generator.traits = options.traits;
  generator.steps_min = steps_min;
  generator.steps_max = steps_max_at_first + grown / rc::kNominalSize;
  Scenario scenario = ScenarioGenerator(generator).generate(choices).scenario();
  if (options.weird_text) decorate(scenario, choices);
  return scenario;
}

}  // namespace

bool tasks_are_there(const std::vector<ScenarioStep>& steps) {
  std::vector<std::string> used{"A"};
  std::vector<std::string> alive{"A"};
  const auto has = [](const auto& names, const auto& task) {
    return std::ranges::find(names, task.text) != names.end();
  };
  for (const ScenarioStep& step : steps) {
    if (!has(alive, step.step.task)) return false;
    if (const auto* setns = std::get_if<Setns>(&step.step.op)) {
      if (!has(alive, setns->task)) return false;
    } else if (const auto* spawn = std::get_if<Spawn>(&step.step.op)) {
      if (has(used, spawn->task)) return false;
      used.push_back(spawn->task.text);
      alive.push_back(spawn->task.text);
    } else if (std::holds_alternative<Exit>(step.step.op)) {
      std::erase(alive, step.step.task.text);
    }
  }
  return true;
}

rc::Gen<Scenario> stories(StoryOptions options) {
  return [options = std::move(options)](const rc::Random& random, int size) {
    return rc::shrinkable::shrinkRecur(story(options, random, size), shrunk);
  };
}

}  // namespace pivotcheck::props

namespace pivotcheck {
void showValue(const Scenario& scenario, std::ostream& out) { out << print(scenario); }
}  // namespace pivotcheck
