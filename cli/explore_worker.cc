// SPDX-License-Identifier: Apache-2.0
// explore_worker.cc: one worker of `pivotcheck explore`. Its loop is run_cases():
//
//     generate, which predicts --> perform, compare, count, report (check/trial/campaign.h)
#include <utility>

#include <fmt/format.h>

#include "explore.h"
#include "check/gen/seeded.h"
#include "check/trial/campaign.h"

namespace pivotcheck::cli {
namespace {

// Reading the state by listmount and mountinfo costs as much as the rest of a case.
constexpr int cross_check_every = 16;

class Worker {
 public:
  Worker(const ExploreJob& job, Shared& shared, const Findings& findings, Slot& slot,
         FindingReporter reporter)
      : job_(job),
        shared_(shared),
        findings_(findings),
        slot_(slot),
        reporter_(std::move(reporter)) {}

  void run_cases() {
    while (!findings_.stop) {
      const std::uint64_t number = shared_.next_case++;
      if (number >= job_.cases_max) return;
      slot_.alive_ms = now_ms();
      slot_.current = number;
      run_case(number);
      RecentCase& recent = slot_.recent[slot_.finished++ % recent_cases];
      recent.number = number;
      recent.finished_ms = now_ms();
      slot_.current = no_case;
    }
  }

 private:
  void run_case(std::uint64_t number) {
    const Prediction generated = job_.source.make(number);
    gen::CoverageStats once;
    once.add(generated);
    const CaseRef here{.name = fmt::format("case-{}", number),
                       .origin = fmt::format("seed {} case {}", job_.source.seed, number),
                       .scenario = [&] { return scenario_of(generated.program); }};
    reporter_.perform(here, once, generated);
  }

  const ExploreJob& job_;
  Shared& shared_;
  const Findings& findings_;
  Slot& slot_;
  FindingReporter reporter_;
};

}  // namespace

Prediction CaseSource::make(std::uint64_t number) const {
  const ScenarioGenerator generator(
      {.privilege = privileges[number % privileges.size()], .traits = traits, .recipes = recipes});
  SeededChoices choices(seed, number);
  return generator.generate(choices);
}

void work(const ExploreJob& job, Shared& shared, Findings& findings, Slot& slot, int pipe) {
  slot.alive_ms = now_ms();
  auto trial = Trial::make({.traits = job.source.traits, .cross_check_every = cross_check_every});
  if (!trial) {
    ++slot.counts.not_run;
    return send_message(pipe, Message::Kind::failure, trial.error().what);
  }
  const CampaignProcess process{findings, slot.counts, slot.alive_ms, pipe, job.artifacts};
  Worker(job, shared, findings, slot, FindingReporter(process, std::move(*trial))).run_cases();
}

}  // namespace pivotcheck::cli
