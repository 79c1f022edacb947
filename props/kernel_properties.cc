// SPDX-License-Identifier: Apache-2.0
// kernel_properties.cc: the running kernel, and what is true of it and of the two observers.
#include <algorithm>
#include <utility>

#include "check/compare/compare.h"
#include "transitions.h"
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

namespace {

Scenario first_steps(const Scenario& scenario, std::size_t count) {
  Scenario part = scenario;
  part.steps.resize(count);
  return part;
}

void add(Scenario& scenario, const TaskName& task, Op op) {
  scenario.steps.push_back({.step = {.task = task, .op = std::move(op)}, .stated = {}});
}

std::string disagreement(const TrialResult& result) {
  std::string what = "step " + std::to_string(result.step) + ": ";
  if (!result.differences.empty()) return what + result.differences.front();
  return what + "the kernel answers " + to_string(*result.kernel) + ", the model " +
         to_string(*result.model);
}

}  // namespace

std::optional<TrialResult> agreed(Case& one, const Scenario& scenario,
                                  const TrialOptions& options) {
  TrialResult result = one.kernel().ask(scenario, options);
  if (result.kind == TrialResult::Kind::skipped) return std::nullopt;
  one.require(result.kind != TrialResult::Kind::disagree,
              result.kind == TrialResult::Kind::disagree ? disagreement(result) : "");
  return result;
}

namespace {

void kernel_and_model_agree(Case& one) {
  const auto result = agreed(one, one.scenario, {.every_step = true, .limit = limit});
  if (result && result->steps > 0) one.note_relevant();
}

// The steps up to the last pivot that succeeded, and that pivot as the model has it.
struct LastPivot {
  Scenario scenario;
  TaskName task;
  Pivot there;
  model::World before;
  model::World after;
};
std::optional<LastPivot> last_pivot(const Case& one) {
  std::optional<LastPivot> last;
  for_each_pivot(one, [&](const Transition& transition, const Pivot& there) {
    last.emplace(LastPivot{.scenario = first_steps(one.scenario, transition.number + 1),
                           .task = transition.step.task,
                           .there = there,
                           .before = transition.before,
                           .after = transition.after});
  });
  return last;
}

// Mounts are as before, and so is every task whose root or current directory was not the new root.
void require_restored(Case& one, const LastPivot& last, Snapshot before, Snapshot after) {
  const auto stood_there = [&](const TaskView& view) {
    const auto& task = last.before[last.before.find_task(view.name)];
    return task.root == last.there.new_root || task.current_directory == last.there.new_root;
  };
  // Numbers count the locations of these tasks, so canonical() comes after they are removed.
  std::erase_if(before.tasks, stood_there);
  std::erase_if(after.tasks, stood_there);
  const auto found = differences(canonical(std::move(after)), canonical(std::move(before)));
  one.require(found.empty(), found.empty() ? "" : "after the pivot back: " + found.front());
}

void kernel_pivots_back(Case& one) {
  const auto last = last_pivot(one);
  if (!last) return;
  const auto& actor = last->after[last->after.find_task(last->task.text)];
  const auto old_root = way_to(last->after, actor, last->there.old_root);
  const auto place = way_to(last->after, actor, last->there.new_roots_place);
  if (!old_root || !place) return;
  Scenario back = last->scenario;
  add(back, last->task, PivotRoot{*old_root, *place});
  const auto before = agreed(one, first_steps(back, back.steps.size() - 2));
  const auto after = agreed(one, back);
  if (!before || !after || before->state_unseen || after->state_unseen) return;
  one.note_relevant();
  one.require(after->verdicts.back().outcome.ok(), "the pivot back was refused");
  require_restored(one, *last, before->kernel_view, after->kernel_view);
}

void kernel_detaches(Case& one) {
  const auto last = last_pivot(one);
  if (!last) return;
  const auto& actor = last->after[last->after.find_task(last->task.text)];
  const auto old_root = way_to(last->after, actor, last->there.old_root);
  if (!old_root) return;
  Scenario after = last->scenario;
  add(after, last->task, Umount{*old_root, {UmountFlag::detach}});
  for (const char* way : {"/", "/..", "..", "../../.."}) {
    add(after, last->task, Open{{"way"}, way});
    if (const auto result = agreed(one, after, {.every_step = false, .limit = limit}))
      one.note_relevant();
  }
}

void kernel_refusal_changes_nothing(Case& one) {
  std::size_t refused = 0;
  for_each_transition(one, [&](const Transition& transition) {
    if (!transition.ok()) refused = transition.number + 1;
  });
  if (refused == 0) return;
  const auto without = agreed(one, first_steps(one.scenario, refused - 1));
  const auto with = agreed(one, first_steps(one.scenario, refused));
  if (!without || !with || without->state_unseen || with->state_unseen) return;
  one.note_relevant();
  const auto found = differences(with->kernel_view, without->kernel_view);
  one.require(found.empty(), found.empty() ? "" : "the refused step: " + found.front());
}

void observers_agree(Case& one) {
  auto seen = one.kernel().look(one.scenario);
  if (!seen) return;
  one.note_relevant();
  one.subjects.seen_by_mountinfo(seen->mountinfo);
  const auto found = differences(seen->listmount, seen->mountinfo);
  one.require(found.empty(), found.empty() ? "" : "listmount and mountinfo: " + found.front());
}

constexpr auto kernel = Property::Needs::kernel;
constexpr Property all[] = {
    {"kernel and model agree on every step, and on the state", kernel, kernel_and_model_agree},
    {"what the kernel refuses changes nothing that can be seen", kernel,
     kernel_refusal_changes_nothing},
    {"in the kernel, too, a pivot and the pivot back restore every mount", kernel,
     kernel_pivots_back},
    {"kernel and model agree where the paths lead after pivot and detach", kernel,
     kernel_detaches},
    {"the observers agree where both can see", kernel, observers_agree},
};

}  // namespace

std::span<const Property> kernel_properties() { return all; }

}  // namespace pivotcheck::props
