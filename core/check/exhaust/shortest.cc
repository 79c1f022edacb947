// SPDX-License-Identifier: Apache-2.0
// shortest.cc: see shortest.h.
#include "check/exhaust/shortest.h"

#include <algorithm>

#include "base/check.h"
#include "model/predict.h"

namespace pivotcheck::exhaust {

std::size_t Targets::count() { return rule_table().size() + gen::situations_count; }

bool Targets::is_rule(std::size_t target) { return target < rule_table().size(); }

std::string_view Targets::name(std::size_t target) {
  if (is_rule(target)) return rule_table()[target].name;
  return gen::situation_table()[target - rule_table().size()].name;
}

std::size_t Targets::of(Rule rule) {
  return static_cast<std::size_t>(std::ranges::find(rule_table(), rule, &RuleInfo::rule) -
                                  rule_table().begin());
}

std::size_t Targets::of(std::size_t situation) { return rule_table().size() + situation; }

bool Shortest::note(std::size_t target, Sequence sequence) {
  PIVOTCHECK_CHECK(target < targets_max && sequence.size() <= length_max);
  Entry& entry = entries_[target];
  Step step = Step::free;
  if (!entry.step.compare_exchange_strong(step, Step::taken)) return false;
  entry.length = static_cast<std::uint8_t>(sequence.size());
  std::ranges::copy(sequence, entry.letters.begin());
  entry.step = Step::written;
  if (!Targets::is_rule(target)) ++situations_reached_;
  return true;
}

std::vector<std::size_t> Shortest::note(const Space& space, Sequence sequence,
                                        const Transition& transition, const KernelTraits& traits) {
  std::vector<std::size_t> reached;
  const auto add = [&](std::size_t target) {
    if (note(target, sequence)) reached.push_back(target);
  };
  if (transition.reach != Reach::refused && transition.reach != Reach::changed) return reached;
  const Rule rule = transition.verdict.rule;
  if (rule != Rule::none) add(Targets::of(rule));
  // A refusal reaches one situation, and by one rule.
  if (rule != Rule::none && rule != Rule::umount_propagation_busy) return reached;
  if (situations_reached_ == gen::situations_count) return reached;
  const gen::Situations situations = gen::situations_of(predict(space.program(sequence), traits));
  for (std::size_t i = 0; i < gen::situations_count; ++i) {
    if (situations[i]) add(Targets::of(i));
  }
  return reached;
}

std::optional<std::vector<Letter>> Shortest::sequence(std::size_t target) const {
  const Entry& entry = entries_[target];
  if (entry.step != Step::written) return std::nullopt;
  return std::vector<Letter>(entry.letters.begin(), entry.letters.begin() + entry.length);
}

}  // namespace pivotcheck::exhaust
