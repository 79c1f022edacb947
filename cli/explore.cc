// SPDX-License-Identifier: Apache-2.0
// explore.cc: `pivotcheck explore`: random scenarios on the running kernel against the model,
// in many processes, until the time is up. This is the parent: it starts workers, watches them
// and the kernel's log, and says what was found. What a worker does is in explore_worker.cc.
#include "explore.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <memory>
#include <new>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/unique_fd.h"
#include "commands.h"
#include "op/outcome.h"
#include "output.h"
#include "trial/kernel_log.h"

namespace pivotcheck::cli {
namespace {

constexpr std::size_t jobs_per_core = 6;  // a reset waits for RCU most of its time
constexpr std::size_t jobs_max = 1024;
constexpr std::int64_t hang_ms = 120'000;     // longer than any deadline in a case, or minimizing
constexpr std::int64_t farewell_ms = 15'000;  // for a case under way when it is time to stop
constexpr int poll_ms = 100;
constexpr std::size_t failures_shown_max = 10;
constexpr int losses_max = 20;  // a harness that loses more workers than this is not worth running
constexpr std::uint64_t alarm_cases_max = 20'000;

struct ExploreOptions {
  std::optional<std::uint64_t> seconds;
  std::optional<std::size_t> jobs;
  std::optional<std::uint64_t> seed;
  std::optional<std::uint64_t> cases;
  std::string privilege;  // "": whatever runs here
  std::string artifacts = "artifacts";
  bool until_found = false;
};

volatile std::sig_atomic_t interrupted = 0;
void interrupt(int) { interrupted = 1; }

// Anonymous shared memory that holds one T, made before the workers are forked.
template <class T>
class SharedMemory {
 public:
  SharedMemory()
      : memory_(::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                       0)) {
    if (memory_ == MAP_FAILED) throw std::bad_alloc();
    object_ = new (memory_) T();
  }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory() { ::munmap(memory_, sizeof(T)); }
  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }

 private:
  void* memory_;
  T* object_ = nullptr;
};

struct WorkerProcess {
  pid_t pid = -1;
  std::unique_ptr<SharedMemory<Slot>> slot;
};

class Explore {
 public:
  Explore(const ExploreOptions& options, ExploreJob job, std::size_t jobs)
      : options_(options), job_(std::move(job)), workers_(jobs) {}

  ExitStatus all();

 private:
  Expected<void> begin();
  Expected<void> start(WorkerProcess& worker);
  void watch();
  void receive();
  void found(const std::string& path);
  void failed(const std::string& words);
  bool look_after(WorkerProcess& worker);
  void lost(WorkerProcess& worker, const std::string& how);
  void watch_log();
  void keep_alarmed_cases(const std::string& folder);
  void show_progress();
  void end_workers();
  gen::Tally total() const;
  std::uint64_t sum(std::uint64_t Slot::* member) const;
  double seconds_passed() const { return static_cast<double>(now_ms() - started_ms_) / 1000.0; }
  void summary();
  ExitStatus status() const;

  const ExploreOptions& options_;
  const ExploreJob job_;
  SharedMemory<Shared> shared_;
  std::vector<WorkerProcess> workers_;
  UniqueFd read_end_;
  UniqueFd write_end_;
  std::string received_;
  KernelLog log_ = KernelLog::open();
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

Expected<void> Explore::begin() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail("pipe2: " + errno_name(errno));
  read_end_.reset(ends[0]);
  write_end_.reset(ends[1]);
  gen::Tally().add(job_.source.make(0));  // whatever is made once is made before the forks
  for (WorkerProcess& worker : workers_) {
    worker.slot = std::make_unique<SharedMemory<Slot>>();
    if (auto started = start(worker); !started) return started;
  }
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
  if (::getppid() == parent) work(job_, *shared_, **worker.slot, write_end_.get());
  std::fflush(nullptr);
  ::_exit(0);
}

// --- what workers say

