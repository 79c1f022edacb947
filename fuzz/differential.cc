// SPDX-License-Identifier: Apache-2.0
// differential.cc: one input against the kernel, by hand or as a part of a campaign.

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "check/trial/campaign.h"
#include "check/trial/probed_traits.h"
#include "check/trial/report.h"
#include "scenario_input.h"

namespace pivotcheck::fuzz {
namespace {

// To read both sources costs as much as all the rest of a case.
constexpr int cross_check_every = 16;
// After so many failures of the harness it can't run any other case either.
constexpr int failures_max = 8;

[[noreturn]] void give_up(std::string_view why, int status = 3) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(why.size()), why.data());
  std::fflush(nullptr);
  std::_Exit(status);
}

std::size_t hash_of(std::string_view text) { return std::hash<std::string_view>{}(text); }

// --- a part of a campaign: the target's side of FuzzerLink (check/trial/campaign.h)

[[noreturn]] void bad_link(std::string_view why) {
  give_up(fmt::format("{}: {}", FuzzerLink::variable, why));
}

template <class T>
T* shared(int fd) {
  if (::lseek(fd, 0, SEEK_END) != static_cast<off_t>(sizeof(T))) {
    bad_link("the command and this target are not of the same build");
  }
  void* memory = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) bad_link("mmap of the shared memory");
  return static_cast<T*>(memory);
}

struct CampaignLink {
  bool only_predicts = false;  // the features of the inputs are all that is wanted
  std::size_t share = 0;
  std::size_t shares = 1;
  std::string privilege = "both";
  std::string artifacts;
  Findings* findings = nullptr;
  FuzzerSlot* slot = nullptr;
  std::optional<FindingReporter> reporter;

  // One of the processes performs an input from the corpus.
  [[nodiscard]] bool is_mine(const Scenario& scenario) const {
    return hash_of(print(scenario)) % shares == share;
  }
};

void read_link(const std::string& text, CampaignLink& link) {
  link.only_predicts = text == "predict";
  if (link.only_predicts) return;
  std::istringstream words(text);
  char slash = 0;
  std::string recipes;
  words >> link.share >> slash >> link.shares >> link.privilege >> recipes >> std::ws;
  if (!std::getline(words, link.artifacts) || link.shares == 0) bad_link("not as it should be");
  mutator.inserts_recipes = recipes == "recipes";
  link.findings = shared<Findings>(FuzzerLink::findings);
  link.slot = shared<FuzzerSlot>(FuzzerLink::slot);
}

// Before each input: ends the process if the campaign ends.
void next_input(CampaignLink& link) {
  if (link.only_predicts) return;
  link.slot->alive_ms = now_ms();
  if (!link.findings->stop) return;
  link.reporter->end();
  std::_Exit(0);
}

TrialResult::Kind perform_in_campaign(CampaignLink& link, const Input& input) {
  FuzzerSlot& slot = *link.slot;
  const std::uint64_t number = slot.begun;
  FuzzerRecent& recent = slot.recent[number % fuzzer_recent];
  const std::string text = print(input.scenario);
  const std::size_t size = std::min(text.size(), recent.text.size());
  std::memcpy(recent.text.data(), text.data(), size);
  recent.size = static_cast<std::uint32_t>(size);
  recent.finished_ms = 0;
  slot.begun = number + 1;
  const CaseRef ref{.name = fmt::format("libfuzzer-{:016x}", hash_of(text)),
                    .origin = fmt::format("by libFuzzer, input {} of its process", number),
                    .scenario = [&] { return input.scenario; }};
  const TrialResult::Kind kind = link.reporter->perform(ref, input.predicted);
  recent.finished_ms = now_ms();
  return kind;
}

// --- the process

// Set when it starts.
struct Process {
  std::optional<CampaignLink> link;  // nullopt: by hand
  std::optional<Trial> trial;        // by hand
  KernelTraits traits;
  bool userns = true;  // which privileges can run
  bool root = true;
};
Process process;

