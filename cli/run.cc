// SPDX-License-Identifier: Apache-2.0
// run.cc: `pivotcheck run`: replays scenarios on the running kernel and compares them with
// the model.
//
//     read and parse all files         if one is malformed: exit status 2, and nothing is run
//     a Trial for each                 in this process, or in --jobs worker processes
//     print in the order of the files  text or --json; the summary goes to standard error
//
// Each worker is a forked process with a Trial of its own:
//
//     parent  <-- one pipe: a Frame for each file --  worker: file 0, file 2, file 3 ...
//             <-- a file in memory: the texts     --  worker: file 1, file 4 ...
//
// A worker that is free takes the next file's number from shared memory. One that dies loses the
// file it was at; the others go on.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "check/trial/kernel_log.h"
#include "check/trial/report.h"
#include "check/trial/trial.h"
#include "commands.h"
#include "files.h"
#include "interruption.h"
#include "json.h"
#include "machine.h"
#include "op/outcome.h"
#include "output.h"
#include "supervisor.h"
#include "traits.h"

namespace pivotcheck::cli {
namespace {

constexpr std::size_t jobs_max = 1024;
constexpr int idle_interval_ms = 200;

struct RunOptions {
  std::vector<std::string> paths;
  std::uint64_t jobs = 1;
  bool every_step = false;
  bool json = false;
  std::string trait_changes;
  KernelTraits traits = {};  // those and the running kernel's
};

std::string json_line(const std::string& file, const TrialResult& result) {
  Json object = {{"file", file}, {"result", name(result.kind)}, {"steps", result.steps}};
  if (result.step != 0) object["step"] = result.step;
  if (result.kernel) object["kernel"] = to_string(*result.kernel);
  if (result.model) object["model"] = to_string(*result.model);
  if (result.rule != Rule::none) object["rule"] = info(result.rule).name;
  if (!result.differences.empty()) object["differences"] = result.differences;
  if (result.law != nullptr) object["law"] = result.law->name;
  set(object, "reason", result.reason);
  return line(object);
}

std::string json_line(const BadFile& bad) {
  Json object = {{"file", bad.name}, {"result", "invalid"}, {"steps", 0}};
  if (bad.error.line != 0) {
    object["line"] = bad.error.line;
    object["column"] = bad.error.column;
  }
  object["reason"] = bad.error.what;
  return line(object);
}

std::string text_of(const ScenarioFile& file, const TrialResult& result) {
  using enum TrialResult::Kind;
  if (result.kind == agree || result.kind == skipped) {
    return colored(fmt::format("{}: {}", file.name, headline(file.scenario, result)),
                   result.kind == agree ? Color::green : Color::yellow) +
           "\n";
  }
  constexpr MarkedLine marks[] = {{"# - ", Color::red}, {"# + ", Color::green},
                                  {"# ^^^", Color::yellow}};
  return colored_lines(report(file.name, file.scenario, result), marks);
}

// Complains about each warning in the kernel's log, with the files of that second.
class LogWatch {
 public:
  void finished(const std::string& file) {
    const std::int64_t now = now_ms();
    recent_.emplace_back(now, file);
    while (now - recent_.front().first > 1000) recent_.pop_front();
    check();
  }

  void check() {
    for (const std::string& kernel_warning : log_.kernel_warnings()) {
      has_warned_ = true;
      complain("the kernel's log: " + kernel_warning);
      for (const auto& [time, file] : recent_) complain("  in that second: " + file);
    }
  }

  [[nodiscard]] bool has_warned() const { return has_warned_; }
  [[nodiscard]] std::string summary() const {
    if (log_.readable() && has_warned_) return "the kernel's log has warnings";
    if (log_.readable()) return "the kernel's log is quiet";
    return "the kernel's log was not watched (" + log_.unreadable_because() + ")";
  }