void Explore::receive() {
  pollfd waiting{read_end_.get(), POLLIN, 0};
  int timeout_ms = poll_ms;
  while (::poll(&waiting, 1, timeout_ms) > 0 && (waiting.revents & POLLIN) != 0) {
    timeout_ms = 0;
    std::array<char, 1 << 16> buffer;
    const ssize_t count = ::read(read_end_.get(), buffer.data(), buffer.size());
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
bool Explore::look_after(WorkerProcess& worker) {
  if (worker.pid < 0) return false;
  Slot& slot = **worker.slot;
  int wait_status = 0;
  if (::waitpid(worker.pid, &wait_status, WNOHANG) == worker.pid) {
    worker.pid = -1;
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) return false;
    lost(worker, WIFSIGNALED(wait_status)
                     ? fmt::format("was killed by signal {}", WTERMSIG(wait_status))
                     : fmt::format("ended with status {}", WEXITSTATUS(wait_status)));
  } else if (now_ms() - slot.alive_ms > hang_ms) {
    ::kill(worker.pid, SIGKILL);
    ::waitpid(worker.pid, nullptr, 0);
    worker.pid = -1;
    lost(worker, fmt::format("hung for {} s", hang_ms / 1000));
  } else {
    return true;
  }
  if (losses_ > losses_max || shared_->stop) return false;
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
  ++slot.not_run;
  Scenario scenario = job_.source.make(number).scenario();
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
  const auto lines = log_.alarms();
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
    if (write_file(path, print(job_.source.make(number).scenario()))) ++kept;
  };
  for (const WorkerProcess& worker : workers_) {
    const Slot& slot = **worker.slot;
    keep(slot.current);
    for (const RecentCase& recent : slot.recent) {
      if (recent.finished_ms >= since) keep(recent.number);
    }
  }
  complain(fmt::format("  the {} cases of that second: {}", kept, folder));
}

// --- progress and summary

gen::Tally Explore::total() const {
  gen::Tally tally;
  for (const WorkerProcess& worker : workers_) tally.add((*worker.slot)->tally);
  return tally;
}

std::uint64_t Explore::sum(std::uint64_t Slot::* member) const {
  std::uint64_t result = 0;
  for (const WorkerProcess& worker : workers_) result += (**worker.slot).*member;
  return result;
}

// On a terminal one line that is written over; elsewhere lines, rarer the longer it takes.
void Explore::show_progress() {
  if (now_ms() < next_progress_ms_) return;
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  const gen::Tally tally = total();
  const double seconds = seconds_passed();
  const std::string line = fmt::format(
      "{:.0f} s, {} cases ({:.0f} a second), {} steps ({:.0f} % ok), {} of {} rules, {} "
      "disagreements, {} not run",
      seconds, tally.scenarios, static_cast<double>(tally.scenarios) / std::max(seconds, 0.001),
      tally.steps, tally.percent_of_steps(tally.steps_ok), tally.rules_reached(), gen::rules_count,
      shared_->disagreements.load(), sum(&Slot::not_run));
  if (terminal) {
    progress_.show(line);
  } else {
    complain(line);
  }
  next_progress_ms_ = now_ms() + 2000 + (terminal ? 0 : static_cast<std::int64_t>(seconds * 30));
}

