// SPDX-License-Identifier: Apache-2.0
// explore_campaign.cc: a run of `pivotcheck explore`: what a worker does, then the parent. Start at
// Explore::run; helpers come first.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <deque>
#include <set>
#include <string>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/unique_fd.h"
#include "check/gen/scenario_generator.h"
#include "check/gen/choices.h"
#include "check/trial/campaign.h"
#include "check/trial/kernel_log.h"
#include "check/trial/trial.h"
#include "explore.h"
#include "explore_fuzzers.h"
#include "interruption.h"
#include "op/outcome.h"
#include "output.h"
#include "supervisor.h"

namespace pivotcheck::cli {
namespace {

// Reading the state by listmount and mountinfo costs as much as the rest of a case.
constexpr int cross_check_every = 16;
constexpr std::int64_t shutdown_ms = 15'000;  // for a case under way when it is time to stop
constexpr int poll_ms = 100;
constexpr std::size_t failures_shown_max = 10;
constexpr std::uint64_t warning_cases_max = 20'000;
constexpr std::int64_t reduce_ms = 10'000;  // for the corpus, which usually takes a second

// From so many random cases on, a law whose premise never held is a failure: in 20,000 cases the
// rarest held some twenty times.
constexpr std::uint64_t all_laws_asked_cases = 20'000;

constexpr std::uint64_t no_case = UINT64_MAX;
constexpr std::size_t recent_cases = 4096;  // per worker: more than it can do in a second

struct RecentCase {
  std::atomic<std::uint64_t> number{no_case};
  std::atomic<std::int64_t> finished_ms{0};
};

// Written by one worker; the parent may see slightly stale values.
struct Slot {
  std::atomic<std::uint64_t> current{no_case};
  std::atomic<std::int64_t> alive_ms{0};  // when it last made progress
  Counts counts;
  std::array<RecentCase, recent_cases> recent{};
  std::atomic<std::uint64_t> finished{0};  // how many entries of `recent` were ever written
};

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Pipe make_pipe() {
  std::array<int, 2> ends{-1, -1};
  (void)::pipe2(ends.data(), O_CLOEXEC);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

class Explore {
 public:
  explicit Explore(const ExploreJob& job);

  ExitStatus run();

 private:
  [[nodiscard]] Prediction make_case(std::uint64_t number, gen::ProbeCounts& probed) const;
  [[nodiscard]] Prediction make_case(std::uint64_t number) const {
    gen::ProbeCounts probed;
    return make_case(number, probed);
  }
  void work(Slot& slot);
  void start();
  void watch();
  void stop();
  [[nodiscard]] std::int64_t end_ms() const;
  void receive();
  void print_finding(const std::string& path);
  void report_failure(const std::string& what);
  void report_lost_worker(Slot& slot, const std::string& how);
  void watch_kernel_log();
  std::uint64_t keep_recent_cases(const std::string& folder, std::int64_t since_ms) const;
  [[nodiscard]] Scenario named_case(std::uint64_t number, const std::string& title) const;
  [[nodiscard]] std::string time_left(double seconds) const;
  [[nodiscard]] std::string cases_begun() const;
  void show_progress();
  [[nodiscard]] Counts random_counts() const;
  [[nodiscard]] Counts total() const;
  [[nodiscard]] Json summary() const;
  [[nodiscard]] ExitStatus status() const;
  void report_laws_not_asked();

  const ExploreJob& job_;
  Pipe pipe_ = make_pipe();
  // Of the cases of the seed, this run's are those from the first one to before the last one.
  const std::uint64_t first_case_ = job_.only_case.value_or(0);
  const std::uint64_t last_case_ =
      job_.only_case ? *job_.only_case + 1 : job_.cases.value_or(no_case);
  SharedMemory<std::atomic<std::uint64_t>> next_case_;
  SharedMemory<Findings> findings_;
  std::deque<SharedMemory<Slot>> slots_;  // of each worker
  Supervisor workers_;
  Fuzzers fuzzers_;
  std::string received_;
  KernelLog log_ = KernelLog::open();
  const Release release_ = running_release();
  Progress progress_;
  const std::int64_t started_ms_ = now_ms();
  std::int64_t ended_ms_ = 0;
  std::int64_t next_progress_ms_ = 0;
  std::set<std::string> failures_;  // that were shown
  std::uint64_t failure_count_ = 0;
  std::uint64_t warnings_ = 0;  // times that the kernel's log had some
  bool any_found_ = false;
};

Explore::Explore(const ExploreJob& job)
    : job_(job),
      slots_(job.random_jobs),
      workers_(job.random_jobs, findings_->stop,
               {.run = [this](std::size_t i) { work(*slots_[i]); },
                .alive_ms = [this](std::size_t i) { return &slots_[i]->alive_ms; },
                .lost = [this](std::size_t i,
                               const std::string& how) { report_lost_worker(*slots_[i], how); },
                .failed = [this](const std::string& what) { report_failure(what); },
                .may_finish = true}),
      fuzzers_(job, findings_, pipe_.write_end.get(),
               [this](const std::string& what) { report_failure(what); }) {
  *next_case_ = first_case_;
}

Prediction Explore::make_case(std::uint64_t number, gen::ProbeCounts& probed) const {
  const std::vector<Privilege>& privileges = job_.privileges;
  const ScenarioGenerator generator({.privilege = privileges[number % privileges.size()],
                                     .traits = job_.traits,
                                     .recipes = !job_.no_recipes});
  SeededChoices choices(*job_.seed, number);
  return generator.generate(choices, probed);
}

// A worker, in the forked process. Returns when there is nothing left to do.
//
//     generate, which predicts --> perform, compare, count, report (check/trial/campaign.h)
void Explore::work(Slot& slot) {
  const int pipe = pipe_.write_end.get();
  slot.alive_ms = now_ms();
  auto trial = Trial::make(
      {.traits = job_.traits,
       .cross_check_every = cross_check_every,
       .law_quirks = job_.no_law_quirks ? std::optional(laws::Quirks()) : std::nullopt,
       .asks_kernel = !job_.no_kernel});
  if (!trial) {
    ++slot.counts.not_run;
    return send_message(pipe, Message::Kind::failure, trial.error().what);
  }
  FindingReporter reporter({*findings_, slot.counts, slot.alive_ms, pipe, job_.artifacts},
                           std::move(*trial));
  while (!findings_->stop) {
    const std::uint64_t number = (*next_case_)++;
    if (number >= last_case_) return;
    slot.alive_ms = now_ms();
    slot.current = number;
    const Prediction generated = make_case(number, slot.counts.probed);
    reporter.perform({.name = fmt::format("case-{}", number),
                      .origin = fmt::format("seed {} case {}", *job_.seed, number),
                      .scenario = [&] { return scenario_of(generated.program); }},
                     generated);
    RecentCase& recent = slot.recent[slot.finished++ % recent_cases];
    recent.number = number;
    recent.finished_ms = now_ms();
    slot.current = no_case;
  }
}

void Explore::start() {
  if (!pipe_.write_end) return report_failure("pipe2: " + errno_name(errno));
  gen::CoverageStats().add(make_case(first_case_));  // what is made once is made before the forks
  workers_.start_all();
  fuzzers_.start();
}

// --- what the processes say

void Explore::receive() {
  pollfd waiting{pipe_.read_end.get(), POLLIN, 0};
  int timeout_ms = poll_ms;
  while (::poll(&waiting, 1, timeout_ms) > 0 && (waiting.revents & POLLIN) != 0) {
    timeout_ms = 0;
    std::array<char, 1 << 16> buffer;
    const ssize_t count = ::read(pipe_.read_end.get(), buffer.data(), buffer.size());
    if (count <= 0) break;
    received_.append(buffer.data(), static_cast<std::size_t>(count));
  }
  for (std::size_t end; (end = received_.find('\n')) != std::string::npos;) {
    const std::string text = received_.substr(1, end - 1);
    const auto kind = static_cast<Message::Kind>(received_.front());
    received_.erase(0, end + 1);
    if (kind == Message::Kind::finding) any_found_ = true;
    if (kind == Message::Kind::finding || kind == Message::Kind::seen_once) print_finding(text);
    if (kind == Message::Kind::failure) report_failure(text);
  }
}

void Explore::print_finding(const std::string& path) {
  progress_.clear();
  const std::string text = read_file(path);
  print(job_.json ? line({{"finding", path}, {"report", text}}) : text + "\n");
  flush();
}

void Explore::report_failure(const std::string& what) {
  ++failure_count_;
  // The same failure of many cases ("case 12: ...") is shown once.
  const std::size_t after_number = what.find(": ");
  const std::string failure = after_number == std::string::npos ? what : what.substr(after_number);
  if (failures_.size() >= failures_shown_max || !failures_.insert(failure).second) return;
  progress_.clear();
  complain(what);
}

Scenario Explore::named_case(std::uint64_t number, const std::string& title) const {
  Scenario scenario = scenario_of(make_case(number).program);
  utsname kernel{};
  ::uname(&kernel);
  scenario.title = title;
  scenario.about = {fmt::format("kernel {}", kernel.release),
                    fmt::format("seed {} case {}", *job_.seed, number)};
  return scenario;
}

void Explore::report_lost_worker(Slot& slot, const std::string& how) {
  if (must_end_at_once()) return;
  const std::uint64_t number = slot.current.exchange(no_case);
  if (number == no_case) return report_failure("a worker " + how + " between two cases");
  ++slot.counts.not_run;
  const std::string path = fmt::format("{}/lost-case-{}.scn", job_.artifacts, number);
  const bool written = write_file(path, pivotcheck::print(named_case(number, "a worker " + how)));
  report_failure(fmt::format("case {}: a worker {}: {}{}", number, how, path,
                             written ? "" : ", which can't be written: " + errno_name(errno)));
}

// --- the kernel's log

// A warning names no case: every case that any process was at in the last second is kept.
void Explore::watch_kernel_log() {
  const auto lines = log_.kernel_warnings();
  if (lines.empty()) return;
  progress_.clear();
  for (const std::string& line : lines) complain("the kernel's log: " + line);
  const std::string folder = fmt::format("{}/alarm-{}", job_.artifacts, ++warnings_);
  ::mkdir(folder.c_str(), 0755);
  const std::int64_t since_ms = now_ms() - 1000 - poll_ms;
  const std::uint64_t kept =
      keep_recent_cases(folder, since_ms) + fuzzers_.keep_recent(folder, since_ms);
  complain(fmt::format("  the {} cases of that second: {}", kept, folder));
}

std::uint64_t Explore::keep_recent_cases(const std::string& folder, std::int64_t since_ms) const {
  std::uint64_t kept = 0;
  const auto keep = [&](std::uint64_t number) {
    if (number == no_case || kept >= warning_cases_max) return;
    const std::string path = fmt::format("{}/case-{}.scn", folder, number);
    const Scenario scenario = named_case(number, "at a warning in the kernel's log");
    if (write_file(path, pivotcheck::print(scenario))) ++kept;
  };
  for (const auto& slot : slots_) {
    keep(slot->current);
    for (const RecentCase& recent : slot->recent) {
      if (recent.finished_ms >= since_ms) keep(recent.number);
    }
  }
  return kept;
}

// --- figures

Counts Explore::random_counts() const {
  Counts counts;
  for (const auto& slot : slots_) counts.add(slot->counts);
  return counts;
}

Counts Explore::total() const {
  Counts counts = random_counts();
  counts.add(fuzzers_.counts());
  if (!fuzzers_.missing().empty()) ++counts.not_run;
  return counts;
}

// "; 12 s left", of the time or of the cases, whichever ends first; "": not known.
std::string Explore::time_left(double seconds) const {
  std::optional<double> left;
  if (end_ms() != INT64_MAX) left = static_cast<double>(end_ms() - now_ms()) / 1000.0;
  const auto begun = static_cast<double>(*next_case_ - first_case_);
  if (last_case_ != no_case && begun > 0) {
    const auto all = static_cast<double>(last_case_ - first_case_);
    const double of_cases = seconds * (all - begun) / begun;
    left = std::min(left.value_or(of_cases), of_cases);
  }
  return left ? fmt::format("; {:.0f} s left", std::max(*left, 0.0)) : "";
}

// On a terminal one line that is written over; elsewhere lines, rarer the longer it takes.
void Explore::show_progress() {
  if (now_ms() < next_progress_ms_) return;
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  const double seconds = static_cast<double>(now_ms() - started_ms_) / 1000.0;
  const std::string line = progress_line(seconds, total(), release_) + time_left(seconds);
  if (terminal) {
    progress_.show(line);
  } else {
    complain(line);
  }
  next_progress_ms_ = now_ms() + 2000 + (terminal ? 0 : static_cast<std::int64_t>(seconds * 30));
}

// "0-1233": the numbers of this seed that were taken; "none".
std::string Explore::cases_begun() const {
  const std::uint64_t end = std::min<std::uint64_t>(*next_case_, last_case_);
  if (end == first_case_) return "none";
  if (end == first_case_ + 1) return std::to_string(first_case_);
  return fmt::format("{}-{}", first_case_, end - 1);
}

Json Explore::summary() const {
  const auto seconds_since = [&](std::int64_t begin_ms) {
    return static_cast<double>(ended_ms_ - begin_ms) / 1000.0;
  };
  const double seconds = seconds_since(started_ms_);
  const Counts counts = total();
  Json all = figures(seconds, counts, release_);
  all["kernel_log_alarms"] = log_.readable() ? Json(warnings_)
                                             : Json("not watched, " + log_.unreadable_because());
  all["disagreements"] = counts.disagreements;
  all["broken_laws"] = counts.broken_laws;
  all["not_run"] = counts.not_run;
  all["seed"] = *job_.seed;
  all["case"] = cases_begun();
  all["privilege"] = name_of(job_.privileges);
  all["artifacts"] = job_.artifacts;
  set(all, "interrupted", interruption());
  // What each engine did, if both were wanted.
  const std::string& missing = fuzzers_.missing();
  if (fuzzers_.jobs() == 0 && missing.empty()) return all;
  all["road_seeded"] =
      figures({random_counts(), job_.random_jobs, seconds, workers_.cpu_seconds()});
  if (!missing.empty()) {
    all["road_libfuzzer"] = "not run, " + missing;
    return all;
  }
  const double fuzzing = seconds_since(std::max(started_ms_, fuzzers_.started_ms()));
  all["road_libfuzzer"] =
      figures({fuzzers_.counts(), fuzzers_.jobs(), fuzzing, fuzzers_.cpu_seconds()});
  fuzzers_.add_corpus_figures(all);
  return all;
}

ExitStatus Explore::status() const {
  const Counts counts = total();
  if (counts.disagreements + counts.broken_laws > 0) return ExitStatus::disagreed;
  if (failure_count_ > 0 || warnings_ > 0 || counts.not_run > 0) return ExitStatus::harness;
  return counts.stats.scenarios > 0 ? ExitStatus::agreed : ExitStatus::nothing_ran;
}

// Before 6.17 quirks keep some laws from being asked, and without recipes some steps are too rare.
void Explore::report_laws_not_asked() {
  const Counts counts = total();
  const bool older_rules = !job_.traits.umounts_largest_set;
  if (job_.no_recipes || older_rules || counts.stats.scenarios < all_laws_asked_cases) return;
  for (std::size_t i = 0; i < laws::laws_count; ++i) {
    if (counts.laws_asked[i] > 0) continue;
    report_failure(fmt::format("law {}: never asked in {} cases", laws::all_laws()[i].name,
                               counts.stats.scenarios));
  }
}

// --- from the start to the end

std::int64_t Explore::end_ms() const {
  if (!job_.seconds || fuzzers_.is_building()) return INT64_MAX;
  return std::max(started_ms_, fuzzers_.started_ms()) +
         static_cast<std::int64_t>(*job_.seconds) * 1000;
}

// Until the time is up, the cases are used up, or a signal ends it.
void Explore::watch() {
  bool working = true;
  while (working && !is_interrupted() && now_ms() < end_ms() && !(job_.until_found && any_found_)) {
    receive();
    watch_kernel_log();
    working = workers_.poll();
    const bool fuzzing = fuzzers_.poll();
    // A number of cases is a number of random ones; without it libFuzzer may go on alone.
    if (last_case_ == no_case) working = working || fuzzing;
    show_progress();
  }
}

void Explore::stop() {
  findings_->stop = true;
  fuzzers_.stop_building();
  const std::int64_t deadline_ms = now_ms() + shutdown_ms;
  bool working = true;
  while (working && now_ms() < deadline_ms && !must_end_at_once()) {
    receive();
    working = workers_.poll();
    working = fuzzers_.poll() || working;
  }
  fuzzers_.kill_rest();
  workers_.kill_rest(fmt::format("did not end within {} s", shutdown_ms / 1000));
  receive();
  watch_kernel_log();
  ended_ms_ = now_ms();
}

ExitStatus Explore::run() {
  if (::mkdir(job_.artifacts.c_str(), 0755) != 0 && errno != EEXIST) {
    return complain(fmt::format("mkdir {}: {}", job_.artifacts, errno_name(errno)),
                    ExitStatus::harness);
  }
  start();
  watch();
  stop();
  fuzzers_.reduce(now_ms() + reduce_ms);
  report_laws_not_asked();
  // libFuzzer repeats what is rare.
  for (const std::string& what : seen_too_little(random_counts())) report_failure(what);
  progress_.clear();
  print(job_.json ? line(summary()) : text_of(summary()));
  ::rmdir(job_.artifacts.c_str());  // succeeds if nothing is in it
  return unless_interrupted(status());
}

}  // namespace

ExitStatus run_campaign(const ExploreJob& job) { return Explore(job).run(); }

}  // namespace pivotcheck::cli
