// SPDX-License-Identifier: Apache-2.0
// explore_worker.cc: one worker of `pivotcheck explore`. The loop that matters is case_by_case():
//
//     generate, which predicts --> perform and compare in a fresh world --> count
//                                        '--> where it differs: once more, slowly; minimize; write
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <utility>

#include <fmt/format.h>

#include "base/unique_fd.h"
#include "explore.h"
#include "gen/seeded.h"
#include "op/outcome.h"
#include "trial/minimize.h"
#include "trial/report.h"

namespace pivotcheck::cli {
namespace {

// Reading both roads costs as much as all the rest of a case, so it is not done every time.
constexpr int cross_check_every = 16;

constexpr std::int64_t minimize_ms = 30'000;  // well below what the parent takes for a hang
constexpr std::int64_t farewell_ms = 5'000;   // and below its patience with who is to end

void send(int pipe, Message::Kind kind, std::string text) {
  text.insert(0, 1, static_cast<char>(kind));
  for (char& c : text) {
    if (c == '\n') c = ' ';
  }
  text.resize(std::min(text.size(), message_bytes - 1));
  text += '\n';
  // A parent that does not read any more has ended, and this process with it.
  (void)!::write(pipe, text.data(), text.size());
}

// True for the first of its kind, as long as there are not too many kinds.
bool is_new(Shared& shared, const std::string& kind) {
  const std::uint64_t hash = std::hash<std::string>{}(kind) | 1U;
  for (Distinct& distinct : shared.distinct) {
    std::uint64_t expected = 0;
    if (distinct.hash.compare_exchange_strong(expected, hash) || expected == hash) {
      return distinct.count++ == 0;
    }
  }
  return false;
}

std::string file_name(const std::string& kind, std::uint64_t number) {
  std::string name = kind;
  for (char& c : name) {
    if (c == ' ') c = '-';
  }
  return fmt::format("{}-case-{}.scn", name, number);
}

class Worker {
 public:
  Worker(const ExploreJob& job, Shared& shared, Slot& slot, int pipe, Trial trial)
      : job_(job), shared_(shared), slot_(slot), pipe_(pipe), trial_(std::move(trial)) {}

  void case_by_case() {
    while (!shared_.stop) {
      const std::uint64_t number = shared_.next_case++;
      if (number >= job_.cases_max) return;
      slot_.alive_ms = now_ms();
      slot_.current = number;
      one(number);
      RecentCase& recent = slot_.recent[slot_.finished++ % recent_cases];
      recent.number = number;
      recent.finished_ms = now_ms();
      slot_.current = no_case;
    }
  }

 private:
  void one(std::uint64_t number) {
    Generated generated = job_.source.make(number);
    gen::Tally once;
    once.add(generated);
    std::vector<Outcome> outcomes;
    outcomes.reserve(generated.verdicts.size());
    for (const Verdict& verdict : generated.verdicts) outcomes.push_back(verdict.outcome);
    const TrialResult result =
        trial_.run_predicted(generated.privilege, {.steps = std::move(generated.steps),
                                                   .verdicts = std::move(generated.verdicts),
                                                   .outcomes = std::move(outcomes),
                                                   .stop = Verdict::Stop::no,
                                                   .world = std::move(generated.world)});
    slot_.cross_checked += result.cross_checked ? 1 : 0;
    slot_.mountinfo_incomplete += result.mountinfo_incomplete ? 1 : 0;
    slot_.state_unseen += result.state_unseen ? 1 : 0;
    slot_.chance_refusals += static_cast<std::uint64_t>(result.chance_refusals);
    switch (result.kind) {
      case TrialResult::Kind::agree:
        slot_.tally.add(once);
        return;
      case TrialResult::Kind::disagree:
        slot_.tally.add(once);
        return disagreement(number, result);
      case TrialResult::Kind::unmet:  // nothing is stated in a generated scenario
      case TrialResult::Kind::skipped:
      case TrialResult::Kind::failed:
        ++slot_.not_run;
        return failure(number, result);
    }
  }

  void disagreement(std::uint64_t number, const TrialResult& first) {
    const Scenario whole = job_.source.make(number).scenario();
    // The kind is taken from a closer look; from the first one if that finds nothing.
    TrialResult result = trial_.run(whole);
    const bool again = result.kind == TrialResult::Kind::disagree;
    if (!again) result = first;
    const std::string kind = kind_of(whole, result);
    ++shared_.disagreements;
    if (!is_new(shared_, kind)) return;
    Scenario small = whole;
    if (again) {
      Minimized minimized = minimize(trial_, whole, result, {.stop = patience()});
      small = std::move(minimized.scenario);
      result = std::move(minimized.result);
    }
    slot_.alive_ms = now_ms();
    small.title = "disagreement: " + kind;
    small.about = {fmt::format("kernel {}", job_.release),
                   fmt::format("seed {} case {}, {} of {} steps", job_.source.seed, number,
                               small.steps.size(), whole.steps.size())};
    if (!again) small.about.push_back("seen once, and not when it was run again");
    for (const std::string& difference : result.differences) small.about.push_back(difference);
    const std::string path = job_.artifacts + "/" + file_name(kind, number);
    if (write_file(path, report(path, small, result))) {
      send(pipe_, Message::Kind::finding, path);
    } else {
      send(pipe_, Message::Kind::failure,
           fmt::format("case {} disagrees ({}), but {} can't be written: {}", number, kind, path,
                       errno_name(errno)));
    }
  }

  // What takes too long is shown as small as it got; so is what is found as the run ends.
  [[nodiscard]] std::function<bool()> patience() const {
    return [this, start_ms = now_ms()] {
      return now_ms() > start_ms + (shared_.stop ? farewell_ms : minimize_ms);
    };
  }

  // What the harness could not do; kept like a disagreement, to be tried again.
  void failure(std::uint64_t number, const TrialResult& result) {
    std::string words = fmt::format("case {}: {}", number, result.reason);
    if (is_new(shared_, result.reason)) {
      Scenario scenario = job_.source.make(number).scenario();
      scenario.title = "a harness failure";
      scenario.about = {fmt::format("kernel {}", job_.release),
                        fmt::format("seed {} case {}", job_.source.seed, number)};
      const std::string path = fmt::format("{}/failed-case-{}.scn", job_.artifacts, number);
      const bool written = write_file(path, report(path, scenario, result));
      words += written ? " (" + path + ")"
                       : fmt::format(" ({} can't be written: {})", path, errno_name(errno));
    }
    send(pipe_, Message::Kind::failure, std::move(words));
  }

  const ExploreJob& job_;
  Shared& shared_;
  Slot& slot_;
  int pipe_;
  Trial trial_;
};

}  // namespace

std::int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

Generated CaseSource::make(std::uint64_t number) const {
  const ScenarioGenerator generator(
      {.privilege = privileges[number % privileges.size()], .traits = traits});
  SeededChoices choices(seed, number);
  return generator.generate(choices);
}

bool write_file(const std::string& path, std::string_view text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file) return false;
  while (!text.empty()) {
    const ssize_t count = ::write(file.get(), text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

void work(const ExploreJob& job, Shared& shared, Slot& slot, int pipe) {
  slot.alive_ms = now_ms();
  auto trial = Trial::make({.traits = job.source.traits, .cross_check_every = cross_check_every});
  if (!trial) {
    ++slot.not_run;
    return send(pipe, Message::Kind::failure, trial.error().what);
  }
  Worker(job, shared, slot, pipe, std::move(*trial)).case_by_case();
}

}  // namespace pivotcheck::cli