// Early, because the executor is a fork and has all the memory that this process has by then.
void begin() {
  if (const char* text = std::getenv(FuzzerLink::variable)) read_link(text, process.link.emplace());
  if (process.link && process.link->only_predicts) {
    process.traits = probed_traits().traits;
    return;
  }
  begin_guidance();
  const auto nothing_runs = [](const Failure& failure) {
    give_up(failure.what, failure.kind == Failure::Kind::cannot_run ? 4 : 3);
  };
  auto trial = Trial::make({.traits = {}, .cross_check_every = cross_check_every});
  if (!trial) nothing_runs(trial.error());
  const std::string wanted = process.link ? process.link->privilege : "both";
  process.traits = trial->traits();
  process.root = wanted != "userns" && ::geteuid() == 0 && trial->start(Privilege::root);
  const auto started = trial->start(Privilege::userns);
  process.userns = wanted != "root" && started;
  if (!process.userns && !process.root) {
    nothing_runs(started ? Failure{Failure::Kind::cannot_run, "privilege root can't run"}
                         : started.error());
  }
  if (!process.link) {
    process.trial.emplace(std::move(*trial));
    return;
  }
  CampaignLink& link = *process.link;
  link.reporter.emplace(CampaignProcess{*link.findings, link.slot->counts, link.slot->alive_ms,
                                        FuzzerLink::pipe, link.artifacts},
                        std::move(*trial));
}

// --- by hand

// The harness could not do its work. If that happens again with the same scenario (the observers
// disagree, the model's world breaks an invariant, the kernel hangs), it is a finding; if not, it
// is printed.
void failed(const Scenario& scenario, const TrialResult& first) {
  static int failures = 0;
  const TrialResult again = process.trial->run(scenario);
  if (again.kind != TrialResult::Kind::agree && again.kind != TrialResult::Kind::skipped) {
    found(report("input", scenario, again));
  }
  std::fprintf(stderr, "the harness failed once: %s\n%s", first.reason.c_str(),
               print(scenario).c_str());
  if (++failures >= failures_max) found(report("input", scenario, first));
}

int perform_by_hand(const Input& input, bool look_again) {
  const Scenario& scenario = input.scenario;
  const TrialResult result = process.trial->run_predicted(input.predicted);
  if (result.kind == TrialResult::Kind::failed) failed(scenario, result);
  if (result.kind == TrialResult::Kind::broken_law) found(report("input", scenario, result));
  if (result.kind != TrialResult::Kind::disagree) return 0;
  if (look_again) {
    const TrialResult closer = process.trial->trace_back(scenario, result);
    if (closer.kind == TrialResult::Kind::disagree) found(report("input", scenario, closer));
    std::fprintf(stderr, "# seen once, and not when it was run again\n");
  }
  found(report("input", scenario, result));
}

}  // namespace

std::optional<Input> read_and_predict(const std::uint8_t* data, std::size_t size) {
  const bool made_here = std::exchange(mutator.made_input, false);
  std::optional<CampaignLink>& link = process.link;
  if (link) next_input(*link);
  auto scenario = read_scenario(data, size);
  if (!scenario) return std::nullopt;
  if (!process.root) scenario->privilege = Privilege::userns;
  if (!process.userns) scenario->privilege = Privilege::root;
  Prediction predicted = predict(*scenario, process.traits);
  if (!note_features(predicted)) return std::nullopt;
  const bool to_be_performed =
      !link || (!link->only_predicts && (made_here || link->is_mine(*scenario)));
  return Input{std::move(*scenario), std::move(predicted), to_be_performed};
}

int perform(const Input& input, bool look_again) {
  if (!input.to_be_performed) return 0;
  if (!process.link) {
    const int result = perform_by_hand(input, look_again);
    note_kernel_coverage();
    return result;
  }
  // A disagreement is kept in the artifacts; in the corpus every run would find it again.
  const TrialResult::Kind kind = perform_in_campaign(*process.link, input);
  note_kernel_coverage();
  return kind == TrialResult::Kind::agree ? 0 : not_of_use;
}

}  // namespace pivotcheck::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  pivotcheck::fuzz::begin();
  return 0;
}
