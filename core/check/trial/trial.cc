// SPDX-License-Identifier: Apache-2.0
// trial.cc: see trial.h. Trial::run is the story, what stands above it are its sentences.
#include "check/trial/trial.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/check.h"
#include "check/compare/compare.h"

namespace pivotcheck {
namespace {

std::string condition_text(const KernelCondition& condition) {
  static constexpr std::array<std::string_view, 5> relations{"<", "<=", "=", ">=", ">"};
  const auto& parts = condition.release.parts;
  std::string text = fmt::format("{}{}.{}", relations[static_cast<std::size_t>(condition.relation)],
                                 parts[0], parts[1]);
  if (condition.parts > 2) text += fmt::format(".{}", parts[2]);
  return text;
}

TrialResult without_a_world(TrialResult::Kind kind, std::string reason) {
  TrialResult result;
  result.kind = kind;
  result.reason = std::move(reason);
  return result;
}

TrialResult no_laboratory(const Failure& failure) {
  const bool cannot_run = failure.kind == Failure::Kind::cannot_run;
  TrialResult result = without_a_world(
      cannot_run ? TrialResult::Kind::skipped : TrialResult::Kind::failed, failure.what);
  result.cannot_run = cannot_run;
  return result;
}

void fail_with(TrialResult& result, const Failure& failure) {
  result.kind = TrialResult::Kind::failed;
  result.reason = failure.what;
}

// mountinfo shows all of a namespace to a task that stands at the root of its lowest mount. What
// the lowest mount is, is taken from the other observer: mountinfo itself can't tell what it does
// not see.
bool mountinfo_sees_all(const Snapshot& listmount) {
  std::vector<bool> seen(listmount.namespaces.size(), false);
  for (const TaskView& task : listmount.tasks) {
    const auto& mounts = listmount.namespaces[task.mount_namespace].mounts;
    const bool at_lowest = !mounts.empty() && !task.root.detached && !task.root.removed &&
                           task.root.mount == mounts.front().id && task.root.path == "/";
    if (at_lowest) seen[task.mount_namespace] = true;
  }
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const auto& mounts = listmount.namespaces[i].mounts;
    if (mounts.empty()) seen[i] = true;
    // A mount without a path is one that mountinfo leaves out (view/snapshot.h).
    const auto has_no_path = [](const MountView& mount) { return mount.mount_point.empty(); };
    if (std::ranges::any_of(mounts, has_no_path)) seen[i] = false;
  }
  return std::ranges::all_of(seen, [](bool yes) { return yes; });
}

// The last step was refused as may happen by chance: ELOOP where the model says so, or EAGAIN
// because a mark of MNT_EXPIRE was gone, which anybody on the machine clears who looks at
// /proc/PID/root of a task that stands there. Nothing but another try tells whether it did; a
// kernel that refuses each time is reported.
constexpr int chance_refusals_max = 50;
bool refused_by_chance(const ExecutionResult& performance, std::span<const Step> steps,
                       std::span<const Verdict> verdicts) {
  if (performance.outcomes.empty()) return false;
  const std::size_t last = performance.outcomes.size() - 1;
  const int error = performance.outcomes[last].error;
  const auto* umount = std::get_if<Umount>(&steps[last].op);
  const bool was_marked = umount != nullptr && umount->flags.has(UmountFlag::expire) &&
                          verdicts[last].outcome.ok();
  return (error == ELOOP && verdicts[last].eloop_possible) ||
         (error == EAGAIN && was_marked);
}

// What is stated behind `=>` holds for kernel and model, and for the rule.
bool holds_as_stated(const StatedOutcome& stated, const Verdict& verdict) {
  if (stated.outcome != verdict.outcome) return false;
  if (stated.rule.empty()) return true;
  return verdict.rule != Rule::none && info(verdict.rule).name == stated.rule;
}

void set_step(TrialResult& result, std::size_t step, Outcome kernel, const Verdict& model) {
  result.step = step;
  result.kernel = kernel;
  result.model = model.outcome;
  result.rule = model.rule;
}

// Kernel and model agree with each other; do they with what the scenario states?
void judge_stated(const Scenario& scenario, TrialResult& result) {
  for (std::size_t i = 0; i < result.verdicts.size(); ++i) {
    const auto& stated = scenario.steps[i].stated;
    const Verdict& verdict = result.verdicts[i];
    if (!stated || holds_as_stated(*stated, verdict)) continue;
    result.kind = TrialResult::Kind::unmet;
    set_step(result, i + 1, verdict.outcome, verdict);
    const bool unknown = !stated->rule.empty() && find_rule(stated->rule) == Rule::none;
    result.reason = fmt::format("step {}: {}{}{} is stated{}", i + 1, to_string(stated->outcome),
                                stated->rule.empty() ? "" : " ", stated->rule,
                                unknown ? ", but there is no rule of that name" : "");
    return;
  }
}

}  // namespace

