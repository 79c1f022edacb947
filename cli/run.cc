// SPDX-License-Identifier: Apache-2.0
// run.cc: `pivotcheck run`: replays scenarios on the running kernel and compares them with
// the model.
//
//     read and parse all files         if one is malformed: exit status 2, and nothing is run
//     a Trial for each                 in this process, or in --jobs worker processes
//     print in the order of the files  text or --json; the summary goes to standard error
#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "commands.h"
#include "files.h"
#include "json.h"
#include "output.h"
#include "check/trial/kernel_log.h"
#include "check/trial/report.h"
#include "check/trial/trial.h"
#include "workers.h"

namespace pivotcheck::cli {
namespace {

constexpr std::size_t jobs_max = 1024;

struct RunOptions {
  std::vector<std::string> paths;
  std::uint64_t jobs = 1;
  bool every_step = false;
  bool json = false;
};

std::string text_of(const ScenarioFile& file, const TrialResult& result) {
  using enum TrialResult::Kind;
  if (result.kind == agree || result.kind == skipped) {
    return fmt::format("{}: {}\n", file.name, headline(file.scenario, result));
  }
  return report(file.name, file.scenario, result);
}

// Complains about each warning in the kernel's log, with the files of that second.
class LogWatch {
 public:
  void finished(const std::string& file) {
    const auto now = Clock::now();
    recent_.emplace_back(now, file);
    while (now - recent_.front().first > std::chrono::seconds(1)) recent_.pop_front();
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
  using Clock = std::chrono::steady_clock;
  KernelLog log_ = KernelLog::open();
  std::deque<std::pair<Clock::time_point, std::string>> recent_;
  bool has_warned_ = false;
};

class Run {
 public:
  Run(const RunOptions& options, std::vector<ScenarioFile> files)
      : options_(options), files_(std::move(files)), waiting_(files_.size()) {}

  ExitStatus run();

