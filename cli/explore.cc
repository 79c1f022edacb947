// SPDX-License-Identifier: Apache-2.0
// explore.cc: `pivotcheck explore`: random scenarios on the running kernel against the model,
// in many processes, until the time is up. This is the parent: it starts workers, watches them
// and the kernel's log, and says what was found. What a worker does is in explore_worker.cc.
//
// Two roads lead to scenarios, and run side by side where there is a libFuzzer target to start
// (ci/fuzz): seeded ones, which are new each time and know nothing of each other, and libFuzzer's,
// which come from a corpus and are led by the model's coverage (explore_fuzzers.h).
#include "explore.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/unique_fd.h"
#include "base/wait_status.h"
#include "commands.h"
#include "explore_fuzzers.h"
#include "op/outcome.h"
#include "output.h"
#include "shared_memory.h"
#include "check/trial/kernel_log.h"
#include "check/trial/trial.h"

namespace pivotcheck::cli {
namespace {

constexpr std::size_t jobs_per_core = 6;  // a reset waits for RCU most of its time
constexpr std::size_t jobs_max = 1024;
constexpr std::int64_t hang_ms = 120'000;     // longer than any deadline in a case, or minimizing
constexpr std::int64_t shutdown_ms = 15'000;  // for a case under way when it is time to stop
constexpr int poll_ms = 100;
constexpr std::size_t failures_shown_max = 10;
constexpr int losses_max = 20;  // a harness that loses more workers than this is not worth running
constexpr std::uint64_t alarm_cases_max = 20'000;
constexpr std::int64_t reduce_ms = 10'000;  // for the corpus, which takes a second as a rule

// How many of the jobs are libFuzzer's, where it runs and nothing else is said.
//
// Measured on one core, with 15 faults of ci/mutants.d and 3 seeds each, 20 s at the most: seeded scenarios
// alone found all, in 1.1 s in the median; libFuzzer with an empty corpus 40 of 45, in 4 s; with a
// corpus of a minute's work all, in 3.3 s, and those that take longest sooner than the others did
// (umount-busy-parents-elsewhere 5 s against 6, pivot-unreachable 2 s against 3). From nothing,
// in half a minute of CPU, seeded ones reached 94 rules and 1786 edges of the model, libFuzzer 93
// and 1773. So new scenarios do most of it; a corpus adds the deep ones, and remembers.
constexpr std::size_t fuzzer_percent = 25;

struct ExploreOptions {
  std::optional<std::uint64_t> seconds;
  std::optional<std::uint64_t> jobs;
  std::optional<std::uint64_t> seed;
  std::optional<std::uint64_t> cases;
  std::string privilege;  // "": whatever runs here
  std::string artifacts = "artifacts";
  bool until_found = false;
  bool no_recipes = false;
  std::string libfuzzer;          // the program; "": seeded scenarios only
  std::string libfuzzer_missing;  // why there is none, though it is wanted
  std::uint64_t libfuzzer_percent = fuzzer_percent;
  std::string corpus;
  std::string seeds;
};

volatile std::sig_atomic_t interrupted = 0;
void interrupt(int) { interrupted = 1; }

std::pair<UniqueFd, UniqueFd> make_pipe() {
  std::array<int, 2> ends{-1, -1};
  (void)::pipe2(ends.data(), O_CLOEXEC);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

struct WorkerProcess {
  pid_t pid = -1;
  std::unique_ptr<SharedMemory<Slot>> slot;
};

class Explore {
 public:
  Explore(const ExploreOptions& options, ExploreJob job, std::size_t jobs, FuzzerOptions fuzzers);

  ExitStatus all();

 private:
  Expected<void> begin();
  Expected<void> start(WorkerProcess& worker);
  void watch();
  void receive();
  void found(const std::string& path);
  void failed(const std::string& words);
  bool supervise(WorkerProcess& worker);
  void lost(WorkerProcess& worker, const std::string& how);
  void watch_log();
  void keep_alarmed_cases(const std::string& folder);
  void show_progress();
  void end_workers();
  Counts seeded() const;
  Counts total() const;
  double seconds_passed() const { return static_cast<double>(now_ms() - started_ms_) / 1000.0; }
  void summary(const Reduced& reduced);
  std::string engines(const Reduced& reduced) const;
  ExitStatus status() const;

  const ExploreOptions& options_;
  const ExploreJob job_;
  SharedMemory<Shared> shared_;
  SharedMemory<Findings> findings_;
  std::vector<WorkerProcess> workers_;
  double cpu_seconds_ = 0;              // of workers that have ended
  std::pair<UniqueFd, UniqueFd> pipe_;  // from here, to there
  std::size_t fuzzer_jobs_;
  Fuzzers fuzzers_;
  std::string received_;
  KernelLog log_ = KernelLog::open();
  const Release release_ = running_release();
  Progress progress_;
  std::int64_t started_ms_ = now_ms();
  std::int64_t ended_ms_ = 0;
  std::int64_t next_progress_ms_ = 0;
  std::set<std::string> failures_;  // that were shown
  std::uint64_t failure_count_ = 0;
  bool any_found_ = false;
  std::uint64_t losses_ = 0;
  std::uint64_t alarms_ = 0;
};

Explore::Explore(const ExploreOptions& options, ExploreJob job, std::size_t jobs,
                 FuzzerOptions fuzzers)
    : options_(options),
      job_(std::move(job)),
      workers_(jobs),
      pipe_(make_pipe()),
      fuzzer_jobs_(fuzzers.jobs),
      fuzzers_(std::move(fuzzers), findings_, pipe_.second.get(),
               [this](const std::string& words) { failed(words); }) {}

Expected<void> Explore::begin() {
  if (!pipe_.second) return fail("pipe2: " + errno_name(errno));
  gen::CoverageStats().add(job_.source.make(0));  // whatever is made once is made before the forks
  for (WorkerProcess& worker : workers_) {
    worker.slot = std::make_unique<SharedMemory<Slot>>();
    if (auto started = start(worker); !started) return started;
  }
  fuzzers_.begin();
  return {};
}

Expected<void> Explore::start(WorkerProcess& worker) {
  (*worker.slot)->alive_ms = now_ms();
  std::fflush(nullptr);
  const pid_t parent = ::getpid();
  worker.pid = ::fork();
  if (worker.pid < 0) return fail("fork: " + errno_name(errno));
  if (worker.pid > 0) return {};
  // A Ctrl-C at the terminal goes to all processes: the parent alone decides what it means.
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGTERM, SIG_DFL);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() == parent) work(job_, *shared_, *findings_, **worker.slot, pipe_.second.get());
  std::fflush(nullptr);
  ::_exit(0);
}

// --- what workers say

void Explore::receive() {
  pollfd waiting{pipe_.first.get(), POLLIN, 0};
  int timeout_ms = poll_ms;
  while (::poll(&waiting, 1, timeout_ms) > 0 && (waiting.revents & POLLIN) != 0) {
    timeout_ms = 0;
    std::array<char, 1 << 16> buffer;
    const ssize_t count = ::read(pipe_.first.get(), buffer.data(), buffer.size());
    if (count <= 0) break;
    received_.append(buffer.data(), static_cast<std::size_t>(count));
  }
  for (std::size_t end; (end = received_.find('\n')) != std::string::npos;) {
    const std::string text = received_.substr(1, end - 1);
    const auto kind = static_cast<Message::Kind>(received_.front());
    received_.erase(0, end + 1);
    if (kind == Message::Kind::finding) found(text);
    if (kind == Message::Kind::failure) failed(text);
  }
}

void Explore::found(const std::string& path) {
  any_found_ = true;
  progress_.clear();
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  print(text.str() + "\n");
  std::fflush(stdout);
}

void Explore::failed(const std::string& words) {
  ++failure_count_;
  // The same trouble in many cases is told once.
  const std::size_t behind_number = words.find(": ");
  const std::string trouble =
      behind_number == std::string::npos ? words : words.substr(behind_number);
  if (failures_.size() >= failures_shown_max || !failures_.insert(trouble).second) return;
  progress_.clear();
  complain(words);
}

// --- workers that end, die or hang

// False when it is not coming back: it has nothing left to do, or too many were lost.
bool Explore::supervise(WorkerProcess& worker) {
  if (worker.pid < 0) return false;
  Slot& slot = **worker.slot;
  int wait_status = 0;
  rusage usage{};
  if (::wait4(worker.pid, &wait_status, WNOHANG, &usage) == worker.pid) {
    worker.pid = -1;
    cpu_seconds_ += cpu_seconds_of(usage);
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) return false;
    lost(worker, describe_wait_status(wait_status));
  } else if (now_ms() - slot.alive_ms > hang_ms) {
    ::kill(worker.pid, SIGKILL);
    ::waitpid(worker.pid, nullptr, 0);
    worker.pid = -1;
    lost(worker, fmt::format("hung for {} s", hang_ms / 1000));
  } else {
    return true;
  }
  if (losses_ > losses_max || findings_->stop) return false;
  if (auto started = start(worker); !started) {
    failed(started.error().what);
    return false;
  }
  return true;
}

