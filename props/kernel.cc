// SPDX-License-Identifier: Apache-2.0
// kernel.cc: the running kernel, for the properties that need it (property.h).
#include <algorithm>
#include <utility>

#include "property.h"

namespace pivotcheck::props {
namespace {

constexpr std::chrono::seconds limit{10};  // for each world, as TrialOptions has it

template <class T>
T or_broke(Expected<T> result) {
  if (!result) throw HarnessBroke(result.error().what);
  return std::move(*result);
}

}  // namespace

Expected<Kernel> Kernel::make() {
  auto trial = Trial::make();
  if (!trial) return std::unexpected(trial.error());
  if (auto started = trial->start(Privilege::userns); !started) {
    return std::unexpected(started.error());
  }
  Kernel kernel(std::move(*trial));
  kernel.has_root_ = kernel.trial_.start(Privilege::root).has_value();
  return kernel;
}

TrialResult Kernel::ask(const Scenario& scenario, const TrialOptions& options) {
  TrialResult result = trial_.run(scenario, options);
  if (result.kind == TrialResult::Kind::failed || result.cannot_run) {
    throw HarnessBroke(result.reason);
  }
  return result;
}

std::optional<Kernel::BothSources> Kernel::look(const Scenario& scenario) {
  auto& driver = drivers_[static_cast<std::size_t>(scenario.effective_privilege())];
  if (!driver) driver = or_broke(KernelDriver::start(scenario.effective_privilege()));
  const Prediction predicted = predict(scenario, traits());
  // It stops at an outcome that is not as predicted: a later step could leave the world.
  const auto performed =
      or_broke(driver->perform(predicted.program, predicted.outcomes(), limit));
  Observation by_id = or_broke(trial_.observer().observe(performed.tasks, Source::listmount));
  Observation by_text = or_broke(trial_.observer().observe(performed.tasks, Source::mountinfo));
  if (!by_text.complete) return std::nullopt;
  return BothSources{canonical(std::move(by_id.snapshot)), canonical(std::move(by_text.snapshot))};
}

}  // namespace pivotcheck::props