 private:
  Perform make_perform() const;
  Finished perform(Trial& trial, const ScenarioFile& file) const;
  void accept(std::size_t item, Finished finished);
  void print_in_order();
  void probe();
  void report_lost();
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

Finished Run::perform(Trial& trial, const ScenarioFile& file) const {
  const TrialResult result = trial.run(file.scenario, {.every_step = options_.every_step});
  return {.kind = result.kind,
          .cannot_run = result.cannot_run,
          .state_unseen = result.state_unseen,
          .text = options_.json ? json_line(file.name, result) : text_of(file, result),
          .reason = result.reason};
}

// Makes what one process needs: a Trial, or the reason why there is none.
Perform Run::make_perform() const {
  auto trial = std::make_shared<Expected<Trial>>(Trial::make());
  return [this, trial](std::size_t item) {
    if (*trial) return perform(**trial, files_[item]);
    TrialResult none;
    none.kind = TrialResult::Kind::skipped;
    none.cannot_run = true;
    none.reason = trial->error().what;
    return Finished{
        .kind = none.kind,
        .cannot_run = true,
        .state_unseen = false,
        .text = options_.json ? json_line(files_[item].name, none) : text_of(files_[item], none),
        .reason = none.reason};
  };
}

// A scenario is skipped because this machine can't run it only if none of its privilege has run.
void Run::accept(std::size_t item, Finished finished) {
  const ScenarioFile& file = files_[item];
  bool& runs_here = runs_here_[static_cast<std::size_t>(file.scenario.effective_privilege())];
  if (finished.cannot_run && runs_here) {
    TrialResult failed;
    failed.kind = TrialResult::Kind::failed;
    failed.reason = finished.reason;
    finished = {.kind = failed.kind,
                .cannot_run = false,
                .state_unseen = false,
                .text = options_.json ? json_line(file.name, failed) : text_of(file, failed),
                .reason = failed.reason};
  }
  if (finished.kind != TrialResult::Kind::skipped) runs_here = true;
  if (finished.kind == TrialResult::Kind::skipped) ++reasons_[finished.reason];
  ++counts_[finished.kind];
  if (finished.state_unseen) ++state_unseen_;
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

// Several workers at once may reach a limit of the machine; so what runs here is found out first.
void Run::probe() {
  auto trial = Trial::make();
  if (!trial) return;
  std::set<Privilege> wanted;
  for (const ScenarioFile& file : files_) wanted.insert(file.scenario.effective_privilege());
  for (const Privilege privilege : wanted) {
    runs_here_[static_cast<std::size_t>(privilege)] = trial->start(privilege).has_value();
  }
}

void Run::report_lost() {
  for (std::size_t item = 0; item < files_.size(); ++item) {
    if (waiting_[item]) continue;
    TrialResult lost;
    lost.kind = TrialResult::Kind::failed;
    lost.reason = "the worker process that ran it died";
    accept(item, {.kind = lost.kind,
                  .cannot_run = false,
                  .state_unseen = false,
                  .text = options_.json ? json_line(files_[item].name, lost)
                                        : text_of(files_[item], lost),
                  .reason = lost.reason});
  }
}

void Run::show_progress() {
  log_.check();
  if (!progress_.is_due()) return;
  int finished = 0;
  for (const auto& [kind, number] : counts_) finished += number;
  progress_.show(fmt::format("{} of {} files, {} disagree", finished, files_.size(),
                             count(TrialResult::Kind::disagree)));
}

ExitStatus Run::run() {
  const std::size_t jobs = std::min<std::size_t>(options_.jobs, files_.size());
  if (jobs <= 1) {
    const Perform perform_one = make_perform();
    for (std::size_t item = 0; item < files_.size(); ++item) {
      accept(item, perform_one(item));
      show_progress();
    }
    return summary();
  }
  probe();
  const auto result = run_in_workers({
      .jobs = jobs,
      .count = files_.size(),
      .make_perform = [this] { return make_perform(); },
      .done = [this](std::size_t item, Finished one) { accept(item, std::move(one)); },
      .idle = [this] { show_progress(); },
  });
  if (!result) complain(result.error().what);
  report_lost();
  return summary();
}

ExitStatus Run::summary() {
  using enum TrialResult::Kind;
  progress_.clear();
  log_.check();
  std::string text = fmt::format("{} file{}:", files_.size(), files_.size() == 1 ? "" : "s");
  for (const auto& [kind, number] : counts_) text += fmt::format(" {} {},", number, name(kind));
  if (state_unseen_ > 0) {
    text += fmt::format(" mountinfo_incomplete {} (their state was not compared),", state_unseen_);
  }
  complain(text + " " + log_.summary());
  for (const auto& [reason, number] : reasons_) {
    complain(fmt::format("skipped {}: {}", number, reason));
  }
  if (count(disagree) + count(unmet) > 0) return ExitStatus::disagreed;
  if (count(failed) > 0 || log_.has_warned()) return ExitStatus::harness;
  if (count(agree) == 0) {
    complain("nothing ran, so nothing is known (see pivotcheck doctor)");
    return ExitStatus::nothing_ran;
  }
  return ExitStatus::agreed;
}

ExitStatus run(const RunOptions& options) {
  Files files = read_files(options.paths);
  if (files.bad.empty()) return Run(options, std::move(files.good)).run();
  for (const BadFile& bad : files.bad) {
    if (options.json) print(json_line(bad));
    std::fprintf(stderr, "%s\n", to_string(bad).c_str());
  }
  return ExitStatus::bad_usage;
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
                  {"FILE|DIR", &options->paths,
                   "scenarios, and folders that are searched for *.scn", {.required = true}}},
      .footer =
          "Exit status: 0 all that ran agreed, 1 a disagreement or a stated outcome that did not\n"
          "hold, 2 bad usage or a malformed file (nothing was run), 3 the harness could not do\n"
          "its work, 4 nothing ran.",
      .run = [options] { return run(*options); }};
}

}  // namespace pivotcheck::cli