std::string_view name(TrialResult::Kind kind) {
  switch (kind) {
    case TrialResult::Kind::agree: return "agree";
    case TrialResult::Kind::disagree: return "disagree";
    case TrialResult::Kind::unmet: return "unmet";
    case TrialResult::Kind::skipped: return "skipped";
    case TrialResult::Kind::failed: return "failed";
  }
  return "";
}

std::string_view reason(Verdict::Stop stop) {
  switch (stop) {
    case Verdict::Stop::no: return "";
    case Verdict::Stop::leaves_the_world: return "leaves-the-world";
    case Verdict::Stop::too_large: return "too-large";
  }
  return "";
}

Prediction predict(const Scenario& scenario, const KernelTraits& traits, std::size_t count) {
  Prediction prediction{.steps = {},
                        .verdicts = {},
                        .outcomes = {},
                        .stop = Verdict::Stop::no,
                        .world = model::World(scenario.effective_privilege(), traits)};
  for (std::size_t i = 0; i < count; ++i) {
    const Step& step = scenario.steps[i].step;
    const Verdict verdict = apply(prediction.world, step);
    if (verdict.stop != Verdict::Stop::no) {
      // The world is of no use behind a stop: make it anew without that step.
      Prediction before = predict(scenario, traits, i);
      before.stop = verdict.stop;
      return before;
    }
    prediction.steps.push_back(step);
    prediction.verdicts.push_back(verdict);
    prediction.outcomes.push_back(verdict.outcome);
  }
  return prediction;
}

// One scenario on its way through run().
struct Trial::Case {
  const Scenario& scenario;
  const TrialOptions& options;
  KernelDriver& driver;
};

Trial::Trial(TrialSettings settings, Observer observer)
    : running_(running_release()),
      observer_(std::move(observer)),
      cross_check_every_(std::max(settings.cross_check_every, 1)) {
  traits_ = settings.traits.value_or(KernelTraits::for_release(running_));
}

Expected<Trial> Trial::make(TrialSettings settings) {
  auto observer = Observer::make();
  if (!observer) return std::unexpected(observer.error());
  return Trial(std::move(settings), std::move(*observer));
}

Expected<void> Trial::start(Privilege privilege) {
  const auto index = static_cast<std::size_t>(privilege);
  if (drivers_[index]) return {};
  if (!refusals_[index]) {
    if (privilege == Privilege::root && ::geteuid() != 0) {
      refusals_[index] = {Failure::Kind::cannot_run, "privilege: root needs root"};
    } else if (auto started = KernelDriver::start(privilege); started) {
      drivers_[index].emplace(std::move(*started));
      spdlog::debug("a laboratory runs, its root mount is {}",
                    index == 0 ? "locked" : "not locked");
      return {};
    } else {
      refusals_[index] = started.error();
    }
  }
  return std::unexpected(*refusals_[index]);
}

std::string Trial::condition_not_met(const Scenario& scenario) const {
  for (const KernelCondition& condition : scenario.kernel) {
    if (holds(condition, running_)) continue;
    return fmt::format("kernel {} wanted, running {}", condition_text(condition),
                       to_string(running_));
  }
  return {};
}

// Reads the state by listmount where the kernel has it, and by mountinfo too when it is its turn.
Expected<Observation> Trial::observe(std::span<const LiveTask> tasks, TrialResult& result) {
  const bool both = observations_++ % static_cast<unsigned>(cross_check_every_) == 0;
  if (!observer_.has(Source::listmount)) {
    auto seen = observer_.observe(tasks, Source::mountinfo);
    if (!seen) return seen;
    result.state_unseen = !seen->complete;
    seen->snapshot = canonical(std::move(seen->snapshot));
    return seen;
  }
  auto seen = observer_.observe(tasks, Source::listmount);
  if (!seen) return seen;
  result.state_unseen = !seen->complete;
  seen->snapshot = canonical(std::move(seen->snapshot));
  if (!both || result.state_unseen) return seen;
  result.mountinfo_incomplete = !mountinfo_sees_all(seen->snapshot);
  if (result.mountinfo_incomplete) return seen;
  auto other = observer_.observe(tasks, Source::mountinfo);
  if (!other) return other;
  const Snapshot by_mountinfo = canonical(std::move(other->snapshot));
  if (by_mountinfo == seen->snapshot) {
    result.cross_checked = true;
    return seen;
  }
  result.differences = differences(seen->snapshot, by_mountinfo);
  result.kernel_view = seen->snapshot;
  return fail(
      "the observers disagree about the same world (below, \"kernel\" is listmount, \"model\" "
      "is mountinfo)");
}