void Explore::lost(WorkerProcess& worker, const std::string& how) {
  ++losses_;
  Slot& slot = **worker.slot;
  const std::uint64_t number = slot.current.exchange(no_case);
  if (number == no_case) return failed("a worker " + how + " between two cases");
  ++slot.counts.not_run;
  Scenario scenario = scenario_of(job_.source.make(number).program);
  scenario.title = "a worker " + how;
  scenario.about = {fmt::format("kernel {}", job_.release),
                    fmt::format("seed {} case {}", job_.source.seed, number)};
  const std::string path = fmt::format("{}/lost-case-{}.scn", job_.artifacts, number);
  const bool written = write_file(path, print(scenario));
  failed(fmt::format("case {}: a worker {}: {}{}", number, how, path,
                     written ? "" : ", which can't be written: " + errno_name(errno)));
}

// --- the kernel's log

void Explore::watch_log() {
  const auto lines = log_.kernel_warnings();
  if (lines.empty()) return;
  progress_.clear();
  for (const std::string& line : lines) complain("the kernel's log: " + line);
  const std::string folder = fmt::format("{}/alarm-{}", job_.artifacts, ++alarms_);
  keep_alarmed_cases(folder);
}

// Every case that any worker was at in the last second, as files.
void Explore::keep_alarmed_cases(const std::string& folder) {
  ::mkdir(folder.c_str(), 0755);
  const std::int64_t since = now_ms() - 1000 - poll_ms;
  std::uint64_t kept = 0;
  const auto keep = [&](std::uint64_t number) {
    if (number == no_case || kept >= alarm_cases_max) return;
    const std::string path = fmt::format("{}/case-{}.scn", folder, number);
    if (write_file(path, print(scenario_of(job_.source.make(number).program)))) ++kept;
  };
  for (const WorkerProcess& worker : workers_) {
    const Slot& slot = **worker.slot;
    keep(slot.current);
    for (const RecentCase& recent : slot.recent) {
      if (recent.finished_ms >= since) keep(recent.number);
    }
  }
  kept += fuzzers_.keep_recent(folder, since);
  complain(fmt::format("  the {} cases of that second: {}", kept, folder));
}