 private:
  KernelLog log_ = KernelLog::open();
  std::deque<std::pair<std::int64_t, std::string>> recent_;  // when it finished
  bool has_warned_ = false;
};

// What became of a file, as far as the summary and the exit status need it.
struct Finished {
  struct Facts {
    TrialResult::Kind kind;
    bool cannot_run;
    bool state_unseen;
  };
  Facts facts;
  std::string text;    // what to print
  std::string reason;  // of a file that was skipped or failed
};

// The same in the pipe; its texts are in the file in memory, one after the other.
struct Frame {
  std::size_t item;
  Finished::Facts facts;
  std::size_t text_at;
  std::size_t text_bytes;
  std::size_t reason_bytes;
};

// Of all workers.
struct Shared {
  std::atomic<std::size_t> next_item{0};
  std::atomic<std::size_t> texts_end{0};
};

class Run {
 public:
  Run(const RunOptions& options, std::vector<ScenarioFile> files)
      : options_(options), files_(std::move(files)), waiting_(files_.size()) {}

  ExitStatus run();

 private:
  [[nodiscard]] Finished finished(std::size_t item, const TrialResult& result) const;
  [[nodiscard]] Finished not_performed(std::size_t item, TrialResult::Kind kind,
                                       const std::string& reason) const;
  Finished perform(Expected<Trial>& trial, std::size_t item) const;
  void work(Shared& shared, int texts, int pipe) const;
  Expected<void> run_in_workers(std::size_t jobs);
  void receive(int pipe, int texts, Shared& shared);
  void accept(std::size_t item, Finished finished);
  void print_in_order();
  ExitStatus report_interruption();
  [[nodiscard]] std::size_t finished_count() const;
  void probe();
  void show_progress();
  [[nodiscard]] int count(TrialResult::Kind kind) const {
    const auto found = counts_.find(kind);
    return found == counts_.end() ? 0 : found->second;
  }
  ExitStatus summary();

