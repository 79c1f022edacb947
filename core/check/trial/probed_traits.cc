// SPDX-License-Identifier: Apache-2.0
// probed_traits.cc: the probes, one after the other. Each is performed once where the kernel is as
// its release says, and twice where not.
#include "check/trial/probed_traits.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "check/trial/trial.h"
#include "scenario/scenario.h"

namespace pivotcheck {
namespace {

Prediction predicted(const TraitInfo& trait, bool is_on, Privilege privilege,
                     KernelTraits traits) {
  const auto scenario = parse(trait.probe);
  PIVOTCHECK_CHECK(scenario);
  auto program = resolve(*scenario);
  PIVOTCHECK_CHECK(program);
  program->privilege = privilege;
  traits.*trait.value = is_on;
  return predict(std::move(*program), traits);
}

bool is_same(const Prediction& one, const Prediction& other) {
  return one.outcomes() == other.outcomes() &&
         canonical(snapshot(one.world)) == canonical(snapshot(other.world));
}

Expected<TraitAnswer> ask(const TraitInfo& trait, const KernelTraits& traits, Privilege privilege,
                          const Agrees& agrees) {
  using enum TraitAnswer::Kind;
  const bool by_release = traits.*trait.value;
  const Prediction usual = predicted(trait, by_release, privilege, traits);
  const Prediction other = predicted(trait, !by_release, privilege, traits);
  if (is_same(usual, other)) return TraitAnswer{&trait, by_release, moot};
  for (const bool is_usual : {true, false}) {
    const auto agreed = agrees(is_usual ? usual : other);
    if (!agreed) return std::unexpected(agreed.error());
    if (*agreed) {
      return TraitAnswer{&trait, by_release == is_usual, is_usual ? as_release : otherwise};
    }
  }
  return TraitAnswer{&trait, by_release, neither};
}

// Whatever laws the kernel breaks, it does as predicted.
Expected<bool> agrees_here(Trial& trial, const Prediction& prediction) {
  const TrialResult result = trial.run_predicted(prediction);
  using enum TrialResult::Kind;
  if (result.kind == agree || result.kind == broken_law) return true;
  if (result.kind == disagree) return false;
  return fail(result.reason);
}

ProbedTraits probe_running_kernel() {
  const Release release = running_release();
  ProbedTraits unasked{.traits = KernelTraits::for_release(release)};
  auto trial = Trial::make({.traits = unasked.traits});
  if (!trial) {
    unasked.unasked = trial.error().what;
    return unasked;
  }
  for (const Privilege privilege : {Privilege::userns, Privilege::root}) {
    if (const auto started = trial->start(privilege); !started) {
      if (unasked.unasked.empty()) unasked.unasked = started.error().what;
      continue;
    }
    return probe_traits(release, privilege,
                        [&](const Prediction& one) { return agrees_here(*trial, one); });
  }
  return unasked;
}

}  // namespace

ProbedTraits probe_traits(const Release& release, Privilege privilege, const Agrees& agrees) {
  ProbedTraits probed{.traits = KernelTraits::for_release(release)};
  for (const TraitInfo& trait : trait_table()) {
    const auto answer = ask(trait, probed.traits, privilege, agrees);
    if (!answer) {
      return {.traits = KernelTraits::for_release(release), .unasked = answer.error().what};
    }
    probed.traits.*trait.value = answer->is_on;
    probed.answers.push_back(*answer);
  }
  return probed;
}

const ProbedTraits& probed_traits() {
  static const ProbedTraits probed = probe_running_kernel();
  return probed;
}

std::vector<std::string> ProbedTraits::remarks() const {
  std::vector<std::string> lines;
  if (!unasked.empty()) {
    lines.push_back("the traits of this kernel are those of its release; it can't be asked: " +
                    unasked);
  }
  for (const TraitAnswer& answer : answers) {
    const std::string_view is = answer.is_on ? "on" : "off";
    if (answer.kind == TraitAnswer::Kind::otherwise) {
      lines.push_back(fmt::format(
          "trait {} is {}, which this release should not have: a backport, or a regression",
          answer.trait->name, is));
    } else if (answer.kind == TraitAnswer::Kind::neither) {
      lines.push_back(fmt::format(
          "trait {}: this kernel does neither as those with it nor as those without; {} is assumed",
          answer.trait->name, is));
    }
  }
  return lines;
}

Expected<KernelTraits> traits_with(KernelTraits traits, std::string_view changes) {
  while (!changes.empty()) {
    const std::string_view word = changes.substr(0, changes.find(','));
    changes.remove_prefix(std::min(word.size() + 1, changes.size()));
    const std::size_t equals = word.find('=');
    const TraitInfo* trait = find_trait(word.substr(0, equals));
    const std::string_view value = equals == word.npos ? "" : word.substr(equals + 1);
    if (trait == nullptr) {
      return fail(fmt::format("there is no trait {} (pivotcheck doctor lists them)",
                              word.substr(0, equals)));
    }
    if (value == "probe") {
      traits.*trait->value = probed_traits().traits.*trait->value;
    } else if (value == "on" || value == "off") {
      traits.*trait->value = value == "on";
    } else {
      return fail(fmt::format("{}: NAME=on, NAME=off or NAME=probe is wanted", word));
    }
  }
  return traits;
}

}  // namespace pivotcheck