// --- progress and summary

Counts Explore::seeded() const {
  Counts counts;
  for (const WorkerProcess& worker : workers_) {
    if (worker.slot) counts.add((*worker.slot)->counts);
  }
  return counts;
}

// Of both roads.
Counts Explore::total() const {
  Counts counts = seeded();
  counts.add(fuzzers_.counts());
  if (!options_.libfuzzer_missing.empty()) ++counts.not_run;
  return counts;
}

// On a terminal one line that is written over; elsewhere lines, rarer the longer it takes.
void Explore::show_progress() {
  if (now_ms() < next_progress_ms_) return;
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  const Counts counts = total();
  const gen::CoverageStats& stats = counts.stats;
  const double seconds = seconds_passed();
  const std::string line = fmt::format(
      "{:.0f} s, {} cases ({:.0f} a second), {} steps ({:.0f} % ok), {} of {} rules, {} "
      "disagreements, {} not run",
      seconds, stats.scenarios, static_cast<double>(stats.scenarios) / std::max(seconds, 0.001),
      stats.steps, stats.percent_of_steps(stats.steps_ok), stats.rules_reached(),
      gen::rules_shown_by(release_),
      counts.disagreements, counts.not_run);
  if (terminal) {
    progress_.show(line);
  } else {
    complain(line);
  }
  next_progress_ms_ = now_ms() + 2000 + (terminal ? 0 : static_cast<std::int64_t>(seconds * 30));
}