  const RunOptions& options_;
  const std::vector<ScenarioFile> files_;
  std::vector<std::optional<Finished>> waiting_;  // finished; one before it is not
  std::size_t printed_ = 0;
  std::map<TrialResult::Kind, int> counts_;
  std::map<std::string, int> reasons_;  // of what was skipped
  std::array<bool, 2> runs_here_{};     // by Privilege: a world could be made
  int state_unseen_ = 0;
  LogWatch log_;
  Progress progress_;
};

Finished Run::finished(std::size_t item, const TrialResult& result) const {
  const ScenarioFile& file = files_[item];
  return {.facts = {result.kind, result.cannot_run, has_unseen(result)},
          .text = options_.json ? json_line(file.name, result) : text_of(file, result),
          .reason = result.reason};
}

Finished Run::not_performed(std::size_t item, TrialResult::Kind kind,
                            const std::string& reason) const {
  TrialResult result;
  result.kind = kind;
  result.cannot_run = kind == TrialResult::Kind::skipped;
  result.reason = reason;
  return finished(item, result);
}

// `trial`: that of this process, or the reason why there is none.
Finished Run::perform(Expected<Trial>& trial, std::size_t item) const {
  if (!trial) return not_performed(item, TrialResult::Kind::skipped, trial.error().what);
  return finished(item, trial->run(files_[item].scenario, {.every_step = options_.every_step}));
}

// --- worker processes

void Run::work(Shared& shared, int texts, int pipe) const {
  Expected<Trial> trial = Trial::make({.traits = options_.traits});
  for (std::size_t item = shared.next_item++; item < files_.size(); item = shared.next_item++) {
    const Finished one = perform(trial, item);
    const std::string both = one.text + one.reason;
    const Frame frame{.item = item,
                      .facts = one.facts,
                      .text_at = shared.texts_end.fetch_add(both.size()),
                      .text_bytes = one.text.size(),
                      .reason_bytes = one.reason.size()};
    if (::pwrite(texts, both.data(), both.size(), static_cast<off_t>(frame.text_at)) !=
            std::ssize(both) ||
        ::write(pipe, &frame, sizeof frame) != sizeof frame) {
      return;
    }
  }
}

// Until all workers have ended: then nobody has the other end of the pipe.
void Run::receive(int pipe, int texts, Shared& shared) {
  for (;; show_progress()) {
    if (is_interrupted()) shared.next_item = files_.size();
    pollfd waiting{pipe, POLLIN, 0};
    if (::poll(&waiting, 1, idle_interval_ms) <= 0) continue;
    Frame frame{};
    const ssize_t count = ::read(pipe, &frame, sizeof frame);
    if (count < 0 && errno == EINTR) continue;
    if (count != sizeof frame) return;
    std::string text(frame.text_bytes + frame.reason_bytes, '\0');
    (void)!::pread(texts, text.data(), text.size(), static_cast<off_t>(frame.text_at));
    accept(frame.item,
           {frame.facts, text.substr(0, frame.text_bytes), text.substr(frame.text_bytes)});
  }
}

Expected<void> Run::run_in_workers(std::size_t jobs) {
  const SharedMemory<Shared> shared;
  const UniqueFd texts = memory_file();
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail("pipe2: " + errno_name(errno));
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  std::vector<ChildProcess> workers;
  for (std::size_t i = 0; i < jobs; ++i) {
    auto worker = ChildProcess::start([&] { work(*shared, texts.get(), write_end.get()); });
    // With fewer workers than wanted it goes on, but not with none.
    if (!worker && workers.empty()) return std::unexpected(worker.error());
    if (worker) workers.push_back(std::move(*worker));
  }
  write_end.reset();
  receive(read_end.get(), texts.get(), *shared);
  for (ChildProcess& worker : workers) worker.wait();
  return {};
}

// --- results

// A scenario is skipped because this machine can't run it only if none of its privilege has run.
void Run::accept(std::size_t item, Finished finished) {
  using enum TrialResult::Kind;
  const ScenarioFile& file = files_[item];
  bool& runs_here = runs_here_[static_cast<std::size_t>(file.scenario.effective_privilege())];
  if (finished.facts.cannot_run && runs_here) {
    finished = not_performed(item, failed, finished.reason);
  }
  if (finished.facts.kind == skipped) ++reasons_[finished.reason];
  if (finished.facts.kind != skipped) runs_here = true;
  ++counts_[finished.facts.kind];
  if (finished.facts.state_unseen) ++state_unseen_;
  waiting_[item] = std::move(finished);
  print_in_order();
  log_.finished(file.name);
}

void Run::print_in_order() {
  for (; printed_ < files_.size() && waiting_[printed_]; ++printed_) {
    progress_.clear();
    print(waiting_[printed_]->text);
    waiting_[printed_]->text.clear();
  }
}

// Of several workers, one may have been at a file before those that others finished.
ExitStatus Run::report_interruption() {
  for (; printed_ < files_.size(); ++printed_) {
    if (waiting_[printed_]) print(waiting_[printed_]->text);
  }
  complain(fmt::format("interrupted by {}: {} of {} files were not run", interruption(),
                       files_.size() - finished_count(), files_.size()));
  return unless_interrupted(ExitStatus::harness);
}

std::size_t Run::finished_count() const {
  std::size_t finished = 0;
  for (const auto& [kind, number] : counts_) finished += static_cast<std::size_t>(number);
  return finished;
}

// Several workers at once may reach a limit of the machine; so what runs here is found out first.
void Run::probe() {
  auto trial = Trial::make({.traits = options_.traits});
  if (!trial) return;
  std::set<Privilege> wanted;
  for (const ScenarioFile& file : files_) wanted.insert(file.scenario.effective_privilege());
  for (const Privilege privilege : wanted) {
    runs_here_[static_cast<std::size_t>(privilege)] = trial->start(privilege).has_value();
  }
}

void Run::show_progress() {
  log_.check();
  if (!progress_.is_due()) return;
  progress_.show(fmt::format("{} of {} files, {} disagree", finished_count(), files_.size(),
                             count(TrialResult::Kind::disagree)));
}

ExitStatus Run::run() {
  catch_interruptions(SecondSignal::exits);
  const std::size_t jobs = std::min<std::size_t>(options_.jobs, files_.size());
  if (jobs <= 1) {
    Expected<Trial> trial = Trial::make({.traits = options_.traits});
    for (std::size_t item = 0; item < files_.size() && !is_interrupted(); ++item) {
      accept(item, perform(trial, item));
      show_progress();
    }
    return summary();
  }
  probe();
  if (const auto result = run_in_workers(jobs); !result) complain(result.error().what);
  for (std::size_t item = 0; item < files_.size() && !is_interrupted(); ++item) {
    if (waiting_[item]) continue;
    accept(item,
           not_performed(item, TrialResult::Kind::failed, "the worker process that ran it died"));
  }
  return summary();
}

ExitStatus Run::summary() {
  using enum TrialResult::Kind;
  progress_.clear();
  log_.check();
  std::string text = fmt::format("{} file{}:", files_.size(), files_.size() == 1 ? "" : "s");
  for (const auto& [kind, number] : counts_) text += fmt::format(" {} {},", number, name(kind));
  if (state_unseen_ > 0) {
    text += fmt::format(" state_unseen {} (only a part of their state was seen and compared),", state_unseen_);
  }
  complain(text + " " + log_.summary());
  for (const auto& [reason, number] : reasons_) {
    complain(fmt::format("skipped {}: {}", number, reason));
  }
  if (is_interrupted()) return report_interruption();
  if (count(disagree) + count(broken_law) + count(unmet) > 0) return ExitStatus::disagreed;
  if (count(failed) > 0 || log_.has_warned()) return ExitStatus::harness;
  if (count(agree) == 0) {
    return complain("nothing ran, so nothing is known (see pivotcheck doctor)",
                    ExitStatus::nothing_ran);
  }
  return ExitStatus::agreed;
}

ExitStatus run(RunOptions& options) {
  Files files = read_files(options.paths);
  for (const BadFile& bad : files.bad) {
    if (options.json) print(json_line(bad));
    report_bad(bad);
  }
  if (!files.bad.empty()) return ExitStatus::bad_usage;
  if (!machine_is_fit(options.jobs)) return ExitStatus::nothing_ran;
  const auto traits = traits_with_remarks(options.trait_changes);
  if (!traits) return ExitStatus::bad_usage;
  options.traits = *traits;
  return Run(options, std::move(files.good)).run();
}

}  // namespace

CommandSpec run_command() {
  auto options = std::make_shared<RunOptions>();
  return {
      .name = "run",
      .summary =
          "Replay scenarios on the running kernel and compare it with the model, step by step",
      .options = {{"--every-step", &options->every_step,
                   "compare the whole state after each step, not only at the end"},
                  {"--json", &options->json, "print one JSON object a line for each file"},
                  {"--jobs", &options->jobs, "worker processes that share the files",
                   {.min = 1, .max = jobs_max, .shows_default = true}},
                  trait_option(&options->trait_changes),
                  {"FILE|DIR", &options->paths,
                   "scenarios, and folders that are searched for *.scn; - for standard input",
                   {.required = true}}},
      .footer =
          "Exit status: 0 all that ran agreed, 1 a disagreement, a broken law (see pivotcheck\n"
          "laws) or a stated outcome that did not hold, 2 bad usage or a malformed file (nothing\n"
          "was run), 3 the harness could not do its work, 4 nothing ran, 128 + the signal that\n"
          "ended it (SIGINT, SIGTERM, SIGHUP, SIGQUIT: the files under way are finished; a second\n"
          "one a second later ends at once).",
      .run = [options] { return run(*options); }};
}

}  // namespace pivotcheck::cli
