// SPDX-License-Identifier: Apache-2.0
// expander.cc: see expander.h.
#include "check/exhaust/expander.h"

#include <algorithm>

#include "base/check.h"
#include "check/trial/model_state.h"

namespace pivotcheck::exhaust {
namespace {

// A step of the space may make a detached tree, or the start has one.
bool may_have_detached_trees(const Space& space) {
  const auto makes_one = [](const ProgramStep& step) {
    return std::holds_alternative<OpenTree>(step.op) || std::holds_alternative<Fsmount>(step.op);
  };
  return std::ranges::any_of(space.set_up.steps, makes_one) ||
         std::ranges::any_of(space.operations, makes_one);
}

std::vector<Step> named(const Space& space, const std::vector<ProgramStep>& steps) {
  Program program = space.set_up;
  program.steps = steps;
  std::vector<Step> result;
  for (std::size_t i = 0; i < steps.size(); ++i) result.push_back(pivotcheck::step_of(program, i));
  return result;
}

// The kernel's lists of peers and of slaves decide what some steps do (canonical_state.h).
bool do_orders_count(const Space& space, const KernelTraits& traits) {
  return !traits.umounts_largest_set ||
         (traits.starves_slaves_of_detached && may_have_detached_trees(space));
}

}  // namespace

Expander::Expander(const Space& space, const KernelTraits& traits, const ExpandOptions& options)
    : space_(space),
      options_(options),
      start_(space.privilege, traits),
      encoder_(do_orders_count(space, traits), space.renamings()),
      world_(start_),
      scratch_(start_),
      set_up_steps_(named(space, space.set_up.steps)),
      steps_(named(space, space.operations)),
      transitions_(space.operations.size()) {
  for (const ProgramStep& step : space.set_up.steps) {
    const Verdict verdict = apply(start_, step);
    PIVOTCHECK_CHECK(verdict.outcome.ok() && verdict.stop == Verdict::Stop::no);
  }
  first_ = encoder_.hash(start_);
}

// To the state after the sequence. The laws are asked on the way, because they remember what was
// locked; that is counted where the state was first met.
void Expander::enter(Sequence sequence) {
  world_ = start_;
  if (!options_.asks_laws) {
    for (const Letter letter : sequence) apply(world_, space_.operations[letter]);
    return;
  }
  const laws::AskedCounts so_far = laws_asked_;
  watch_.emplace(options_.quirks, laws_asked_);
  model::World world(space_.privilege, start_.traits);
  watch_->begin(state_of(world));
  const auto perform = [&](const ProgramStep& step, const Step& named) {
    const Verdict verdict = apply(world, step);
    watch_->after(named, verdict.outcome, state_of(world));
  };
  for (std::size_t i = 0; i < set_up_steps_.size(); ++i) {
    perform(space_.set_up.steps[i], set_up_steps_[i]);
  }
  for (const Letter letter : sequence) perform(space_.operations[letter], steps_[letter]);
  laws_asked_ = so_far;
  world_ = std::move(world);
}

void Expander::ask_laws(Transition& transition) {
  laws::Watch watch = *watch_;
  const std::size_t before = watch.breaches().size();
  watch.after(steps_[transition.letter], transition.verdict.outcome, state_of(scratch_));
  if (watch.breaches().size() == before) return;
  transition.broken = watch.breaches()[before].law;
  transition.breach = watch.breaches()[before].what;
}

void Expander::take(Letter letter, bool has_mark, Transition& result) {
  const ProgramStep& step = space_.operations[letter];
  if (!is_scratch_fresh_) scratch_ = world_;
  is_scratch_fresh_ = false;
  result = {.letter = letter, .verdict = apply(scratch_, step), .hash = {}, .breach = {}};
  if (result.verdict.stop != Verdict::Stop::no) {
    result.reach = Reach::stopped;
    return;
  }
  const bool ok = result.verdict.outcome.ok();
  if (!ok && !has_mark && !is_expire(step.op)) {
    is_scratch_fresh_ = true;
  } else if (scratch_.mount_count > options_.mounts_max) {
    result.reach = Reach::too_many;
    return;
  } else {
    result.reach = Reach::changed;
    result.hash = encoder_.hash(scratch_);
  }
  if (options_.asks_laws) ask_laws(result);
}

// Of each two operations that a renaming of this state exchanges, one.
void Expander::find_renamed() {
  is_renamed_.assign(transitions_.size(), false);
  if (options_.tries_renamed || space_.symmetries.empty()) return;
  const StateHash as_it_is = hash_of(encoder_.encode(world_, nullptr));
  for (const Symmetry& symmetry : space_.symmetries) {
    if (hash_of(encoder_.encode(world_, &symmetry.renaming)) != as_it_is) continue;
    for (std::size_t i = 0; i < is_renamed_.size(); ++i) {
      if (symmetry.letters[i] < i) is_renamed_[i] = true;
    }
  }
}

const std::vector<Transition>& Expander::expand(Sequence sequence) {
  enter(sequence);
  find_renamed();
  is_scratch_fresh_ = false;
  const bool has_mark = has_expiry_mark(world_);
  for (std::size_t i = 0; i < transitions_.size(); ++i) {
    const auto letter = static_cast<Letter>(i);
    if (is_renamed_[i]) {
      transitions_[i] = {
          .letter = letter, .reach = Reach::renamed, .verdict = {}, .hash = {}, .breach = {}};
    } else {
      take(letter, has_mark, transitions_[i]);
    }
  }
  return transitions_;
}

std::vector<const Symmetry*> Expander::symmetries_between(Sequence one, Sequence other) {
  enter(other);
  const StateHash wanted = hash_of(encoder_.encode(world_, nullptr));
  enter(one);
  std::vector<const Symmetry*> result;
  if (hash_of(encoder_.encode(world_, nullptr)) == wanted) result.push_back(nullptr);
  for (const Symmetry& symmetry : space_.symmetries) {
    if (hash_of(encoder_.encode(world_, &symmetry.renaming)) == wanted) {
      result.push_back(&symmetry);
    }
  }
  return result;
}

}  // namespace pivotcheck::exhaust
