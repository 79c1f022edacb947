// SPDX-License-Identifier: Apache-2.0
// trial.cc: start reading at Trial::run, at the end; its helpers come first.
#include "check/trial/trial.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/log.h"
#include "check/compare/compare.h"
#include "check/trial/chance.h"
#include "check/trial/model_state.h"
#include "check/trial/probed_traits.h"

namespace pivotcheck {
namespace {

TrialResult without_a_world(TrialResult::Kind kind, std::string reason) {
  TrialResult result;
  result.kind = kind;
  result.reason = std::move(reason);
  return result;
}

TrialResult no_driver(const Failure& failure) {
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

// The namespaces of which `part` has not all mounts.
std::vector<std::size_t> namespaces_unseen(const Snapshot& part, const Snapshot& whole) {
  std::vector<std::size_t> unseen;
  for (std::size_t i = 0; i < whole.namespaces.size(); ++i) {
    if (part.namespaces[i].mounts.size() != whole.namespaces[i].mounts.size()) unseen.push_back(i);
  }
  return unseen;
}

// The same program, but at its end one task of each of these namespaces moves to a copy of it, and
// the others end. Nothing where none may move.
std::optional<Prediction> ended_in_copies(const Prediction& predicted,
                                          std::span<const std::size_t> namespaces) {
  Prediction ended = predicted;
  const auto succeeds = [&ended](const TaskView& task, Op op) {
    Program program = ended.program;
    const auto number = std::ranges::find(program.tasks, task.name) - program.tasks.begin();
    program.steps.push_back({.task = static_cast<int>(number), .op = std::move(op)});
    Prediction next = predict(std::move(program), ended.world.traits);
    if (next.stop != Verdict::Stop::no || !next.verdicts.back().outcome.ok()) return false;
    ended = std::move(next);
    return true;
  };
  const std::vector<TaskView> tasks = snapshot(predicted.world).tasks;
  for (const std::size_t unseen : namespaces) {
    const auto moves = std::ranges::find_if(tasks, [&](const TaskView& task) {
      return task.mount_namespace == unseen && succeeds(task, Unshare{{NamespaceKind::mnt}});
    });
    if (moves == tasks.end()) return std::nullopt;
    for (const TaskView& task : tasks) {
      if (task.mount_namespace == unseen && task.name != moves->name) succeeds(task, Exit{});
    }
  }
  return ended;
}

bool has_slave(const Snapshot& snapshot) {
  return std::ranges::any_of(snapshot.namespaces, [](const NamespaceView& view) {
    return std::ranges::any_of(view.mounts,
                               [](const MountView& mount) { return mount.master_group != 0; });
  });
}

constexpr std::chrono::milliseconds per_step{1};  // added to the limit

// A step that succeeds may be refused by chance: with ELOOP where the model says so, or with EAGAIN
// because a mark of MNT_EXPIRE was gone, which anybody on the machine clears who looks at
// /proc/PID/root of a task that stands there. More tries show whether it was chance (chance.h).
bool refused_by_chance(const Prediction& predicted, std::size_t step, int error) {
  const Verdict& verdict = predicted.verdicts[step];
  const bool was_marked = is_expire(predicted.program.steps[step].op) && verdict.outcome.ok();
  return (error == ELOOP && verdict.eloop_possible) || (error == EAGAIN && was_marked);
}

bool chance_possible(const Prediction& predicted) {
  for (std::size_t i = 0; i < predicted.verdicts.size(); ++i) {
    for (const int error : {ELOOP, EAGAIN}) {
      if (refused_by_chance(predicted, i, error)) return true;
    }
  }
  return false;
}

bool refused_by_chance(const ExecutionResult& performed, const Prediction& predicted) {
  if (performed.outcomes.empty()) return false;
  return refused_by_chance(predicted, performed.outcomes.size() - 1,
                           performed.outcomes.back().error);
}

// An answer that is no promise about mounts: what this machine, or a limit of this process, lacks.
std::string_view what_is_lacking(Outcome outcome) {
  switch (outcome.error) {
    case EMFILE: return "too few descriptors for so many handles (raise ulimit -Hn)";
    case ENFILE: return "the machine has no descriptors left (fs.file-max)";
    case ENOMEM: return "the machine has no memory left";
    default: return "";
  }
}

// What is stated after `=>` holds for kernel and model, and for the rule.
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

// "" where all names in `trait:` are traits.
std::string unknown_trait(const Scenario& scenario) {
  for (const TraitCondition& condition : scenario.traits) {
    if (find_trait(condition.name) != nullptr) continue;
    return fmt::format("there is no trait {} (pivotcheck doctor lists them)", condition.name);
  }
  return {};
}

// The result for a scenario that was performed as far as the prediction goes. Where kernel and
// model agree with each other: do they with what the scenario states?
TrialResult with_statements(const Scenario& scenario, const Prediction& predicted,
                            TrialResult result) {
  if (result.kind != TrialResult::Kind::agree) return result;
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
    return result;
  }
  if (predicted.stop != Verdict::Stop::no) {
    result.kind = TrialResult::Kind::skipped;
    result.reason = reason(predicted.stop);
  }
  return result;
}

}  // namespace

std::string_view name(TrialResult::Kind kind) {
  constexpr std::array<std::string_view, 6> names{"agree",   "disagree", "unmet",
                                                  "skipped", "failed",   "broken-law"};
  return names[static_cast<std::size_t>(kind)];
}

Trial::Trial(TrialSettings settings, Observer observer)
    : asks_kernel_(settings.asks_kernel),
      running_(running_release()),
      observer_(std::move(observer)),
      cross_check_every_(std::max(settings.cross_check_every, 1)) {
  traits_ = settings.traits ? *settings.traits : probed_traits().traits;
  law_quirks_ = settings.law_quirks.value_or(quirks_of(traits_));
}

Expected<Trial> Trial::make(TrialSettings settings) {
  auto observer = Observer::make(settings.list);
  if (!observer) return std::unexpected(observer.error());
  return Trial(std::move(settings), std::move(*observer));
}

Expected<void> Trial::start(Privilege privilege) {
  const auto index = static_cast<std::size_t>(privilege);
  if (drivers_[index] || !asks_kernel_) return {};
  if (!refusals_[index]) {
    if (privilege == Privilege::root && ::geteuid() != 0) {
      refusals_[index] = {Failure::Kind::cannot_run, "privilege: root needs root"};
    } else if (auto started = KernelDriver::start(privilege); started) {
      drivers_[index].emplace(std::move(*started));
      if (const std::string strange = what_is_strange(privilege); !strange.empty()) {
        drivers_[index].reset();
        refusals_[index] = {Failure::Kind::cannot_run,
                            "a fresh world is not as it should be: " + strange +
                                "; is anything mounted over the root of this machine?"};
        return std::unexpected(*refusals_[index]);
      }
      log_debug(index == 0 ? "a world can be made; its root mount is locked"
                           : "a world can be made; its root mount is not locked");
      return {};
    } else {
      refusals_[index] = started.error();
    }
  }
  return std::unexpected(*refusals_[index]);
}

// What the kernel shows in a world before any step, and the model has not. "": nothing.
std::string Trial::what_is_strange(Privilege privilege) {
  Scenario nothing;
  nothing.privilege = privilege;
  const unsigned observations = observations_;
  const TrialResult fresh = compare(predict(nothing, traits_), {});
  observations_ = observations;
  return fresh.differences.empty() ? "" : fresh.differences.front();
}

std::string Trial::condition_not_met(const Scenario& scenario) const {
  for (const KernelCondition& condition : scenario.kernel) {
    if (holds(condition, running_)) continue;
    return fmt::format("kernel {} wanted, running {}", to_string(std::vector{condition}),
                       to_string(running_));
  }
  for (const TraitCondition& condition : scenario.traits) {
    const TraitInfo* trait = find_trait(condition.name);
    if (trait == nullptr || traits_.*trait->value == condition.on) continue;
    return fmt::format("trait {} wanted, this kernel has it {}", to_string(std::vector{condition}),
                       condition.on ? "off" : "on");
  }
  return {};
}

// Reads the state by listmount where the kernel has it, and by mountinfo too when it is its turn, or
// where there is a slave: where that receives from is the one thing that listmount does not tell.
Expected<Observation> Trial::observe(std::span<const LiveTask> tasks, TrialResult& result) {
  const bool both = observations_++ % static_cast<unsigned>(cross_check_every_) == 0;
  const bool has_listmount = observer_.has(Source::listmount);
  auto seen = observer_.observe(tasks, has_listmount ? Source::listmount : Source::mountinfo);
  if (!seen) return seen;
  result.listmount_lost = seen->listmount_lost;
  result.has_slave = has_slave(seen->snapshot);
  if ((both || result.has_slave) && seen->source == Source::listmount) {
    if (const auto checked = cross_check(tasks, *seen, result); !checked) {
      return std::unexpected(checked.error());
    }
  }
  if (result.has_slave && seen->complete) {
    result.propagate_from_read =
        seen->source == Source::mountinfo || (result.cross_checked && !result.mountinfo_incomplete);
  }
  if (read_) read_ = *seen;
  seen->snapshot = canonical(std::move(seen->snapshot));
  return seen;
}

Expected<void> Trial::cross_check(std::span<const LiveTask> tasks, const Observation& seen,
                                  TrialResult& result) {
  auto other = observer_.observe(tasks, Source::mountinfo);
  if (!other) return std::unexpected(other.error());
  const std::vector<std::string> differ = what_differs(seen, *other);
  if (differ.empty()) {
    result.mountinfo_incomplete = !other->complete;
    result.cross_checked = true;
    return {};
  }
  result.kernel_view = canonical(seen.snapshot);
  result.differences = differences(result.kernel_view, canonical(std::move(other->snapshot)));
  if (result.differences.empty() || !other->complete) result.differences = differ;
  return fail(
      "the observers disagree about the same world (below, \"kernel\" is listmount, \"model\" "
      "is mountinfo)");
}

// Holds the state of the tasks, which stand still after `result.steps` steps, against the model's.
void Trial::compare_state(std::span<const LiveTask> tasks, const model::World& world,
                          const Prediction& predicted, TrialResult& result) {
  auto seen = observe(tasks, result);
  if (!seen) return fail_with(result, seen.error());
  result.kernel_view = std::move(seen->snapshot);
  Snapshot model_view = snapshot(world, seen->seen_from);
  if (seen->source == Source::mountinfo) {
    result.namespaces_unseen = namespaces_unseen(model_view, snapshot(world));
    result.state_unseen = !result.namespaces_unseen.empty();
  }
  result.model_view = canonical(std::move(model_view));
  if (result.kernel_view == result.model_view) return;
  result.differences = differences(result.kernel_view, result.model_view);
  if (result.steps == 0) {
    return fail_with(result,
                     {Failure::Kind::broke, "the fresh world is not as the format describes it"});
  }
  const Verdict& verdict = predicted.verdicts[result.steps - 1];
  result.kind = TrialResult::Kind::disagree;
  set_step(result, result.steps, verdict.outcome, verdict);
}

// Holds what was performed against the prediction: each outcome, and the state at the end.
void Trial::compare_all(const Expected<ExecutionResult>& performed, const Prediction& predicted,
                        TrialResult& result) {
  if (!performed) return fail_with(result, performed.error());
  const std::vector<Outcome>& outcomes = performed->outcomes;
  result.steps = outcomes.size();
  result.verdicts.assign(predicted.verdicts.begin(),
                         predicted.verdicts.begin() + static_cast<std::ptrdiff_t>(result.steps));
  if (result.steps > 0 && outcomes.back() != result.verdicts.back().outcome) {
    if (const std::string_view lack = what_is_lacking(outcomes.back()); !lack.empty()) {
      return fail_with(result, {Failure::Kind::broke,
                                fmt::format("step {}: {}: {}", result.steps,
                                            to_string(outcomes.back()), lack)});
    }
    result.kind = TrialResult::Kind::disagree;
    return set_step(result, result.steps, outcomes.back(), result.verdicts.back());
  }
  if (result.steps != predicted.program.steps.size()) {
    return fail_with(result, {Failure::Kind::broke, "the executor stopped without a reason"});
  }
  compare_state(performed->tasks, predicted.world, predicted, result);
}

// Where mounts of a namespace are hidden, a copy of it shows them: a copy's mounts are all younger than
// the copy, so listmount finds the lowest one (FINDINGS.md).
void Trial::see_in_copies(const Prediction& predicted, const TrialOptions& options,
                          TrialResult& result) {
  if (result.kind != TrialResult::Kind::agree || !has_unseen(result)) return;
  if (!observer_.has(Source::listmount)) return;
  const auto ended = ended_in_copies(predicted, result.namespaces_unseen);
  if (!ended) return;
  TrialResult copied;
  compare_all(perform(*ended, copied, options), *ended, copied);
  if (copied.kind == TrialResult::Kind::agree) {
    result.seen_in_copies = !copied.state_unseen;
    return;
  }
  copied.reason = "seen in a copy of the namespace (unshare mnt, at the end) " + copied.reason;
  copied.steps = result.steps;
  copied.step = std::min(copied.step, copied.steps);
  copied.verdicts = std::move(result.verdicts);
  result = std::move(copied);
}

// Once, and again where the last step was refused as may happen by chance.
Expected<ExecutionResult> Trial::perform(const Prediction& predicted, TrialResult& result,
                                         const TrialOptions& options,
                                         const KernelDriver::AtPause& at_pause) {
  const std::string broken = broken_invariant(predicted.world);
  if (!broken.empty()) return fail("the model's own world is broken: " + broken);
  const std::vector<Outcome> outcomes = predicted.outcomes();
  KernelDriver& driver = *drivers_[static_cast<std::size_t>(predicted.program.privilege)];
  // A step may wait for RCU, so a long scenario gets more.
  const auto limit = options.limit + predicted.program.steps.size() * per_step;
  result.chance_possible = chance_possible(predicted);
  ChanceTries tries;
  for (;;) {
    Expected<ExecutionResult> performed =
        driver.perform(predicted.program, outcomes, limit, at_pause);
    if (!performed || !tries.again(refused_by_chance(*performed, predicted))) {
      result.chance_refusals = tries.is_by_chance() ? tries.refused() : 0;
      if (!tries.is_by_chance()) {
        result.reason = fmt::format("refused in {} of {} tries, which is no chance",
                                    tries.refused(), ChanceTries::tries_max);
      }
      return performed;
    }
  }
}

// The model in the kernel's stead, now and then: it shows that comparing two sides that are wrong
// alike finds nothing.
void Trial::compare_with_stand_in(const Prediction& predicted, TrialResult& result) {
  result.steps = predicted.verdicts.size();
  result.verdicts = predicted.verdicts;
  if (observations_++ % static_cast<unsigned>(cross_check_every_) != 0) return;
  const Prediction stand_in = predict(predicted.program, traits_);
  result.cross_checked = true;
  result.differences = differences(canonical(snapshot(stand_in.world)),
                                   canonical(snapshot(predicted.world)));
  if (stand_in.outcomes() == predicted.outcomes() && result.differences.empty()) return;
  result.kind = TrialResult::Kind::disagree;
  result.step = result.steps;
  result.reason = "the model does not answer twice alike";
}

TrialResult Trial::compare(const Prediction& predicted, const TrialOptions& options) {
  TrialResult result;
  if (!asks_kernel_) {
    compare_with_stand_in(predicted, result);
    return result;
  }
  compare_all(perform(predicted, result, options), predicted, result);
  see_in_copies(predicted, options, result);
  return result;
}

namespace {

void set_broken_law(TrialResult& result, const laws::Breach& breach, std::string_view side,
                    const Prediction& predicted) {
  const Verdict& verdict = predicted.verdicts[breach.step - 1];
  result.kind = TrialResult::Kind::broken_law;
  set_step(result, breach.step, verdict.outcome, verdict);
  result.law = breach.law;
  result.reason = fmt::format("law {} is broken by the {} at step {}: {}", breach.law->name, side,
                              breach.step, breach.what);
}

}  // namespace

// Where kernel and model agree: do they keep the laws?
TrialResult Trial::with_laws(const Prediction& predicted, TrialResult result) {
  const auto breach = broken_by_model(predicted.program, traits_, law_quirks_, laws_asked_);
  if (breach && result.kind == TrialResult::Kind::agree) {
    set_broken_law(result, *breach, "model", predicted);
  }
  return result;
}

// After a step, of the kernel's state, if it was read.
void Trial::ask_laws(std::optional<laws::Watch>& watch, const Prediction& predicted,
                     const TrialResult& result) {
  if (result.steps == 0) watch.emplace(law_quirks_, laws_asked_);
  const bool is_read = read_ && read_->complete && read_->source == Source::listmount;
  if (result.steps == 0) {
    if (is_read) watch->begin(laws::state_of(read_->snapshot));
    return;
  }
  const Step step = step_of(predicted.program, result.steps - 1);
  const Outcome outcome = predicted.verdicts[result.steps - 1].outcome;
  if (is_read) {
    watch->after(step, outcome, laws::state_of(read_->snapshot));
  } else {
    watch->skip(step, outcome);
  }
}

// One world, in which the state is read after each step, except while a mark of MNT_EXPIRE stands:
// the prefixes that end there are performed in worlds of their own.
TrialResult Trial::compare_every_step(const Prediction& predicted, const TrialOptions& options) {
  const Program& program = predicted.program;
  std::vector<std::size_t> unread;  // the lengths of those prefixes
  TrialResult last;                 // of the last state that was read
  model::World world = predicted.world;
  std::optional<laws::Watch> watch;
  const auto at_pause = [&](const ExecutionResult& so_far) {
    const std::size_t done = so_far.outcomes.size();
    if (done == 0) {  // the first time, and when all is performed again
      world = model::World(program.privilege, traits_);
      unread.clear();
    } else {
      apply(world, program.steps[done - 1]);
    }
    if (has_expiry_mark(world)) {
      unread.push_back(done);
      watch->skip(step_of(program, done - 1), predicted.verdicts[done - 1].outcome);
      return true;
    }
    last = TrialResult();
    last.steps = done;
    read_.emplace();
    compare_state(so_far.tasks, world, predicted, last);
    ask_laws(watch, predicted, last);
    read_.reset();
    return last.kind == TrialResult::Kind::agree;
  };
  TrialResult result;
  const Expected<ExecutionResult> performed = perform(predicted, result, options, at_pause);
  if (last.kind == TrialResult::Kind::agree) {
    read_.emplace();
    compare_all(performed, predicted, result);  // after the last step nothing pauses
    const bool is_whole = result.kind == TrialResult::Kind::agree && result.steps > 0;
    if (watch && is_whole) ask_laws(watch, predicted, result);
    read_.reset();
  } else {
    last.verdicts.assign(predicted.verdicts.begin(),
                         predicted.verdicts.begin() + static_cast<std::ptrdiff_t>(last.steps));
    last.chance_refusals = result.chance_refusals;
    result = std::move(last);
  }
  result = compare_unread(predicted, unread, std::move(last), std::move(result), options);
  see_in_copies(predicted, options, result);
  if (result.kind == TrialResult::Kind::agree && watch && !watch->breaches().empty()) {
    set_broken_law(result, watch->breaches().front(), "kernel", predicted);
  }
  return result;
}

// The rest of compare_every_step(): the prefixes that were not read, before the step at which
// `result` differs. `last` is the last state that was read and agreed.
TrialResult Trial::compare_unread(const Prediction& predicted,
                                  const std::vector<std::size_t>& unread, TrialResult last,
                                  TrialResult result, const TrialOptions& options) {
  const bool agrees = result.kind == TrialResult::Kind::agree;
  for (const std::size_t length : unread) {
    if (!agrees && length >= result.step) break;
    TrialResult prefix = compare(predict(predicted.program, traits_, length), options);
    if (prefix.kind != TrialResult::Kind::agree) return prefix;
    if (length > last.steps) last = std::move(prefix);
  }
  // Once more without looking, in case a mark stood that the model does not know of.
  if (agrees && !unread.empty()) return compare(predicted, options);
  if (result.kind == TrialResult::Kind::disagree && result.differences.empty()) {
    result.kernel_view = std::move(last.kernel_view);
    result.model_view = std::move(last.model_view);
  }
  return result;
}

TrialResult Trial::trace_back(const Scenario& scenario, const TrialResult& late) {
  const Prediction predicted = predict(scenario, traits_, late.step);
  if (const auto started = start(predicted.program.privilege); !started) {
    return no_driver(started.error());
  }
  TrialResult early = compare_every_step(predicted, {});
  if (early.kind == TrialResult::Kind::failed) {
    early.reason = "looking for the first step that differs failed: " + early.reason;
  }
  if (early.kind != TrialResult::Kind::disagree) return early;
  if (late.differences.empty() && early.step < late.step) {
    early.reason = fmt::format("later, at step {}, the kernel answers {} and the model {}",
                               late.step, to_string(*late.kernel), to_string(*late.model));
  }
  early.steps = late.steps;
  return early;
}

TrialResult Trial::run_predicted(const Prediction& predicted, const TrialOptions& options) {
  if (const auto started = start(predicted.program.privilege); !started) {
    return no_driver(started.error());
  }
  const bool every_step = options.every_step && asks_kernel_;
  TrialResult result =
      every_step ? compare_every_step(predicted, options) : compare(predicted, options);
  return options.asks_laws ? with_laws(predicted, std::move(result)) : result;
}

TrialResult Trial::run(const Scenario& scenario, const TrialOptions& options) {
  if (std::string unknown = unknown_trait(scenario); !unknown.empty()) {
    return without_a_world(TrialResult::Kind::failed, std::move(unknown));
  }
  if (std::string unmet = condition_not_met(scenario); !unmet.empty()) {
    return without_a_world(TrialResult::Kind::skipped, std::move(unmet));
  }
  const auto started = start(scenario.effective_privilege());
  if (!started) return no_driver(started.error());

  const Prediction whole = predict(scenario, traits_);
  if (options.every_step && asks_kernel_) {
    TrialResult result = with_laws(whole, compare_every_step(whole, options));
    return with_statements(scenario, whole, std::move(result));
  }
  TrialResult result = with_laws(whole, compare(whole, options));
  if (result.kind != TrialResult::Kind::disagree || !asks_kernel_) {
    return with_statements(scenario, whole, std::move(result));
  }
  TrialResult traced = trace_back(scenario, result);
  if (traced.kind == TrialResult::Kind::disagree) return traced;
  result.reason = traced.kind == TrialResult::Kind::agree
                      ? "this differed once, and not when the same was done again"
                      : traced.reason;
  return result;
}

}  // namespace pivotcheck