void Explore::summary(const Reduced& reduced) {
  progress_.clear();
  const Counts counts = total();
  const gen::CoverageStats& t = counts.stats;
  const double seconds = std::max(static_cast<double>(ended_ms_ - started_ms_) / 1000.0, 0.001);
  std::string text;
  for (const RuleInfo& rule : rule_table()) {
    if (t.rules[static_cast<std::size_t>(rule.rule)] == 0 && shown_by(rule, release_)) {
      text += fmt::format("not reached: {}\n", rule.name);
    }
  }
  const auto line = [&](std::string_view key, const auto& value) {
    text += fmt::format("{}: {}\n", key, value);
  };
  const auto percent = [&](std::string_view key, double value) {
    text += fmt::format("{}: {:.1f}\n", key, value);
  };
  line("cases", t.scenarios);
  percent("cases_per_second", static_cast<double>(t.scenarios) / seconds);
  line("steps", t.steps);
  percent("steps_ok_percent", t.percent_of_steps(t.steps_ok));
  percent("scenarios_pivot_percent", t.percent_of_scenarios(t.with_pivot));
  percent("scenarios_attached_pivot_percent", t.percent_of_scenarios(t.with_attached_pivot));
  percent("scenarios_two_tasks_percent", t.percent_of_scenarios(t.with_two_tasks));
  percent("scenarios_two_namespaces_percent", t.percent_of_scenarios(t.with_two_namespaces));
  percent("scenarios_userns_percent", t.percent_of_scenarios(t.with_user_namespace));
  line("rules_reached", fmt::format("{}/{}", t.rules_reached(), gen::rules_shown_by(release_)));
  text += "verbs_ok_percent:";
  for (std::size_t i = 0; i < prototypes().size(); ++i) {
    const auto tried = static_cast<double>(std::max<std::uint64_t>(t.attempted[i], 1));
    text += fmt::format(" {} {:.0f}", verb(prototypes()[i]),
                        100.0 * static_cast<double>(t.succeeded[i]) / tried);
  }
  text += "\n";
  line("observers_cross_checked", counts.cross_checked);
  line("mountinfo_incomplete", counts.mountinfo_incomplete);
  line("state_unseen", counts.state_unseen);
  line("refused_by_chance", counts.chance_refusals);
  line("kernel_log_alarms", log_.readable() ? std::to_string(alarms_)
                                            : "not watched, " + log_.unreadable_because());
  line("disagreements", counts.disagreements);
  line("not_run", counts.not_run);
  line("seed", job_.source.seed);
  line("artifacts", job_.artifacts);
  print(text + engines(reduced));
}

// What each road did, where there are two.
std::string Explore::engines(const Reduced& reduced) const {
  if (fuzzer_jobs_ == 0 && options_.libfuzzer_missing.empty()) return "";
  const double seconds = static_cast<double>(ended_ms_ - started_ms_) / 1000.0;
  const auto source = [&](std::string_view name, const Counts& counts, std::size_t jobs, double cpu) {
    return fmt::format("{}: {} cases, {} steps, {} rules, {} disagreements in {:.1f} s on {} jobs, "
                       "{:.1f} s of CPU\n",
                       name, counts.stats.scenarios, counts.stats.steps,
                       counts.stats.rules_reached(), counts.disagreements, seconds, jobs, cpu);
  };
  std::string text = source("road_seeded", seeded(), workers_.size(), cpu_seconds_);
  if (fuzzer_jobs_ == 0) {
    return text + "road_libfuzzer: not run, " + options_.libfuzzer_missing + "\n";
  }
  text += source("road_libfuzzer", fuzzers_.counts(), fuzzer_jobs_, fuzzers_.cpu_seconds());
  const CorpusFolder corpus = look_at_corpus(options_.corpus);
  text += fmt::format("corpus: {}\n", options_.corpus);
  text += fmt::format("corpus_files: {}\n", corpus.good.size() + corpus.bad.size());
  return text + fmt::format("features: {}\n", reduced.features);
}

