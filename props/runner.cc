// SPDX-License-Identifier: Apache-2.0
// runner.cc: see runner.h. RapidCheck makes and shrinks the scenarios and counts the cases; what is
// said about a failure is ours, because it is a scenario and not a C++ value.
#include "runner.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/file.h"
#include "scenario_gen.h"

namespace pivotcheck::props {
namespace {

namespace fs = std::filesystem;

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
    report_.what = fmt::format("what it is about came up in only {} cases, {} were wanted",
                               report_.cases, options_.cases);
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

}  // namespace pivotcheck::props
