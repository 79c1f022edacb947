// SPDX-License-Identifier: Apache-2.0
// runner.cc: tries a property on many scenarios (property.h). They come from the generators of
// core/check/gen, with the choices of RapidCheck:
//
//     rc::Random --> Choices --> ScenarioGenerator --> Scenario --> smaller ones (scenario/edit.h)
//
// Shrinking removes steps, not choices: without one step the others stay as they are; without one
// choice all later choices are different. What is said about a failure is ours, because it is a
// scenario and not a C++ value.
#include "property.h"

#include <fmt/format.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <ostream>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/file.h"
#include "check/gen/choices.h"
#include "check/gen/scenario_generator.h"
#include "scenario/edit.h"

namespace pivotcheck {

// How RapidCheck shows one.
void showValue(const Scenario& scenario, std::ostream& out) { out << print(scenario); }

namespace props {
namespace {

namespace fs = std::filesystem;

// --- the scenarios

struct ScenarioOptions {
  std::vector<Privilege> privileges{Privilege::userns, Privilege::root};
  KernelTraits traits = {};
  bool weird_text = false;  // headers, stated outcomes, and paths of any bytes: for the format
};

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
  for (std::uint32_t i = choices.below(2); i > 0; --i) {
    scenario.traits.push_back({.name = "no_such_trait_2", .on = choices.chance(50)});
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
  generator.deep_percent = 0;  // they would not grow with the size
  Scenario scenario = scenario_of(ScenarioGenerator(generator).generate(choices).program);
  if (options.weird_text) decorate(scenario, choices);
  return scenario;
}

rc::Gen<Scenario> scenarios(ScenarioOptions options) {
  return [options = std::move(options)](const rc::Random& random, int size) {
    return rc::shrinkable::shrinkRecur(random_scenario(options, random, size), &shrunk);
  };
}

// --- the runner

// The rarest situation that a property is about comes up in about one scenario of fifty.
constexpr int discarded_per_case_max = 300;

constexpr std::size_t name_length_max = 60;

// Begins the name of every kept failure of a property: "a-slave-never-feeds-its-master".
std::string file_prefix(const Property& property) {
  std::string name;
  for (const char c : property.sentence) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (plain) name += c;
    if (!plain && !name.empty() && name.back() != '-') name += '-';
  }
  return name.substr(0, name_length_max);
}

class Silent final : public rc::detail::TestListener {
  void onTestCaseFinished(const rc::detail::CaseDescription&) override {}
  void onShrinkTried(const rc::detail::CaseDescription&, bool) override {}
  void onTestFinished(const rc::detail::TestMetadata&, const rc::detail::TestResult&) override {}
};

class Run {
 public:
  Run(const Property& property, const RunOptions& options, Kernel* kernel)
      : property_(property), options_(options),
        kernel_(property.needs == Property::Needs::kernel ? kernel : nullptr) {}

  Report report() {
    const auto begin = std::chrono::steady_clock::now();
    if (!try_kept()) try_new();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    report_.elapsed_s = elapsed.count();
    return std::move(report_);
  }

 private:
  // How often the check met what it is about; throws Broken, HarnessBroke.
  std::uint64_t check(const Scenario& scenario) const {
    Case one(scenario, options_.subjects, kernel_);
    property_.check(one);
    return one.times_relevant();
  }

  // True if one of them still fails.
  bool try_kept() {
    std::error_code ignored;
    if (!options_.failures || !fs::is_directory(*options_.failures, ignored)) return false;
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(*options_.failures, ignored)) {
      const std::string name = entry.path().filename().string();
      const bool own = name.starts_with(file_prefix(property_)) && name.ends_with(".scn");
      if (own) files.push_back(entry.path());
    }
    std::ranges::sort(files);
    return std::ranges::any_of(files, [this](const fs::path& file) { return still_fails(file); });
  }

  bool still_fails(const fs::path& file) {
    const auto scenario = parse(read_file(file));
    if (!scenario) {
      fmt::print(stderr, "properties: {}: not a scenario any more: {}\n", file.string(),
                 scenario.error().what);
      return false;
    }
    const bool wants_root = scenario->effective_privilege() == Privilege::root;
    if (kernel_ != nullptr && wants_root && !kernel_->has_root()) return false;
    try {
      check(*scenario);
      ++report_.tried_again;
      return false;
    } catch (const Broken& broken) {
      report_.kind = Report::Kind::fails;
      report_.what = broken.what();
    } catch (const HarnessBroke& failure) {
      report_.kind = Report::Kind::harness;
      report_.what = failure.what();
    }
    report_.scenario = *scenario;
    report_.kept = file;
    report_.was_kept = true;
    return true;
  }

  [[nodiscard]] ScenarioOptions scenario_options() const {
    ScenarioOptions wanted;
    wanted.weird_text = property_.needs == Property::Needs::text;
    if (kernel_ != nullptr) {
      wanted.traits = kernel_->traits();
      const bool locked_only = !kernel_->has_root() || options_.locked_worlds_only;
      if (locked_only) wanted.privileges = {Privilege::userns};
    }
    return wanted;
  }

  void one_case(const Scenario& scenario) {
    if (report_.kind == Report::Kind::harness) RC_DISCARD("the harness broke");
    std::uint64_t times_relevant = 0;
    if (!report_.scenario) ++report_.scenarios;
    try {
      times_relevant = check(scenario);
    } catch (const Broken& broken) {
      report_.what = broken.what();
      report_.scenario = scenario;  // RapidCheck stops shrinking at the last one that failed
      RC_FAIL(report_.what);
    } catch (const HarnessBroke& failure) {
      report_.kind = Report::Kind::harness;
      report_.what = failure.what();
      report_.scenario = scenario;
    }
    if (times_relevant == 0) RC_DISCARD("nothing happened that it is about");
    if (report_.scenario) return;  // shrinking: not to be counted
    ++report_.cases;
    report_.times_relevant += times_relevant;
  }

  void try_new() {
    rc::detail::TestParams parameters;
    parameters.seed = options_.seed;
    parameters.maxSuccess = options_.cases;
    parameters.maxDiscardRatio = discarded_per_case_max;
    parameters.disableShrinking = !options_.shrink;
    Silent silent;
    const auto tried = scenarios(scenario_options());
    const auto result = rc::detail::checkTestable(
        [&] { one_case(*tried); }, rc::detail::TestMetadata{}, parameters, silent,
        std::unordered_map<std::string, rc::detail::Reproduce>{});
    if (report_.kind == Report::Kind::harness || result.is<rc::detail::SuccessResult>()) return;
    if (result.is<rc::detail::FailureResult>() && report_.scenario) {
      report_.kind = Report::Kind::fails;
      return keep();
    }
    report_.kind = Report::Kind::vacuous;
    report_.what =
        fmt::format("what it is about came up in only {} cases of {} scenarios, {} were wanted",
                    report_.cases, report_.scenarios, options_.cases);
  }

  void keep() {
    if (!options_.failures) return;
    std::error_code failed;
    fs::create_directories(*options_.failures, failed);
    const fs::path file =
        *options_.failures / fmt::format("{}-{}.scn", file_prefix(property_), options_.seed);
    std::ofstream out(file);
    out << "# property: " << property_.sentence << "\n# " << report_.what << '\n'
        << print(*report_.scenario);
    if (out.flush()) report_.kept = file;
  }

  const Property& property_;
  const RunOptions& options_;
  Kernel* kernel_;
  Report report_;
};

}  // namespace

Report run(const Property& property, const RunOptions& options, Kernel* kernel) {
  return Run(property, options, kernel).report();
}

}  // namespace props
}  // namespace pivotcheck