ExitStatus Explore::status() const {
  const Counts counts = total();
  if (counts.disagreements > 0) return ExitStatus::disagreed;
  if (failure_count_ > 0 || alarms_ > 0 || counts.not_run > 0) return ExitStatus::harness;
  return counts.stats.scenarios > 0 ? ExitStatus::agreed : ExitStatus::nothing_ran;
}

// --- the story

// Until the time is up, the cases are used up, or somebody wants it to end.
void Explore::watch() {
  const std::int64_t end_ms =
      options_.seconds ? started_ms_ + static_cast<std::int64_t>(*options_.seconds) * 1000
                       : INT64_MAX;
  bool working = true;
  while (working && interrupted == 0 && now_ms() < end_ms &&
         !(options_.until_found && any_found_)) {
    receive();
    watch_log();
    working = false;
    for (WorkerProcess& worker : workers_) working = supervise(worker) || working;
    const bool fuzzing = fuzzers_.supervise();
    // A number of cases is meant of the seeded ones; without it libFuzzer may go on alone.
    if (!options_.cases) working = working || fuzzing;
    show_progress();
  }
}

void Explore::end_workers() {
  findings_->stop = true;
  const std::int64_t patience_ms = now_ms() + shutdown_ms;
  bool working = true;
  while (working && now_ms() < patience_ms) {
    receive();
    working = false;
    for (WorkerProcess& worker : workers_) working = supervise(worker) || working;
    working = fuzzers_.supervise() || working;
  }
  fuzzers_.end();
  for (WorkerProcess& worker : workers_) {
    if (worker.pid < 0) continue;
    ::kill(worker.pid, SIGKILL);
    ::waitpid(worker.pid, nullptr, 0);
    worker.pid = -1;
    lost(worker, fmt::format("did not end within {} s", shutdown_ms / 1000));
  }
  receive();
  watch_log();
  ended_ms_ = now_ms();
}

ExitStatus Explore::all() {
  if (::mkdir(job_.artifacts.c_str(), 0755) != 0 && errno != EEXIST) {
    complain(fmt::format("mkdir {}: {}", job_.artifacts, errno_name(errno)));
    return ExitStatus::harness;
  }
  struct sigaction action {};
  action.sa_handler = interrupt;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  if (const auto begun = begin(); !begun) failed(begun.error().what);
  watch();
  end_workers();
  const Reduced reduced = fuzzers_.reduce(now_ms() + reduce_ms);
  summary(reduced);
  ::rmdir(job_.artifacts.c_str());  // goes if nothing is in it
  return status();
}

// --- what can run here

std::vector<Privilege> wanted(const ExploreOptions& options) {
  if (options.privilege == "userns") return {Privilege::userns};
  if (options.privilege == "root") return {Privilege::root};
  if (options.privilege == "both" || ::geteuid() == 0) return {Privilege::userns, Privilege::root};
  complain("not root: only worlds in user namespaces (privilege userns) are explored");
  return {Privilege::userns};
}

// Those of the wanted privileges for which a world can be made. Says why not for the others.
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

