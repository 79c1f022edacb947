// SPDX-License-Identifier: Apache-2.0
// campaign.cc: counting, and what is done about disagreements and failures.
#include "check/trial/campaign.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <functional>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/log.h"
#include "op/outcome.h"
#include "check/trial/minimize.h"
#include "check/trial/report.h"

namespace pivotcheck {
namespace {

// Of how many cases one is read after each step, for the laws and for what a later step hides.
constexpr std::uint64_t every_step_share = 20;
constexpr std::int64_t minimize_ms = 30'000;  // the parent kills a process that hangs for longer
constexpr std::int64_t shutdown_ms = 5'000;   // and one that takes longer to end

constexpr std::uint64_t seen_checked_cases = 2'000;
// One case in so many. On Linux 6.18 and 6.12 listmount loses mounts of one in 2,000 (FINDINGS.md).
constexpr std::uint64_t listmount_lost_max = 200;
// One in so many of those that may be refused by chance. With busy workers beside it, it is one in some
// hundreds.
constexpr std::uint64_t refused_by_chance_max = 10;
constexpr std::uint64_t chance_checked_cases = 100;

std::string file_name(const std::string& about, const std::string& case_name) {
  std::string name = about;
  std::ranges::replace(name, ' ', '-');
  return name + "-" + case_name;
}

}  // namespace

void Counts::add(const Counts& other) {
  using Numbers = std::array<std::uint64_t, sizeof(Counts) / sizeof(std::uint64_t)>;
  auto sum = std::bit_cast<Numbers>(*this);
  std::ranges::transform(sum, std::bit_cast<Numbers>(other), sum.begin(), std::plus<>());
  *this = std::bit_cast<Counts>(sum);
}

std::vector<std::string> seen_too_little(const Counts& counts) {
  std::vector<std::string> lines;
  const std::uint64_t cases = counts.stats.scenarios;
  if (cases < seen_checked_cases) return lines;
  if (counts.listmount_lost * listmount_lost_max > cases) {
    lines.push_back(fmt::format("listmount: it did not list all mounts in {} of {} cases",
                                counts.listmount_lost, cases));
  }
  if (counts.chance_possible >= chance_checked_cases &&
      counts.chance_refusals * refused_by_chance_max > counts.chance_possible) {
    lines.push_back(fmt::format("refusals: {} by chance in {} cases in which that is possible",
                                counts.chance_refusals, counts.chance_possible));
  }
  if (counts.propagate_from_read * 2 < counts.with_slave) {
    lines.push_back(fmt::format("propagate_from: read in {} of {} cases that have a slave",
                                counts.propagate_from_read, counts.with_slave));
  }
  return lines;
}

void send_message(int pipe, Message::Kind kind, std::string text) {
  text.insert(0, 1, static_cast<char>(kind));
  std::ranges::replace(text, '\n', ' ');
  text.resize(std::min(text.size(), message_bytes - 1));
  text += '\n';
  // Errors are ignored: this process is killed together with its parent.
  (void)!::write(pipe, text.data(), text.size());
}

FindingReporter::FindingReporter(CampaignProcess process, Trial trial)
    : process_(std::move(process)), trial_(std::move(trial)) {
  utsname name{};
  ::uname(&name);
  release_ = name.release;
}

// Not one with MNT_EXPIRE: while a mark stands nothing can be read, and a world is made for each
// prefix that ends there.
bool FindingReporter::is_read_after_each_step(const Prediction& predicted) {
  const auto expires = [](const ProgramStep& step) { return is_expire(step.op); };
  if (++since_every_step_ < every_step_share) return false;
  if (std::ranges::any_of(predicted.program.steps, expires)) return false;
  since_every_step_ -= every_step_share;
  return true;
}

TrialResult::Kind FindingReporter::perform(const CaseRef& ref, const Prediction& predicted) {
  Counts& counts = process_.counts;
  const bool every_step = is_read_after_each_step(predicted);
  const TrialResult result = trial_->run_predicted(predicted, {.every_step = every_step});
  counts.every_step += every_step ? 1 : 0;
  counts.laws_asked = trial_->laws_asked();
  counts.cross_checked += result.cross_checked ? 1 : 0;
  counts.mountinfo_incomplete += result.mountinfo_incomplete ? 1 : 0;
  counts.state_unseen += has_unseen(result) ? 1 : 0;
  counts.seen_in_copies += result.seen_in_copies ? 1 : 0;
  if (has_unseen(result)) log_debug(ref.name + ": only a part of the state was seen");
  counts.listmount_lost += result.listmount_lost ? 1 : 0;
  counts.with_slave += result.has_slave ? 1 : 0;
  counts.propagate_from_read += result.propagate_from_read ? 1 : 0;
  counts.chance_possible += result.chance_possible ? 1 : 0;
  counts.chance_refusals += static_cast<std::uint64_t>(result.chance_refusals);
  switch (result.kind) {
    case TrialResult::Kind::agree: counts.stats.add(predicted); break;
    case TrialResult::Kind::disagree:
      counts.stats.add(predicted);
      ++counts.disagreements;
      disagreement(ref, result);
      break;
    case TrialResult::Kind::broken_law:
      counts.stats.add(predicted);
      ++counts.broken_laws;
      disagreement(ref, result);
      break;
    case TrialResult::Kind::unmet:  // what is predicted states nothing
    case TrialResult::Kind::skipped:
    case TrialResult::Kind::failed:
      ++counts.not_run;
      failure(ref, result);
      break;
  }
  return result.kind;
}

void FindingReporter::disagreement(const CaseRef& ref, const TrialResult& first) {
  const Scenario whole = ref.scenario();
  trial_->renew();
  // The bucket is that of a closer look; of the first one if that finds nothing.
  TrialResult result = first.law != nullptr
                           ? trial_->run(whole, {.every_step = true})
                           : trial_->trace_back(whole, first);
  const bool again = result.kind == first.kind;
  if (!again) result = first;
  const std::string about = signature(whole, result);
  if (!is_new(again ? about : about + ", once")) return;
  const std::string path = process_.artifacts + "/" + file_name(about, ref.name);
  keep_whole(ref, path + ".unminimized.scn", whole);
  Scenario small = whole;
  if (again) {
    Minimized minimized = minimize(*trial_, whole, result, {.stop = time_budget()});
    small = std::move(minimized.scenario);
    result = std::move(minimized.result);
  }
  process_.alive_ms = now_ms();
  small.title = (result.law != nullptr ? "" : "disagreement: ") + about;
  small.about = {
      fmt::format("kernel {}", release_),
      fmt::format("{}, {} of {} steps", ref.origin, small.steps.size(), whole.steps.size())};
  if (!again) small.about.push_back("seen once, and not when it was run again");
  for (const std::string& difference : result.differences) small.about.push_back(difference);
  const std::string text = report(path + ".scn", small, result);
  if (write_file(path + ".scn", text)) {
    const auto kind = again ? Message::Kind::finding : Message::Kind::seen_once;
    return send_message(process_.pipe, kind, path + ".scn");
  }
  const std::string why = errno_name(errno);
  // Shown here instead, so that it is not lost.
  (void)!::write(STDOUT_FILENO, text.data(), text.size());
  send_message(process_.pipe, Message::Kind::failure,
               fmt::format("{} disagrees ({}), but {}.scn can't be written: {}", ref.name, about,
                           path, why));
}

// The full scenario is saved first, so that a kill during minimizing loses nothing.
void FindingReporter::keep_whole(const CaseRef& ref, const std::string& path,
                                 const Scenario& whole) {
  Scenario kept = whole;
  kept.title = "not minimized";
  kept.about = {fmt::format("kernel {}", release_), ref.origin};
  if (write_file(path, print(kept))) return;
  send_message(process_.pipe, Message::Kind::failure,
       fmt::format("{}: {} can't be written: {}", ref.name, path, errno_name(errno)));
}

// Minimizing is cut off after a time budget, which is shorter when the run ends; the best result so
// far is reported.
std::function<bool()> FindingReporter::time_budget() const {
  return [this, start_ms = now_ms()] {
    return now_ms() > start_ms + (process_.findings.stop ? shutdown_ms : minimize_ms);
  };
}

// A failure of the harness; its scenario is kept like a disagreement, to be tried again.
void FindingReporter::failure(const CaseRef& ref, const TrialResult& result) {
  std::string text = fmt::format("{}: {}", ref.name, result.reason);
  if (is_new(result.reason)) {
    Scenario scenario = ref.scenario();
    scenario.title = "a harness failure";
    scenario.about = {fmt::format("kernel {}", release_), ref.origin};
    const std::string path = fmt::format("{}/failed-{}.scn", process_.artifacts, ref.name);
    const bool written = write_file(path, report(path, scenario, result));
    text += written ? " (" + path + ")"
                     : fmt::format(" ({} can't be written: {})", path, errno_name(errno));
  }
  send_message(process_.pipe, Message::Kind::failure, std::move(text));
}

// Counts it in its bucket. True for the first in a bucket, as long as there are free ones.
bool FindingReporter::is_new(const std::string& about) const {
  // FNV-1a: std::hash may differ between the compilers that built the processes.
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : about) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  hash |= 1U;
  for (Bucket& bucket : process_.findings.buckets) {
    std::uint64_t expected = 0;
    if (bucket.hash.compare_exchange_strong(expected, hash) || expected == hash) {
      return bucket.count++ == 0;
    }
  }
  return false;
}

}  // namespace pivotcheck
