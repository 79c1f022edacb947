// SPDX-License-Identifier: Apache-2.0
// equal_states.cc: `equal_states`: exhaustive search goes on from one of several sequences that
// lead to equal states (core/check/exhaust/canonical_state.h). Is that right? The property: two
// sequences whose states have the same hash are equal after some renaming, and behave alike under
// every next operation and the renamed one: the same answer by the same rule, and states with the
// same hash. Where a renaming leaves a new state what it is, the state is such a pair by itself.
//
//     pool of sequences --> one is expanded --> a state that is new    joins the pool
//                                           '-> a state that is known  a pair: both are expanded,
//                                                                      and held against each other
//
// The spaces are all layouts with alphabet `all`, two tasks, both privileges, one after the other;
// the choice is random, from a seed. With --weak states are held equal that only look alike to
// processes (view/canonical.cc, without locks and marks): then some pair must behave otherwise.
//
// Exit status: 0 it holds, 1 it does not, 2 bad usage.
#include <cstdint>
#include <cstdio>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "check/exhaust/expander.h"
#include "check/exhaust/space.h"
#include "cli/options/options.h"
#include "model/predict.h"
#include "view/fingerprint.h"

namespace pivotcheck {
namespace {

using exhaust::Letter;
using exhaust::Reach;
using exhaust::Space;
using exhaust::Symmetry;
using exhaust::Transition;
using Letters = std::vector<Letter>;

constexpr std::size_t length_max = 5;     // of a sequence
constexpr std::uint64_t one_pair_in = 8;  // of the states that are met again

struct Options {
  std::uint64_t pairs = 2000;
  std::uint64_t seed = 1;
  bool weak = false;
};

class Pairs {
 public:
  Pairs(const Space& space, const Options& options, std::uint64_t seed)
      : space_(space),
        weak_(options.weak),
        random_(seed),
        expander_(space, KernelTraits{}, {.asks_laws = false, .tries_renamed = true}),
        pool_{{}} {
    known_[key(expander_.first(), {})] = {};
  }

  // Compares so many. False where one behaves otherwise; that is printed.
  bool compare(std::uint64_t pairs) {
    while (compared_ < pairs) {
      const Letters sequence = pool_[random_() % pool_.size()];
      const std::vector<Transition> transitions = expander_.expand(sequence);
      for (const Transition& transition : transitions) {
        if (transition.reach != Reach::changed) continue;
        Letters longer = sequence;
        longer.push_back(transition.letter);
        const auto [known, is_new] = known_.try_emplace(key(transition.hash, longer), longer);
        if (is_new && longer.size() < length_max) pool_.push_back(longer);
        if (random_() % one_pair_in != 0) continue;
        if (known->second == longer && !(is_new && is_symmetric(longer))) continue;
        if (!behave_alike(known->second, longer)) return false;
        if (++compared_ == pairs) return true;
      }
    }
    return true;
  }

 private:
  // What two states are held equal by.
  std::string key(exhaust::StateHash hash, const Letters& sequence) {
    if (!weak_) return fmt::format("{:x}.{:x}", hash.low, hash.high);
    return fingerprint(canonical(snapshot(predict(space_.program(sequence), {}).world)));
  }

  std::string key_after(const Letters& sequence, const Transition& transition) {
    Letters longer = sequence;
    longer.push_back(transition.letter);
    return transition.reach == Reach::changed ? key(transition.hash, longer) : "";
  }

  bool is_symmetric(const Letters& sequence) {
    return !weak_ && expander_.symmetries_between(sequence, sequence).size() > 1;
  }

  // Under all renamings that make the other of the one.
  bool behave_alike(const Letters& one, const Letters& other) {
    std::vector<const Symmetry*> symmetries = expander_.symmetries_between(one, other);
    if (weak_) symmetries = {nullptr};
    if (symmetries.empty()) return complain("no renaming makes them equal", one, other);
    const std::vector<Transition> of_one = expander_.expand(one);
    const std::vector<Transition>& of_other = expander_.expand(other);
    for (const Symmetry* symmetry : symmetries) {
      for (std::size_t i = 0; i < of_one.size(); ++i) {
        const Transition& step = of_one[i];
        const Transition& same = of_other[symmetry == nullptr ? i : symmetry->letters[i]];
        const bool alike = step.reach == same.reach && step.verdict == same.verdict &&
                           key_after(one, step) == key_after(other, same);
        if (alike) continue;
        return complain(fmt::format("not alike at the next step, {} and {}",
                                    space_.text(step.letter), space_.text(same.letter)),
                        one, other);
      }
    }
    return true;
  }

  bool complain(const std::string& what, const Letters& one, const Letters& other) {
    std::fputs(fmt::format("held equal, and {}:\n# {}\n{}# and\n{}", what, space_.layout,
                           print(scenario_of(space_.program(one))),
                           print(scenario_of(space_.program(other))))
                   .c_str(),
               stdout);
    return false;
  }

  const Space& space_;
  bool weak_;
  std::mt19937_64 random_;
  exhaust::Expander expander_;
  std::vector<Letters> pool_;
  std::map<std::string, Letters> known_;  // the first that led to a state
  std::uint64_t compared_ = 0;
};

int compare_all(const Options& options) {
  const std::uint64_t spaces = exhaust::layouts().size() * 2;
  const std::uint64_t each = (options.pairs + spaces - 1) / spaces;
  for (const exhaust::Layout& layout : exhaust::layouts()) {
    for (const Privilege privilege : {Privilege::userns, Privilege::root}) {
      const Space space = exhaust::make_space(layout, privilege, "all", 2).value();
      if (!Pairs(space, options, options.seed).compare(each)) return 1;
    }
  }
  std::fputs(
      fmt::format("{} pairs of sequences to equal states behave alike\n", each * spaces).c_str(),
      stdout);
  return 0;
}

}  // namespace
}  // namespace pivotcheck

int main(int argc, char** argv) {
  using namespace pivotcheck;
  Options options;
  const cli::CommandSpec program{
      .name = "equal_states",
      .summary = "Do sequences that lead to equal states behave alike?",
      .options = {{"--pairs", &options.pairs, "how many", {.min = 1, .shows_default = true}},
                  {"--seed", &options.seed, "of the choice"},
                  {"--weak", &options.weak, "hold states equal that only look alike"}}};
  const cli::Parsed parsed = cli::parse_command_line(program, argc, argv);
  if (parsed.chosen == nullptr) return static_cast<int>(parsed.status);
  return compare_all(options);
}
