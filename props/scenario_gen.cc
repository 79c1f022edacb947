// SPDX-License-Identifier: Apache-2.0
// scenario_gen.cc: see scenario_gen.h.
#include "scenario_gen.h"

#include <algorithm>
#include <cerrno>
#include <ostream>
#include <utility>

#include "check/gen/choices.h"
#include "check/gen/scenario_generator.h"
#include "scenario/edit.h"

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
std::string weird_bytes(Choices& choices) {
  static constexpr std::string_view favourites = "/.@#=>:\"\\ \t\n\rabA\x7F\xC3\xA9";
  std::string bytes;
  for (std::uint32_t i = choices.below(8); i > 0; --i) {
    bytes += choices.chance(20) ? static_cast<char>(1 + choices.below(255))
                              : favourites[choices.below(favourites.size())];
  }
  return bytes;
}

std::string weird_header(Choices& choices) {
  std::string value = weird_bytes(choices);
  std::erase(value, '\n');
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.erase(0, 1);
  // A CR in front of the line's end belongs to the line's end.
  while (!value.empty() && std::string_view(" \t\r").contains(value.back())) value.pop_back();
  return value;
}

void make_weird(Op& op, Choices& choices) {
  edit::for_each_path(op, [&](std::string& text, const Path* path) {
    if (!choices.chance(path != nullptr ? 30 : 50)) return;
    text = weird_bytes(choices);
    if (path == nullptr) return;  // the target of a symbolic link may have any text
    if (!path->handle.empty() && !text.empty()) text.insert(0, 1, '/');
    if (path->handle.empty() && text.starts_with('@')) text.insert(0, "./");
  });
}

std::optional<StatedOutcome> stated(Choices& choices) {
  static constexpr int errors[] = {EPERM, ENOENT, EINVAL, EBUSY, ELOOP, EWOULDBLOCK};
  if (choices.chance(50)) return StatedOutcome{};
  StatedOutcome outcome{.outcome = {errors[choices.below(std::size(errors))]}, .rule = {}};
  if (choices.chance(50)) outcome.rule = "no-such-rule-2";
  return outcome;
}

void decorate(Scenario& scenario, Choices& choices) {
  if (choices.chance(50)) scenario.title = weird_header(choices);
  for (std::uint32_t i = choices.below(3); i > 0; --i) {
    scenario.about.push_back(weird_header(choices));
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
    make_weird(step.step.op, choices);
    if (choices.chance(30)) step.stated = stated(choices);
  }
}

// Without some of its steps, the most first; then without a task; then with one more step that A
// performs.
rc::Seq<Scenario> shrunk(const Scenario& scenario) {
  std::vector<Scenario> smaller;
  const auto offer = [&](std::optional<Scenario> candidate) {
    if (candidate && *candidate != scenario) smaller.push_back(std::move(*candidate));
  };
  const std::size_t steps = scenario.steps.size();
  for (std::size_t count = steps; count > 0; --count) {
    for (std::size_t first = 0; first + count <= steps; ++first) {
      offer(edit::without_steps(scenario, first, count));
    }
  }
  for (std::size_t i = 0; i < steps; ++i) {
    if (std::holds_alternative<Spawn>(scenario.steps[i].step.op)) {
      offer(edit::without_task(scenario, i));
    }
  }
  for (std::size_t i = 0; i < steps; ++i) offer(edit::performed_by_first_task(scenario, i));
  return rc::seq::fromContainer(std::move(smaller));
}

Scenario random_scenario(const ScenarioOptions& options, const rc::Random& random, int size) {
  RapidCheckChoices choices(random);
  const auto grown =
      static_cast<std::uint32_t>(std::max(size, 0)) * (steps_max - steps_max_at_first);
  GeneratorOptions generator;
  generator.privilege =
      options.privileges[choices.below(static_cast<std::uint32_t>(options.privileges.size()))];
  generator.traits = options.traits;
  generator.steps_min = steps_min;
  generator.steps_max = steps_max_at_first + grown / rc::kNominalSize;
  Scenario scenario = scenario_of(ScenarioGenerator(generator).generate(choices).program);
  if (options.weird_text) decorate(scenario, choices);
  return scenario;
}

}  // namespace

rc::Gen<Scenario> scenarios(ScenarioOptions options) {
  return [options = std::move(options)](const rc::Random& random, int size) {
    return rc::shrinkable::shrinkRecur(random_scenario(options, random, size), &shrunk);
  };
}

}  // namespace pivotcheck::props

namespace pivotcheck {
void showValue(const Scenario& scenario, std::ostream& out) { out << print(scenario); }
}  // namespace pivotcheck