// Performs what was predicted in a fresh world, compares each outcome, and the state at the end.
TrialResult Trial::compare(KernelDriver& driver, Prediction predicted,
                           const TrialOptions& options) {
  TrialResult result;
  result.verdicts = std::move(predicted.verdicts);
  const std::string broken = broken_invariant(predicted.world);
  if (!broken.empty()) {
    fail_with(result, {Failure::Kind::broke, "the model's own world is broken: " + broken});
    return result;
  }
  auto performance = driver.perform(predicted.steps, predicted.outcomes, options.limit);
  while (performance && refused_by_chance(*performance, predicted.steps, result.verdicts) &&
         result.chance_refusals < chance_refusals_max) {
    ++result.chance_refusals;
    performance = driver.perform(predicted.steps, predicted.outcomes, options.limit);
  }
  if (!performance) {
    fail_with(result, performance.error());
    return result;
  }
  const std::vector<Outcome>& outcomes = performance->outcomes;
  result.steps = outcomes.size();
  const auto [kernel, model] = std::ranges::mismatch(outcomes, predicted.outcomes);
  if (kernel != outcomes.end()) {
    const auto at = static_cast<std::size_t>(kernel - outcomes.begin());
    result.kind = TrialResult::Kind::disagree;
    set_step(result, at + 1, *kernel, result.verdicts[at]);
    result.verdicts.resize(at + 1);
    return result;
  }
  if (outcomes.size() != predicted.steps.size()) {
    fail_with(result, {Failure::Kind::broke, "the laboratory stopped without a reason"});
    return result;
  }
  auto seen = observe(performance->tasks, result);
  if (!seen) {
    fail_with(result, seen.error());
    return result;
  }
  result.kernel_view = std::move(seen->snapshot);
  result.model_view = canonical(snapshot(predicted.world));
  // Older kernels don't say whether mountinfo hides something. Where the model says that no task
  // stands at the root of the lowest mount, it does.
  if (!observer_.has(Source::listmount) && !mountinfo_sees_all(result.model_view)) {
    result.state_unseen = true;
  }
  // What the view may lack is nothing if it has all that the model has.
  if (result.kernel_view == result.model_view) {
    result.state_unseen = false;
    return result;
  }
  if (result.state_unseen) return result;
  result.differences = differences(result.kernel_view, result.model_view);
  if (outcomes.empty()) {
    fail_with(result, {Failure::Kind::broke, "the fresh world is not as the format describes it"});
    return result;
  }
  result.kind = TrialResult::Kind::disagree;
  set_step(result, outcomes.size(), outcomes.back(), result.verdicts.back());
  return result;
}

// The shortest prefix of at most `count` steps that does not agree; the agreement if all do.
TrialResult Trial::first_difference(const Case& one, std::size_t count) {
  for (std::size_t length = 0; length < count; ++length) {
    TrialResult result =
        compare(one.driver, predict(one.scenario, traits_, length), one.options);
    if (result.kind != TrialResult::Kind::agree) return result;
  }
  return compare(one.driver, predict(one.scenario, traits_, count), one.options);
}

// Something differed. Where did it begin? States may have differed long before an outcome did.
TrialResult Trial::trace_back(const Case& one, TrialResult late) {
  const bool by_outcome = late.differences.empty();
  TrialResult early = first_difference(one, by_outcome ? late.step - 1 : late.step);
  switch (early.kind) {
    case TrialResult::Kind::disagree:
      if (by_outcome) {
        early.reason = fmt::format("later, at step {}, the kernel answers {} and the model {}",
                                   late.step, to_string(*late.kernel), to_string(*late.model));
      }
      early.steps = late.steps;
      return early;
    case TrialResult::Kind::agree:
      if (by_outcome) {  // for the drawing: what both have before that step
        late.kernel_view = std::move(early.kernel_view);
        late.model_view = std::move(early.model_view);
      } else {
        late.reason = "the states differed once, and not when the same was done again";
      }
      return late;
    default:
      late.reason = "looking for the first step that differs failed: " + early.reason;
      return late;
  }
}

TrialResult Trial::run_predicted(Privilege privilege, Prediction predicted,
                                 const TrialOptions& options) {
  if (const auto started = start(privilege); !started) return no_laboratory(started.error());
  return compare(*drivers_[static_cast<std::size_t>(privilege)], std::move(predicted),
                 options);
}

TrialResult Trial::run(const Scenario& scenario, const TrialOptions& options) {
  if (std::string unmet = condition_not_met(scenario); !unmet.empty()) {
    return without_a_world(TrialResult::Kind::skipped, std::move(unmet));
  }
  const Privilege privilege = scenario.effective_privilege();
  if (const auto started = start(privilege); !started) return no_laboratory(started.error());
  const Case one{scenario, options, *drivers_[static_cast<std::size_t>(privilege)]};

  Prediction whole = predict(scenario, traits_, scenario.steps.size());
  const Verdict::Stop stop = whole.stop;
  TrialResult result = options.every_step ? first_difference(one, whole.steps.size())
                                          : compare(one.driver, std::move(whole), options);
  if (result.kind == TrialResult::Kind::disagree && !options.every_step) {
    result = trace_back(one, std::move(result));
  }
  if (result.kind != TrialResult::Kind::agree) return result;

  judge_stated(scenario, result);
  if (result.kind == TrialResult::Kind::agree && stop != Verdict::Stop::no) {
    result.kind = TrialResult::Kind::skipped;
    result.reason = reason(stop);
  }
  return result;
}

}  // namespace pivotcheck
