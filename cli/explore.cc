// SPDX-License-Identifier: Apache-2.0
// explore.cc: `pivotcheck explore`: random scenarios on the running kernel against the model, in
// many processes, until the time is up. Here are its options, and what can run on this machine.
//
// Two engines make scenarios. The random one (explore_worker.cc) makes each from a seed and a
// number. libFuzzer (explore_fuzzers.h) makes them from a corpus, led by the model's coverage; it
// runs where ci/fuzz names its program.
#include "explore.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "check/trial/trial.h"
#include "commands.h"
#include "explore_fuzzers.h"
#include "output.h"

namespace pivotcheck::cli {
namespace {

constexpr std::size_t jobs_per_core = 6;  // a reset waits for RCU most of its time
constexpr std::size_t jobs_max = 1024;
constexpr std::uint64_t seconds_if_nothing_is_said = 60;

// Percentage of the jobs given to libFuzzer, where it runs and nothing else is said.
//
// Measured on one core, with 15 faults of ci/mutants.d and 3 seeds each, at most 20 s: random
// scenarios alone found all, in 1.1 s in the median; libFuzzer with an empty corpus 40 of 45, in
// 4 s; with a corpus of a minute's work all, in 3.3 s, and it found those that take longest sooner
// (umount-busy-parents-elsewhere 5 s against 6, pivot-unreachable 2 s against 3). From nothing, in
// half a minute of CPU, random ones reached 94 rules and 1786 edges of the model, libFuzzer 93 and
// 1773. So new scenarios do most of it; a corpus adds the deep ones, and remembers.
constexpr std::uint64_t fuzzer_percent = 25;

struct ExploreOptions {
  ExploreLimits limits;
  std::optional<std::uint64_t> jobs;
  std::optional<std::uint64_t> seed;
  std::optional<std::uint64_t> cases;
  std::string privilege;  // "": whatever runs here
  std::string artifacts = "artifacts";
  bool no_recipes = false;
  FuzzerOptions libfuzzer;
  std::uint64_t libfuzzer_percent = fuzzer_percent;
};

std::vector<Privilege> wanted(const ExploreOptions& options) {
  if (options.privilege == "userns") return {Privilege::userns};
  if (options.privilege == "root") return {Privilege::root};
  if (options.privilege == "both" || ::geteuid() == 0) return {Privilege::userns, Privilege::root};
  complain("not root: only worlds in user namespaces are explored (privilege userns)");
  return {Privilege::userns};
}

// The wanted privileges with which a world can be made. Complains about the others.
std::vector<Privilege> runnable(const ExploreOptions& options,
                                std::optional<KernelTraits>& traits) {
  auto trial = Trial::make();
  if (!trial) {
    complain(trial.error().what);
    return {};
  }
  traits = trial->traits();
  std::vector<Privilege> result;
  for (const Privilege privilege : wanted(options)) {
    if (const auto started = trial->start(privilege)) {
      result.push_back(privilege);
    } else {
      complain(fmt::format("privilege {}: {}", privilege == Privilege::root ? "root" : "userns",
                           started.error().what));
    }
  }
  return result;
}

std::string name_of(const std::vector<Privilege>& privileges) {
  if (privileges.size() > 1) return "both";
  return privileges.front() == Privilege::root ? "root" : "userns";
}

ExploreJob make_job(const ExploreOptions& options, std::vector<Privilege> privileges,
                    const KernelTraits& traits) {
  utsname name{};
  ::uname(&name);
  return {.source = {.seed = options.seed ? *options.seed : std::random_device()(),
                     .privileges = std::move(privileges),
                     .traits = traits,
                     .recipes = !options.no_recipes},
          .cases_max = options.cases.value_or(no_case),
          .artifacts = options.artifacts,
          .release = name.release};
}

// Gives libFuzzer its part of the jobs, and returns how many are left for random scenarios.
std::size_t share_jobs(const ExploreOptions& options, std::size_t jobs, FuzzerOptions& fuzzers) {
  if (!fuzzers.missing.empty()) {
    complain(fmt::format("libFuzzer DOES NOT RUN: {}; all {} jobs run random scenarios, and this "
                         "run is not complete",
                         fuzzers.missing, jobs));
  }
  if (fuzzers.target.empty()) return jobs;
  // Each engine has at least one job, unless libFuzzer is to have all.
  const std::size_t percent = options.libfuzzer_percent;
  fuzzers.jobs = std::max<std::size_t>(1, jobs * percent / 100);
  jobs = percent == 100 ? 0 : std::max<std::size_t>(1, jobs - fuzzers.jobs);
  complain(fmt::format("{} jobs: {} libFuzzer{}, {} random; corpus {}", fuzzers.jobs + jobs,
                       fuzzers.jobs, fuzzers.build.empty() ? "" : " (once it is built)", jobs,
                       fuzzers.corpus));
  return jobs;
}

ExitStatus explore(ExploreOptions options) {
  FuzzerOptions& fuzzers = options.libfuzzer;
  if (!fuzzers.target.empty() && fuzzers.build.empty() &&
      ::access(fuzzers.target.c_str(), F_OK) != 0) {
    complain("--libfuzzer: File does not exist: " + fuzzers.target + " (see pivotcheck --help)");
    return ExitStatus::bad_usage;
  }
  std::optional<KernelTraits> traits;
  std::vector<Privilege> privileges = runnable(options, traits);
  if (privileges.empty()) {
    complain("nothing can run here, so nothing is known (see pivotcheck doctor)");
    return ExitStatus::nothing_ran;
  }
  fuzzers.privilege = name_of(privileges);
  ExploreJob job = make_job(options, std::move(privileges), *traits);
  fuzzers.artifacts = job.artifacts;
  fuzzers.seed = job.source.seed;
  fuzzers.recipes = job.source.recipes;
  options.limits.has_cases = options.cases.has_value();
  if (!options.limits.seconds && !options.cases) {
    options.limits.seconds = seconds_if_nothing_is_said;
  }
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  const std::size_t jobs =
      share_jobs(options, options.jobs.value_or(cores * jobs_per_core), fuzzers);
  return run_explore(options.limits, std::move(job), jobs, std::move(fuzzers));
}

// For ci/fuzz, which knows where all this is.
std::vector<OptionSpec> libfuzzer_options(ExploreOptions& options) {
  FuzzerOptions& fuzzers = options.libfuzzer;
  return {{"--libfuzzer", &fuzzers.target,
           "run this program, a fuzz_trial of this build, too", {.needs = "--corpus"}},
          {"--libfuzzer-build", &fuzzers.build,
           "shell command that builds it; random scenarios run in the meantime",
           {.needs = "--libfuzzer"}},
          {"--libfuzzer-missing", &fuzzers.missing,
           "why there is none; the run then ends with 3, because a part of it is missing",
           {.excludes = "--libfuzzer"}},
          {"--corpus", &fuzzers.corpus, "folder for the inputs that reached something new",
           {.may_repeat = true}},  // ci/fuzz gives one, and its user may give another
          {"--libfuzzer-percent", &options.libfuzzer_percent,
           "percentage of jobs given to libFuzzer (100: only libFuzzer)",
           {.min = 1, .max = 100, .shows_default = true}},
          {"--seeds", &fuzzers.seeds,
           "folder of scenarios for libFuzzer to begin with; it is only read"}};
}

}  // namespace

CommandSpec explore_command() {
  auto options = std::make_shared<ExploreOptions>();
  CommandSpec command{
      .name = "explore",
      .summary = "Make up random scenarios and compare the running kernel with the model",
      .options = {{"--seconds", &options->limits.seconds,
                   "how long, from the first case on; 60 if --cases is not given either"},
                  {"--cases", &options->cases, "how many random scenarios"},
                  {"--jobs", &options->jobs, "processes; 6 for each core if not given",
                   {.min = 1, .max = jobs_max}},
                  {"--seed", &options->seed,
                   "repeats a run: case N of a seed is always the same scenario, as long "
                   "as the privileges are the same"},
                  {"--privilege", &options->privilege,
                   "userns, root or both; not given: both as root, else userns",
                   {.choices = {"userns", "root", "both"}}},
                  {"--artifacts", &options->artifacts, "folder for what was found",
                   {.shows_default = true}},
                  {"--until-found", &options->limits.until_found,
                   "end after the first disagreement, once it is minimized"},
                  {"--no-recipes", &options->no_recipes,
                   "only single random steps: without the short written idioms, which "
                   "spell out what triggers nearly every rule"}},
      .footer =
          "Every disagreement is minimized, printed and kept in the folder; run replays it.\n"
          "The last lines are 'key: value'. Exit status: 0 all agreed, 1 a disagreement, 3 the\n"
          "harness could not do its work, or the kernel's log has warnings, 4 nothing can run.",
      .run = [options] { return explore(*options); }};
  std::ranges::move(libfuzzer_options(*options), std::back_inserter(command.options));
  return command;
}

}  // namespace pivotcheck::cli