void Explore::summary() {
  progress_.clear();
  const gen::Tally t = total();
  const double seconds = std::max(static_cast<double>(ended_ms_ - started_ms_) / 1000.0, 0.001);
  std::string text;
  for (const RuleInfo& rule : rule_table()) {
    if (t.rules[static_cast<std::size_t>(rule.rule)] == 0) {
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
  percent("scenarios_two_tasks_percent", t.percent_of_scenarios(t.with_two_tasks));
  percent("scenarios_two_namespaces_percent", t.percent_of_scenarios(t.with_two_namespaces));
  percent("scenarios_userns_percent", t.percent_of_scenarios(t.with_user_namespace));
  line("rules_reached", fmt::format("{}/{}", t.rules_reached(), gen::rules_count));
  line("observers_cross_checked", sum(&Slot::cross_checked));
  line("mountinfo_incomplete", sum(&Slot::mountinfo_incomplete));
  line("state_unseen", sum(&Slot::state_unseen));
  line("refused_by_chance", sum(&Slot::chance_refusals));
  line("kernel_log_alarms", log_.readable() ? std::to_string(alarms_)
                                            : "not watched, " + log_.unreadable_because());
  line("disagreements", shared_->disagreements.load());
  line("not_run", sum(&Slot::not_run));
  line("seed", job_.source.seed);
  line("artifacts", job_.artifacts);
  print(text);
}

ExitStatus Explore::status() const {
  if (shared_->disagreements > 0) return ExitStatus::disagreed;
  if (failure_count_ > 0 || alarms_ > 0 || sum(&Slot::not_run) > 0) return ExitStatus::harness;
  return total().scenarios > 0 ? ExitStatus::agreed : ExitStatus::nothing_ran;
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
    for (WorkerProcess& worker : workers_) working = look_after(worker) || working;
    show_progress();
  }
}

void Explore::end_workers() {
  shared_->stop = true;
  const std::int64_t patience_ms = now_ms() + farewell_ms;
  bool working = true;
  while (working && now_ms() < patience_ms) {
    receive();
    working = false;
    for (WorkerProcess& worker : workers_) working = look_after(worker) || working;
  }
  for (WorkerProcess& worker : workers_) {
    if (worker.pid < 0) continue;
    ::kill(worker.pid, SIGKILL);
    ::waitpid(worker.pid, nullptr, 0);
    worker.pid = -1;
    lost(worker, fmt::format("did not end within {} s", farewell_ms / 1000));
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
  summary();
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

ExitStatus explore(ExploreOptions options) {
  std::optional<KernelTraits> traits;
  ExploreJob job;
  job.source.privileges = runnable(options, traits);
  if (job.source.privileges.empty()) {
    complain("nothing can run here, so nothing is known (see pivotcheck doctor)");
    return ExitStatus::nothing_ran;
  }
  job.source.traits = *traits;
  job.source.seed = options.seed ? *options.seed : std::random_device()();
  job.cases_max = options.cases.value_or(no_case);
  job.artifacts = options.artifacts;
  utsname name{};
  ::uname(&name);
  job.release = name.release;
  if (!options.seconds && !options.cases) options.seconds = 60;
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  return Explore(options, std::move(job), options.jobs.value_or(cores * jobs_per_core)).all();
}

}  // namespace

void add_explore(CLI::App& app, ExitStatus& status) {
  auto options = std::make_shared<ExploreOptions>();
  CLI::App* command = app.add_subcommand(
      "explore", "Make up random scenarios and compare the running kernel with the model");
  command->add_option("--seconds", options->seconds, "how long; 60 if --cases is not given either");
  command->add_option("--cases", options->cases, "how many scenarios");
  command->add_option("--jobs", options->jobs, "worker processes; 6 for each core if not given")
      ->check(CLI::Range(std::size_t{1}, jobs_max));
  command->add_option("--seed", options->seed,
                      "repeats a run: case N of a seed is always the same scenario, as long as the "
                      "privileges are the same");
  command->add_option("--privilege", options->privilege,
                      "userns, root or both; not given: both as root, else userns")
      ->check(CLI::IsMember({"userns", "root", "both"}));
  command->add_option("--artifacts", options->artifacts, "folder for what was found")
      ->capture_default_str();
  command->add_flag("--until-found", options->until_found,
                    "end as soon as one disagreement was found and minimized");
  command->callback([options, &status] { status = explore(*options); });
  command->footer(
      "Every disagreement is minimized, printed and kept in the folder; run replays it.\n"
      "Ends with lines 'key: value'. Exit status: 0 all agreed, 1 a disagreement, 3 the harness\n"
      "could not do its work or the kernel's log has alarms, 4 nothing can run here.");
}

}  // namespace pivotcheck::cli