ExitStatus explore(ExploreOptions options) {
  std::optional<KernelTraits> traits;
  ExploreJob job;
  job.source.privileges = runnable(options, traits);
  if (job.source.privileges.empty()) {
    complain("nothing can run here, so nothing is known (see pivotcheck doctor)");
    return ExitStatus::nothing_ran;
  }
  job.source.traits = *traits;
  job.source.recipes = !options.no_recipes;
  job.source.seed = options.seed ? *options.seed : std::random_device()();
  job.cases_max = options.cases.value_or(no_case);
  job.artifacts = options.artifacts;
  utsname name{};
  ::uname(&name);
  job.release = name.release;
  if (!options.seconds && !options.cases) options.seconds = 60;
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  std::size_t jobs = options.jobs.value_or(cores * jobs_per_core);
  FuzzerOptions fuzzers{.target = options.libfuzzer,
                        .corpus = options.corpus,
                        .seeds = options.seeds,
                        .artifacts = options.artifacts,
                        .privilege = name_of(job.source.privileges),
                        .seed = job.source.seed,
                        .recipes = job.source.recipes};
  if (!options.libfuzzer.empty()) {
    // Each road has one job at the least, unless the other one is to have all.
    const std::size_t percent = options.libfuzzer_percent;
    fuzzers.jobs = std::max<std::size_t>(1, jobs * percent / 100);
    jobs = percent == 100 ? 0 : std::max<std::size_t>(1, jobs - fuzzers.jobs);
    complain(fmt::format("side by side: {} jobs for libFuzzer ({} % of the time), {} for seeded "
                         "scenarios; corpus {}",
                         fuzzers.jobs, 100 * fuzzers.jobs / (fuzzers.jobs + jobs), jobs,
                         options.corpus));
  } else if (!options.libfuzzer_missing.empty()) {
    complain(fmt::format("libFuzzer DOES NOT RUN: {}; all {} jobs are for seeded scenarios, and "
                         "this run is not complete",
                         options.libfuzzer_missing, jobs));
  }
  return Explore(options, std::move(job), jobs, std::move(fuzzers)).all();
}

// For ci/fuzz, which knows where all this is.
std::vector<OptionSpec> libfuzzer_options(ExploreOptions& options) {
  return {{.names = "--libfuzzer",
           .target = &options.libfuzzer,
           .help = "a fuzz_trial of this build",
           .is_file = true,
           .needs = "--corpus"},
          {.names = "--libfuzzer-missing",
           .target = &options.libfuzzer_missing,
           .help = "why there is none; the run then ends with 3, because a part of it is missing",
           .excludes = "--libfuzzer"},
          {.names = "--corpus",
           .target = &options.corpus,
           .help = "where libFuzzer keeps what reached something new",
           .may_repeat = true},  // ci/fuzz says one, and who runs it may say another
          {.names = "--libfuzzer-percent",
           .target = &options.libfuzzer_percent,
           .help = "how many of the jobs are libFuzzer's; each road has one, but 100 is all",
           .min = 1,
           .max = 100,
           .shows_default = true},
          {.names = "--seeds",
           .target = &options.seeds,
           .help = "a folder of scenarios to begin with, only read"}};
}

}  // namespace

CommandSpec explore_command() {
  auto options = std::make_shared<ExploreOptions>();
  CommandSpec command{
      .name = "explore",
      .summary = "Make up random scenarios and compare the running kernel with the model",
      .options = {{.names = "--seconds",
                   .target = &options->seconds,
                   .help = "how long; 60 if --cases is not given either"},
                  {.names = "--cases", .target = &options->cases, .help = "how many scenarios"},
                  {.names = "--jobs",
                   .target = &options->jobs,
                   .help = "worker processes; 6 for each core if not given",
                   .min = 1,
                   .max = jobs_max},
                  {.names = "--seed",
                   .target = &options->seed,
                   .help = "repeats a run: case N of a seed is always the same scenario, as long "
                           "as the privileges are the same"},
                  {.names = "--privilege",
                   .target = &options->privilege,
                   .help = "userns, root or both; not given: both as root, else userns",
                   .choices = {"userns", "root", "both"}},
                  {.names = "--artifacts",
                   .target = &options->artifacts,
                   .help = "folder for what was found",
                   .shows_default = true},
                  {.names = "--until-found",
                   .target = &options->until_found,
                   .help = "end as soon as one disagreement was found and minimized"},
                  {.names = "--no-recipes",
                   .target = &options->no_recipes,
                   .help = "only single random steps: without the short written idioms, which "
                           "spell out what triggers nearly every rule"}},
      .footer =
          "Every disagreement is minimized, printed and kept in the folder; run replays it.\n"
          "Ends with lines 'key: value'. Exit status: 0 all agreed, 1 a disagreement, 3 the harness\n"
          "could not do its work or the kernel's log has alarms, 4 nothing can run here.",
      .run = [options] { return explore(*options); }};
  std::ranges::move(libfuzzer_options(*options), std::back_inserter(command.options));
  return command;
}

}  // namespace pivotcheck::cli
