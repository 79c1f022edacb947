// SPDX-License-Identifier: Apache-2.0
// exhaust_run.cc: one search of `pivotcheck exhaust`: what a worker does with a block of states,
// then the parent, depth by depth. Start at Search::run; helpers come first.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/wait_status.h"
#include "check/exhaust/expander.h"
#include "check/exhaust/journal.h"
#include "check/exhaust/kernel_side.h"
#include "check/exhaust/shortest.h"
#include "check/exhaust/state_set.h"
#include "check/exhaust/walk.h"
#include "check/trial/kernel_log.h"
#include "check/trial/minimize.h"
#include "check/trial/model_state.h"
#include "check/trial/report.h"
#include "exhaust.h"
#include "interruption.h"
#include "model_spec.h"
#include "op/outcome.h"
#include "output.h"
#include "supervisor.h"

namespace pivotcheck::cli {
namespace {

using exhaust::Block;
using exhaust::Chunk;
using exhaust::Letter;
using exhaust::NewState;
using exhaust::Reach;
using exhaust::Sequence;
using exhaust::StateSet;
using exhaust::Transition;

// A block is done within seconds, so that little is done again after a kill.
constexpr std::uint64_t states_in_block = 64;
constexpr std::uint64_t states_in_block_of_kernel = 4;
constexpr int cross_check_every = 16;         // as in explore
constexpr std::size_t findings_max = 20;      // shown; each of another signature
constexpr std::int64_t progress_ms = 60'000;  // where standard error is no terminal
constexpr std::uint64_t mebibyte = 1 << 20;

// The state at which a worker is, so that it can be named when the worker is lost.
struct Current {
  std::uint32_t length = 0;
  std::array<Letter, exhaust::Shortest::length_max> letters{};
};

// What the workers of one depth share with the parent.
struct Shared {
  std::atomic<std::uint64_t> next_block{0};
  std::atomic<std::uint64_t> states{0};  // done, of this depth
  std::atomic<bool> stop{false};
  std::array<std::atomic<std::uint64_t>, findings_max> signatures{};  // 0: free
  std::atomic<bool> fails{false};                                     // somebody writes why
  std::atomic<bool> has_failed{false};                                // that is written
  std::array<char, 512> failure{};
  exhaust::Shortest shortest;
  std::array<Current, exhaust_jobs_max> current{};  // by worker
};

class Search {
 public:
  Search(const ExhaustJob& job, exhaust::Space space, StateSet set, exhaust::Journal journal)
      : job_(job),
        space_(std::move(space)),
        set_(std::move(set)),
        journal_(std::move(journal)),
        law_quirks_(job.no_law_quirks ? laws::Quirks() : quirks_of(job.traits)) {}

  SearchResult run();

 private:
  [[nodiscard]] exhaust::Expander make_expander() const {
    return {space_,
            job_.traits,
            {.mounts_max = static_cast<int>(job_.mounts),
             .asks_laws = !job_.no_laws,
             .quirks = law_quirks_}};
  }
  void work(std::uint32_t depth, const std::vector<Block>& blocks, Current& current);
  bool do_block(exhaust::Expander& expander, Trial& trial, Chunk& chunk, Current& current);
  void expand(exhaust::Expander& expander, Trial& trial, const NewState& state, Chunk& chunk);
  void count(const Transition& transition, exhaust::Counts& counts);
  void report(const Scenario& scenario, const TrialResult& result);
  void report_failure(const std::string& what);
  std::string keep(std::string_view why, const Scenario& scenario);
  void report_lost(const Current& current, int wait_status);
  [[nodiscard]] bool is_own(exhaust::StateHash hash) const {
    return hash.low % job_.shard_count == job_.shard_index;
  }
  bool read_journal();
  void add_to_sum(exhaust::StateHash hash) {
    result_.sum_low += hash.low;
    result_.sum_high += hash.high;
  }
  [[nodiscard]] std::vector<ShortestFound> shortest_found() const;
  void watch(std::uint32_t depth, std::uint64_t done_before, std::vector<ChildProcess>& workers);
  bool do_depth(std::uint32_t depth);
  void print_findings();
  void watch_kernel_log();
  void show_progress(std::uint32_t depth, std::uint64_t done_before, std::int64_t since_ms);

