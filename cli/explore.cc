// SPDX-License-Identifier: Apache-2.0
// explore.cc: `pivotcheck explore`: random scenarios on the running kernel against the model, in
// many processes, until the time is up. Here are its options, and what can run on this machine.
//
// Two engines make scenarios. The random one (explore_campaign.cc) makes each from a seed and
// a number. libFuzzer (explore_fuzzers.h) makes them from a corpus, led by the model's coverage; it
// runs where ci/fuzz names its program.
#include "explore.h"


#include <algorithm>
#include <memory>
#include <random>
#include <string_view>
#include <thread>

#include <fmt/format.h>

#include "check/driver/kernel_coverage.h"
#include "commands.h"
#include "interruption.h"
#include "machine.h"
#include "output.h"
#include "privileges.h"
#include "traits.h"

namespace pivotcheck::cli {
namespace {

constexpr std::size_t jobs_per_core = 6;  // a reset waits for RCU most of its time
constexpr std::size_t jobs_max = 1024;
constexpr std::uint64_t seconds_if_nothing_is_said = 60;
constexpr std::uint64_t seconds_max = 1'000'000'000;  // 31 years, so that no sum of times overflows
constexpr std::uint64_t cases_max = 1'000'000'000'000'000;

// Percentage of the jobs given to libFuzzer, where it runs and nothing else is said.
//
// Measured on one core, with 15 faults of ci/mutants.d and 3 seeds each, at most 20 s: random
// scenarios alone found all, in 1.1 s in the median; libFuzzer with an empty corpus 40 of 45, in
// 4 s; with a corpus of a minute's work all, in 3.3 s, and it found those that take longest sooner
// (umount-busy-parents-elsewhere 5 s against 6, pivot-unreachable 2 s against 3). From nothing, in
// half a minute of CPU, random ones reached 94 rules and 1786 edges of the model, libFuzzer 93 and
// 1773. So new scenarios do most of it; a corpus adds the deep ones, and remembers.
constexpr std::uint64_t fuzzer_percent = 25;

// Says what is not as the kernel's release should have it; false where --trait is no list of
// traits.
bool find_traits(ExploreJob& job) {
  if (job.contract) return true;
  const auto traits = traits_with_remarks(job.trait_changes);
  if (traits) job.traits = *traits;
  return traits.has_value();
}

// Gives libFuzzer its part of the jobs, and the others to random scenarios.
void share_jobs(ExploreJob& job) {
  const std::size_t jobs = *job.jobs;
  const auto& libfuzzer = job.libfuzzer;
  job.random_jobs = jobs;
  if (!libfuzzer.missing.empty()) {
    complain(fmt::format("libFuzzer DOES NOT RUN: {}; all {} jobs run random scenarios, and this "
                         "run is not complete",
                         libfuzzer.missing, jobs));
  }
  if (libfuzzer.target.empty()) return;
  // Each engine has at least one job, unless libFuzzer is to have all.
  job.fuzzer_jobs = std::max<std::size_t>(1, jobs * libfuzzer.percent / 100);
  job.random_jobs = libfuzzer.percent == 100 ? 0 : std::max<std::size_t>(1, jobs - job.fuzzer_jobs);
  complain(fmt::format("{} jobs: {} libFuzzer{}, {} random; corpus {}",
                       job.fuzzer_jobs + job.random_jobs, job.fuzzer_jobs,
                       libfuzzer.build.empty() ? "" : " (once it is built)", job.random_jobs,
                       libfuzzer.corpus));
  const std::string none = why_no_kernel_coverage();
  complain("the kernel's coverage leads libFuzzer: " + (none.empty() ? "yes" : "no, " + none));
}

ExitStatus explore(ExploreJob& job) {
  catch_interruptions(SecondSignal::is_noted);
  if (job.only_case) {
    job.jobs = 1;
    job.libfuzzer = {};
  }
  const std::string& target = job.libfuzzer.target;
  if (!target.empty() && job.libfuzzer.build.empty() && ::access(target.c_str(), F_OK) != 0) {
    return complain(
        "--libfuzzer: File does not exist: " + target + " (see pivotcheck explore --help)",
        ExitStatus::bad_usage);
  }
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  if (!job.jobs) job.jobs = cores * jobs_per_core;
  if (!machine_is_fit(*job.jobs)) return ExitStatus::nothing_ran;
  if (!find_traits(job)) return ExitStatus::bad_usage;
  job.privileges = find_privileges({.traits = job.traits}, job.privilege, "explored");
  if (job.contract) {
    job.traits = KernelTraits::contract();
    job.no_kernel = job.no_law_quirks = true;
  }
  if (job.privileges.empty()) {
    return complain("nothing can run here, so nothing is known (see pivotcheck doctor)",
                    ExitStatus::nothing_ran);
  }
  if (!job.seed) job.seed = std::random_device()();
  if (!job.seconds && !job.cases && !job.only_case) job.seconds = seconds_if_nothing_is_said;
  share_jobs(job);
  return run_campaign(job);
}

}  // namespace

std::string name_of(const std::vector<Privilege>& privileges) {
  if (privileges.size() > 1) return "both";
  return privileges.front() == Privilege::root ? "root" : "userns";
}

CommandSpec explore_command() {
  auto job = std::make_shared<ExploreJob>();
  auto& libfuzzer = job->libfuzzer;
  libfuzzer.percent = fuzzer_percent;
  return {
      .name = "explore",
      .summary = "Make up random scenarios and compare the running kernel with the model",
      .options = {{"--seconds", &job->seconds,
                   "how long, from the first case on; 60 if --cases is not given either",
                   {.min = 1, .max = seconds_max}},
                  {"--cases", &job->cases, "how many random scenarios",
                   {.min = 1, .max = cases_max}},
                  {"--case", &job->only_case, "run this case of a seed alone, without libFuzzer",
                   {.min = 0, .max = cases_max, .needs = "--seed", .excludes = "--cases"}},
                  {"--jobs", &job->jobs, "processes; 6 for each core if not given",
                   {.min = 1, .max = jobs_max}},
                  {"--seed", &job->seed,
                   "repeats a run: case N of a seed is always the same scenario, as long "
                   "as the privileges are the same"},
                  {"--privilege", &job->privilege,
                   "userns, root or both; not given: both as root, else userns",
                   {.choices = {"userns", "root", "both"}}},
                  {"--artifacts", &job->artifacts, "folder for what was found",
                   {.shows_default = true}},
                  {"--until-found", &job->until_found,
                   "end after the first disagreement that shows again, once it is minimized"},
                  {"--no-recipes", &job->no_recipes,
                   "only single random steps: without deep stories, and without the short "
                   "written idioms, which spell out what triggers nearly every rule"},
                  {"--no-kernel", &job->no_kernel,
                   "ask no kernel: hold the model's states against the laws alone",
                   {.excludes = "--libfuzzer"}},
                  {"--no-law-quirks", &job->no_law_quirks,
                   "excuse no deviation from the laws, not even known ones (FINDINGS.md)",
                   {.excludes = "--libfuzzer"}},
                  {"--contract", &job->contract,
                   "the same, of a model that has no kernel's quirks, excusing nothing",
                   {.excludes = "--libfuzzer"}},
                  trait_option(&job->trait_changes),
                  {"--json", &job->json,
                   "print an object for each finding and one for the summary, each on a line"},
                  // For ci/fuzz, which knows where all this is.
                  {"--libfuzzer", &libfuzzer.target,
                   "run this program, a fuzz_trial of this build, too", {.needs = "--corpus"}},
                  {"--libfuzzer-build", &libfuzzer.build,
                   "shell command that builds it; random scenarios run in the meantime",
                   {.needs = "--libfuzzer"}},
                  {"--libfuzzer-missing", &libfuzzer.missing,
                   "why there is none; the run then ends with 3, because a part of it is missing",
                   {.excludes = "--libfuzzer"}},
                  {"--corpus", &libfuzzer.corpus,
                   "folder for the inputs that reached something new",
                   {.may_repeat = true}},  // ci/fuzz gives one, and its user may give another
                  {"--libfuzzer-percent", &libfuzzer.percent,
                   "percentage of jobs given to libFuzzer (100: only libFuzzer)",
                   {.min = 1, .max = 100, .shows_default = true}},
                  {"--seeds", &libfuzzer.seeds,
                   "folder of scenarios for libFuzzer to begin with; it is only read"}},
      .footer =
          "Every disagreement and every broken law is minimized, printed and kept in the folder;\n"
          "run replays it.\n"
          "The last lines are 'key: value'. SIGINT, SIGTERM, SIGHUP and SIGQUIT end the run in\n"
          "order, a second one a second later ends it at once. Exit status: 0 all agreed, 1 a\n"
          "disagreement or a broken law, 3 the harness could not do its work, a law was never\n"
          "asked in 20,000 cases, or the kernel's log has warnings, 4 nothing can run, 128 + the\n"
          "signal that ended it.",
      .run = [job] { return explore(*job); }};
}

}  // namespace pivotcheck::cli