  const ExhaustJob& job_;
  const exhaust::Space space_;
  StateSet set_;
  exhaust::Journal journal_;
  laws::Quirks law_quirks_;
  SharedMemory<Shared> shared_;
  std::size_t findings_printed_ = 0;
  SearchResult result_;
  KernelLog log_ = KernelLog::open();
  Progress progress_;
  std::int64_t next_progress_ms_ = now_ms() + progress_ms;
};

// --- in a worker

void Search::report_failure(const std::string& what) {
  if (shared_->fails.exchange(true)) return;
  std::strncpy(shared_->failure.data(), what.c_str(), shared_->failure.size() - 1);
  shared_->has_failed = true;
}

std::string finding_path(const ExhaustJob& job, const exhaust::Space& space, std::size_t number) {
  return fmt::format("{}/{}-{}-{}.scn", job.artifacts, space.layout,
                     space.privilege == Privilege::root ? "root" : "userns", number + 1);
}

// For the end of a message: the file with the scenario.
std::string Search::keep(std::string_view why, const Scenario& scenario) {
  const std::string path = fmt::format("{}/{}-{}.scn", job_.artifacts, why, space_.layout);
  if (write_file(path, pivotcheck::print(scenario))) return ": " + path;
  return fmt::format(": {}, which can't be written: {}", path, errno_name(errno));
}

// The first of each signature is written to a file; the parent prints it.
void Search::report(const Scenario& scenario, const TrialResult& result) {
  if (!is_finding(result)) return report_failure(result.reason + keep("failed", scenario));
  const std::uint64_t signature =
      std::hash<std::string>{}(pivotcheck::signature(scenario, result)) | 1;
  for (std::size_t i = 0; i < findings_max; ++i) {
    std::uint64_t there = 0;
    if (!shared_->signatures[i].compare_exchange_strong(there, signature)) {
      if (there == signature) return;
      continue;
    }
    const std::string path = finding_path(job_, space_, i);
    if (!write_file(path, pivotcheck::report(path, scenario, result))) {
      report_failure(path + ": " + errno_name(errno));
    }
    return;
  }
}

void Search::count(const Transition& transition, exhaust::Counts& counts) {
  switch (transition.reach) {
    case Reach::too_many: ++counts.too_many; return;
    case Reach::renamed: ++counts.renamed; return;
    case Reach::stopped:
      switch (transition.verdict.stop) {
        case Verdict::Stop::no: break;
        case Verdict::Stop::leaves_the_world: ++counts.leaves_world; break;
        case Verdict::Stop::too_large: ++counts.too_large; break;
        case Verdict::Stop::unclear_master: ++counts.unclear_master; break;
        case Verdict::Stop::unclear_mark: ++counts.unclear_mark; break;
        case Verdict::Stop::unclear_cover: ++counts.unclear_cover; break;
      }
      return;
    case Reach::refused:
    case Reach::changed:
      ++counts.transitions;
      counts.refused += transition.verdict.outcome.ok() ? 0 : 1;
      counts.broken_laws += transition.broken == nullptr ? 0 : 1;
      return;
  }
}

void Search::expand(exhaust::Expander& expander, Trial& trial, const NewState& state,
                    Chunk& chunk) {
  const std::vector<Transition>& transitions = expander.expand(state.sequence);
  const bool own = is_own(state.hash);
  std::vector<Letter> sequence = state.sequence;
  for (const Transition& transition : transitions) {
    if (own) count(transition, chunk.counts);
    const bool is_noted = job_.table && own;
    if (transition.reach != Reach::changed && transition.broken == nullptr && !is_noted) continue;
    sequence.push_back(transition.letter);
    if (is_noted) {
      for (const std::size_t target :
           shared_->shortest.note(space_, sequence, transition, job_.traits)) {
        chunk.reached.push_back({target, sequence});
      }
    }
    if (transition.reach == Reach::changed) {
      const StateSet::Added added = set_.add(transition.hash);
      if (added != StateSet::Added::known) chunk.found.push_back({transition.hash, sequence});
      if (own && added == StateSet::Added::full) ++chunk.counts.not_remembered;
    }
    if (own && transition.broken != nullptr) {
      const Scenario scenario = scenario_of(space_.program(sequence));
      report(scenario, trial.run(scenario));
    }
    sequence.pop_back();
  }
  if (!own) return;
  ++chunk.counts.states;
  chunk.counts.sum_low += state.hash.low;
  chunk.counts.sum_high += state.hash.high;
  if (job_.no_kernel) return;
  exhaust::KernelSide(space_, trial)
      .check(state.sequence, transitions, chunk.counts,
             [this](const Scenario& scenario, const TrialResult& result) {
               report(scenario, result);
             });
}

// False if the run ends before all of it is done.
bool Search::do_block(exhaust::Expander& expander, Trial& trial, Chunk& chunk, Current& current) {
  auto states = journal_.states(chunk.depth, chunk.block);
  if (!states) {
    report_failure(states.error().what);
    return false;
  }
  if (chunk.depth == 0) states->front().hash = expander.first();
  expander.forget_laws_asked();
  for (const NewState& state : *states) {
    if (shared_->stop) return false;
    // What states of the last depth lead to is counted by those who own these.
    if (is_own(state.hash) || chunk.depth + 1 < job_.depth) {
      std::ranges::copy(state.sequence, current.letters.begin());
      current.length = chunk.depth;
      expand(expander, trial, state, chunk);
    }
    ++shared_->states;
  }
  chunk.counts.laws_asked = expander.laws_asked();
  return true;
}

void Search::work(std::uint32_t depth, const std::vector<Block>& blocks, Current& current) {
  auto trial = Trial::make({.traits = job_.traits,
                            .cross_check_every = cross_check_every,
                            .law_quirks = law_quirks_,
                            .asks_kernel = !job_.no_kernel});
  if (!trial) return report_failure(trial.error().what);
  exhaust::Expander expander = make_expander();
  while (!shared_->stop && !shared_->has_failed) {
    const std::uint64_t number = shared_->next_block++;
    if (number >= blocks.size()) return;
    Chunk chunk{.depth = depth, .block = blocks[number], .counts = {}, .found = {}, .reached = {}};
    if (!do_block(expander, *trial, chunk, current)) return;
    if (const auto written = journal_.append(chunk); !written) {
      return report_failure(written.error().what);
    }
  }
}

// --- in the parent

// Takes over what was appended. The states are in the set already, unless an earlier run met them.
bool Search::read_journal() {
  const auto read = journal_.read([this](const Chunk& chunk) {
    if (chunk.depth < job_.depth) {
      result_.counts.add(chunk.counts);
      for (const exhaust::Reached& reached : chunk.reached) {
        shared_->shortest.note(reached.target, reached.sequence);
      }
    }
    for (const NewState& state : chunk.found) {
      set_.add(state.hash);
      if (chunk.depth + 1 < job_.depth) add_to_sum(state.hash);
    }
  });
  if (!read) report_failure(read.error().what);
  return read.has_value();
}

// "two-peers, userns, depth 3 of 4: 1234 of 5678 states, 40 s left at this depth"
void Search::show_progress(std::uint32_t depth, std::uint64_t done_before, std::int64_t since_ms) {
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  if (terminal ? !progress_.is_due() : now_ms() < next_progress_ms_) return;
  const std::uint64_t done = shared_->states;
  const std::uint64_t all = journal_.states(depth);
  std::string line = fmt::format("{}, {}, depth {} of {}: {} of {} states", space_.layout,
                                 space_.privilege == Privilege::root ? "root" : "userns", depth + 1,
                                 job_.depth, done_before + done, all);
  if (done > 0) {
    const double ms = static_cast<double>(now_ms() - since_ms) *
                      static_cast<double>(all - done_before - done) / static_cast<double>(done);
    line += fmt::format(", {:.0f} s left at this depth", ms / 1000);
  }
  if (depth + 1 < job_.depth) {
    line += fmt::format("; {} states of the next are known so far", set_.size());
  }
  if (terminal) return progress_.show(line);
  complain(line);
  next_progress_ms_ = now_ms() + progress_ms;
}

void Search::print_findings() {
  for (; findings_printed_ < findings_max && shared_->signatures[findings_printed_] != 0;
       ++findings_printed_) {
    progress_.clear();
    const std::string path = finding_path(job_, space_, findings_printed_);
    const std::string text = read_file(path);
    print(job_.json ? line({{"finding", path}, {"report", text}}) : text + "\n");
  }
}

// Whatever made it, it is no result to build on.
void Search::watch_kernel_log() {
  if (job_.no_kernel) return;
  for (const std::string& warning : log_.kernel_warnings()) {
    report_failure("the kernel's log: " + warning);
  }
}

void Search::report_lost(const Current& current, int wait_status) {
  const std::span<const Letter> sequence(current.letters.data(), current.length);
  report_failure("a worker " + describe_wait_status(wait_status) + ", at or after" +
                 keep("lost", scenario_of(space_.program(sequence))));
}

// Until all workers have ended, or one has failed.
void Search::watch(std::uint32_t depth, std::uint64_t done_before,
                   std::vector<ChildProcess>& workers) {
  const std::int64_t since_ms = now_ms();
  std::size_t running = workers.size();
  while (running > 0 && !shared_->has_failed && !must_end_at_once()) {
    if (is_interrupted()) shared_->stop = true;
    show_progress(depth, done_before, since_ms);
    for (std::size_t i = 0; i < workers.size(); ++i) {
      if (workers[i].pid() < 0) continue;
      const auto end = workers[i].poll();
      if (!end) continue;
      --running;
      result_.cpu_seconds += end->cpu_seconds;
      if (end->wait_status != 0) report_lost(shared_->current[i], end->wait_status);
    }
    constexpr timespec pause{.tv_sec = 0, .tv_nsec = 2'000'000};
    ::nanosleep(&pause, nullptr);
  }
}

// False if the search ends here.
bool Search::do_depth(std::uint32_t depth) {
  const std::uint64_t size = job_.no_kernel ? states_in_block : states_in_block_of_kernel;
  const std::vector<Block> blocks = journal_.blocks_left(depth, size);
  if (blocks.empty()) return true;
  std::uint64_t left = 0;
  for (const Block& block : blocks) left += block.end - block.begin;
  shared_->next_block = shared_->states = 0;
  std::vector<ChildProcess> workers;
  for (std::uint64_t i = 0; i < std::min(*job_.jobs, blocks.size()); ++i) {
    auto worker = ChildProcess::start([&] { work(depth, blocks, shared_->current[i]); });
    if (!worker) {
      report_failure(worker.error().what);
      break;
    }
    workers.push_back(std::move(*worker));
  }
  watch(depth, journal_.states(depth) - left, workers);
  workers.clear();  // those that are left are killed
  if (must_end_at_once()) return false;
  print_findings();
  watch_kernel_log();
  return read_journal() && !shared_->has_failed && !shared_->stop &&
         journal_.blocks_left(depth, size).empty();
}

std::vector<ShortestFound> Search::shortest_found() const {
  std::vector<ShortestFound> found;
  for (std::size_t target = 0; target < exhaust::Targets::count(); ++target) {
    const auto sequence = shared_->shortest.sequence(target);
    if (!sequence) continue;
    ShortestFound& one = found.emplace_back();
    one.target = target;
    one.operations = sequence->size();
    one.layout = space_.layout;
    one.privilege = space_.privilege;
    for (const Letter letter : *sequence) one.steps.push_back(space_.text(letter));
    Scenario scenario = scenario_of(space_.program(*sequence));
    one.scenario = pivotcheck::print(scenario);
  }
  return found;
}

SearchResult Search::run() {
  const std::int64_t started_ms = now_ms();
  result_.layout = space_.layout;
  result_.privilege = space_.privilege;
  result_.operations = space_.operations.size();
  result_.symmetries = space_.symmetries.size();
  const exhaust::StateHash first = make_expander().first();
  set_.add(first);
  add_to_sum(first);
  bool goes_on = read_journal();
  for (std::uint32_t depth = 0; goes_on && depth < job_.depth; ++depth) {
    goes_on = do_depth(depth);
    if (goes_on) result_.depth = depth + 1;
    goes_on = goes_on && result_.counts.differences + result_.counts.broken_laws == 0;
  }
  progress_.clear();
  if (shared_->has_failed) {
    ++result_.counts.failures;
    complain(shared_->failure.data());
  }
  for (std::uint32_t depth = 0; depth <= job_.depth; ++depth) {
    result_.states.push_back(journal_.states(depth));
  }
  result_.is_whole = result_.depth == job_.depth;
  if (job_.table) result_.shortest = shortest_found();
  result_.seconds = static_cast<double>(now_ms() - started_ms) / 1000.0;
  return result_;
}

// What must be the same for a journal to be gone on with: the search, and the program.
std::string settings_of(const ExhaustJob& job, const exhaust::Layout& start,
                        const exhaust::Space& space) {
  struct stat program {};
  ::stat("/proc/self/exe", &program);
  std::string text = fmt::format(
      "program {} {}.{}\nlayout {} privilege {} alphabet {} tasks {} mounts {} laws {} {} kernel "
      "{}\n",
      program.st_size, program.st_mtim.tv_sec, program.st_mtim.tv_nsec, space.layout,
      static_cast<int>(space.privilege), space.alphabet, space.tasks, job.mounts, !job.no_laws,
      !job.no_law_quirks, !job.no_kernel);
  for (const Path& place : start.places) text += "place " + pivotcheck::print(place) + "\n";
  if (job.table) text += "table\n";
  if (job.shard_count > 1) text += fmt::format("shard {} depth {}\n", job.shard, job.depth);
  return text + json_of(job.traits).dump() + "\n" + pivotcheck::print(scenario_of(space.set_up));
}

SearchResult failed(const std::string& what, const exhaust::Layout& start, Privilege privilege) {
  complain(what);
  SearchResult result;
  result.layout = start.name;
  result.privilege = privilege;
  result.counts.failures = 1;
  return result;
}

exhaust::Space space_of(const ExhaustJob& job, const exhaust::Layout& start, Privilege privilege) {
  auto space = exhaust::make_space(start, privilege, job.alphabet, static_cast<int>(job.tasks));
  PIVOTCHECK_CHECK(space);  // the command line has names of alphabets only
  return std::move(*space);
}

}  // namespace

void print_scenarios(const ExhaustJob& job, const exhaust::Layout& start, Privilege privilege) {
  const exhaust::Space space = space_of(job, start, privilege);
  std::uint64_t number = 0;
  exhaust::walk(space, job.traits, job.depth, static_cast<int>(job.mounts), [&](Sequence sequence) {
    if (is_interrupted() || number++ % job.shard_count != job.shard_index) return;
    print(line({{"name", fmt::format("{}-{}-{}-{}", start.name, job.alphabet,
                                     privilege == Privilege::root ? "root" : "userns", number)},
                {"scenario", pivotcheck::print(scenario_of(space.program(sequence)))}}));
  });
}

SearchResult search(const ExhaustJob& job, const exhaust::Layout& start, Privilege privilege) {
  exhaust::Space space = space_of(job, start, privilege);
  auto set = StateSet::make(job.memory * mebibyte);
  if (!set) return failed(set.error().what, start, privilege);
  std::string path;
  if (!job.journal.empty()) {
    path = fmt::format("{}/{}-{}-{}.journal", job.journal, start.name, job.alphabet,
                       privilege == Privilege::root ? "root" : "userns");
  }
  auto journal = exhaust::Journal::open(path, settings_of(job, start, space));
  if (!journal) return failed(journal.error().what, start, privilege);
  return Search(job, std::move(space), std::move(*set), std::move(*journal)).run();
}

}  // namespace pivotcheck::cli
