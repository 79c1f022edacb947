// SPDX-License-Identifier: Apache-2.0
// explain_property.cc: `explain_property`: compares the answers of `pivotcheck explain` with the
// kernel's. In random worlds, from the generator of `explore`, it asks for a task what pivot_root
// would answer.
//
//     KernelDriver: steps --> tasks that stand still --> explain, from /proc/PID --> an answer,
//                                                 |                           or "cannot tell"
//                                                 '-> dry run (--try), in a copy --> an answer
//     KernelDriver: the same steps, and pivot_root, in a world of its own            --> the truth
//
// The property: the answer is the truth, or "cannot tell"; that in at most 5 % of the worlds whose
// mount namespace belongs to the machine's first user namespace; and the dry run always gives the
// truth (tried where explain cannot tell, and in some of the other cases). For other owners, where
// locks can't be read, the share is only printed.
//
// Exit status: 0 it holds, 1 it does not, 2 bad usage, 3 the harness could not do its work, 4
// nothing ran.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/file.h"
#include "cli/options/options.h"
#include "explain/explain.h"
#include "explain/process_view.h"
#include "check/gen/scenario_generator.h"
#include "check/gen/choices.h"
#include "check/driver/kernel_driver.h"
#include "explain/resolved_paths.h"
#include "scenario/edit.h"
#include "scenario/scenario.h"
#include "check/trial/trial.h"

namespace {

using namespace pivotcheck;
using explain::Conclusion;

constexpr std::chrono::seconds limit{10};  // for each world
constexpr double cannot_tell_share_max = 0.05;
constexpr int failures_shown_max = 3;
constexpr unsigned remedies_every = 16;  // remedies are slow: only for every 16th query
constexpr unsigned dry_run_every = 4;    // for every fourth query that explain can answer

struct Options {
  std::uint64_t seed = 0;
  int cases = 2000;
  std::string corpus;
};

// The result of one query: a scenario, the last step of which is the pivot_root in question.
struct Result {
  enum class Kind : unsigned char { right, cannot_tell, wrong, dry_run_wrong, not_asked };
  Kind kind = Kind::not_asked;
  bool machine_owns = false;
  explain::Answer answer;
  std::string what;  // is wrong

  [[nodiscard]] bool is_wrong() const { return kind == Kind::wrong || kind == Kind::dry_run_wrong; }
  [[nodiscard]] std::string_view rule() const {
    return answer.first.reason == nullptr ? "" : answer.first.reason->name;
  }
};

// The pivot_root of a step, if its paths can be given to another process.
const PivotRoot* pivot_of(const Step& step) {
  const auto* pivot = std::get_if<PivotRoot>(&step.op);
  const bool at_handle =
      pivot != nullptr && !(pivot->new_root.handle + pivot->put_old.handle).empty();
  return at_handle ? nullptr : pivot;
}

std::string_view name(Privilege privilege) {
  return privilege == Privilege::root ? "root" : "userns";
}

class ExplainOracle {
 public:
  static Expected<ExplainOracle> make() {
    ExplainOracle oracle;
    std::string why;
    for (const Privilege privilege : {Privilege::userns, Privilege::root}) {
      auto driver = KernelDriver::start(privilege);
      if (driver) {
        oracle.drivers_[static_cast<std::size_t>(privilege)] = std::move(*driver);
        continue;
      }
      why = driver.error().what;
      fmt::print(stderr, "explain_property: NOT RUN in {} worlds: {}\n", name(privilege), why);
    }
    if (!oracle.drivers_[0] && !oracle.drivers_[1]) return fail(why, Failure::Kind::cannot_run);
    return oracle;
  }

  [[nodiscard]] const KernelTraits& traits() const { return traits_; }
  [[nodiscard]] bool has(Privilege privilege) const {
    return drivers_[static_cast<std::size_t>(privilege)].has_value();
  }

  Expected<Result> ask(const Scenario& query) {
    KernelDriver& driver = *drivers_[static_cast<std::size_t>(query.effective_privilege())];
    const Program whole = resolve(query).value();
    Program world_only = whole;
    world_only.steps.pop_back();
    const auto world = driver.perform(world_only, {}, limit);
    if (!world) return std::unexpected(world.error());
    const Step& last = query.steps.back().step;
    const auto task = std::ranges::find(world->tasks, last.task.text, &LiveTask::name);
    if (task == world->tasks.end()) return Result{};
    const PivotRoot& pivot = *pivot_of(last);
    const auto process =
        explain::view_process(task->pid, {pivot.new_root.text}, {pivot.put_old.text}, traits_);
    if (!process) return std::unexpected(process.error());
    const bool with_remedies = ++queries_ % remedies_every == 0;
    Result result{.kind = Result::Kind::right,
                  .machine_owns = process->machine_owns,
                  .answer = explain::explain(*process, with_remedies),
                  .what = {}};
    const bool tells = result.answer.conclusion != Conclusion::cannot_tell;
    std::optional<Outcome> dry_run;
    if (process->may_mount && (!tells || queries_ % dry_run_every == 0)) {
      const auto outcome = dry_run_pivot_root(task->pid, pivot.new_root.text, pivot.put_old.text);
      if (!outcome) return std::unexpected(outcome.error());
      dry_run = *outcome;
    }
    const auto performed = driver.perform(whole, {}, limit);
    if (!performed) return std::unexpected(performed.error());
    const Outcome truth = performed->outcomes.back();
    const auto found_wrong = [&](Result::Kind kind, std::string_view who, Outcome says) {
      result.kind = kind;
      result.what = fmt::format("{} says {}, the kernel {}", who, to_string(says), to_string(truth));
    };
    if (tells && result.answer.first.outcome != truth) {
      found_wrong(Result::Kind::wrong, "explain", result.answer.first.outcome);
    } else if (dry_run && *dry_run != truth) {
      found_wrong(Result::Kind::dry_run_wrong, "the dry run", *dry_run);
    } else if (!tells) {
      result.kind = Result::Kind::cannot_tell;
    }
    return result;
  }

 private:
  std::array<std::optional<KernelDriver>, 2> drivers_;  // by Privilege
  KernelTraits traits_ = KernelTraits::for_release(running_release());
  unsigned queries_ = 0;
};

// --- queries

template <class Each>
const Each& one_of(Choices& choices, const std::vector<Each>& all) {
  return all[choices.below(static_cast<std::uint32_t>(all.size()))];
}

// A path down from a directory through existing ones, at most that deep.
std::string down(Choices& choices, const model::World& world, model::DentryId from, int deepest) {
  std::string path;
  for (int depth = 0; depth < deepest && choices.chance(50); ++depth) {
    std::vector<model::DentryId> directories;
    for (const model::DentryId child : world[from].children) {
      if (world[child].kind == model::Kind::directory) directories.push_back(child);
    }
    if (directories.empty()) break;
    from = one_of(choices, directories);
    path += "/" + world[from].name;
  }
  return path;
}

struct Site {
  std::string path;
  model::DentryId dentry;
};

// Mostly a mount point of the task's namespace, or a directory below one; sometimes something odd.
Site random_site(Choices& choices, const model::World& world, const model::Task& task) {
  std::vector<model::MountIndex> mounts;
  for (std::uint32_t i = 0; i < world.mounts.size(); ++i) {
    const model::Mount& mount = world.mounts[i];
    if (mount.exists && mount.mount_ns == task.mount_ns && mount.parent.exists())
      mounts.push_back({i});
  }
  if (mounts.empty() || choices.chance(15)) {
    static const std::vector<std::string> odd{".", "..", "/", "/..", "./a", "/missing"};
    return {one_of(choices, odd), task.current_directory.dentry};
  }
  const auto mount = one_of(choices, mounts);
  const std::string mount_point = world.mount_point_path(mount);
  const std::string below = down(choices, world, world[mount].root, 2);
  const std::string path = mount_point == "/" ? below : mount_point + below;
  return {path.empty() ? "/" : path, world[mount].root};
}

// The generated scenario up to its last pivot_root, or with one at the end.
std::optional<Scenario> make_query(Choices& choices, const Prediction& generated) {
  // Two worlds are made from it; in only one of them such a step may be refused, by chance
  // (FINDINGS.md, "A lookup that starts again counts its links twice").
  const auto by_chance = [](const auto& verdict) { return verdict.eloop_possible; };
  if (std::ranges::any_of(generated.verdicts, by_chance)) return std::nullopt;
  const bool own = choices.chance(50);
  Scenario query = scenario_of(generated.program);
  query.steps.resize(generated.verdicts.size());
  for (std::size_t i = query.steps.size(); own && i-- > 0;) {
    if (pivot_of(query.steps[i].step) == nullptr) continue;
    query.steps.resize(i + 1);
    return query;
  }
  std::vector<const model::Task*> tasks;
  for (const model::Task& task : generated.world.tasks) {
    if (task.alive) tasks.push_back(&task);
  }
  if (tasks.empty()) return std::nullopt;
  const model::Task& task = *one_of(choices, tasks);
  const Site new_root = random_site(choices, generated.world, task);
  const std::string put_old =
      choices.chance(70) ? new_root.path + down(choices, generated.world, new_root.dentry, 2)
                         : random_site(choices, generated.world, task).path;
  query.steps.push_back({.step = {{task.name}, PivotRoot{new_root.path, put_old}}, .stated = {}});
  return query;
}

// --- failures

// Drops the steps that the failure does not need. Other steps may be refused then.
Scenario shrink(ExplainOracle& oracle, Scenario query, Result::Kind kind) {
  for (std::size_t i = query.steps.size() - 1; i-- > 0;) {
    const Scenario shorter = edit::without_steps(query, i, 1);
    if (shorter.steps.back() != query.steps.back()) continue;  // its task went
    const auto result = oracle.ask(shorter);
    if (!result || result->kind != kind) continue;
    query = shorter;
    i = query.steps.size() - 1;  // others may be dropped now
  }
  return query;
}

void show(ExplainOracle& oracle, const Scenario& query, const Result& result) {
  const Scenario small = shrink(oracle, query, result.kind);
  fmt::print("WRONG: {}\n{}", result.what, print(small));
  if (const auto again = oracle.ask(small)) fmt::print("# {}; {}\n", again->what, again->rule());
}

// What was answered about the worlds of one kind of owner.
struct Counts {
  std::uint64_t asked = 0;
  std::uint64_t cannot_tell = 0;
  std::uint64_t succeed = 0;
  std::map<std::string, std::uint64_t> rules;  // that the answers named
  std::map<std::string, std::uint64_t> open_questions;

  void add(const Result& result) {
    ++asked;
    switch (result.answer.conclusion) {
      case Conclusion::would_succeed: ++succeed; break;
      case Conclusion::refused: ++rules[std::string(result.rule())]; break;
      case Conclusion::cannot_tell:
        ++cannot_tell;
        for (const std::string& text : result.answer.cannot_tell) {
          ++open_questions[text.substr(0, text.find(':'))];
        }
    }
  }

  [[nodiscard]] double share() const {
    return asked == 0 ? 0 : static_cast<double>(cannot_tell) / static_cast<double>(asked);
  }

  void print(std::string_view owner) const {
    fmt::print("{}: {} asked, {} would succeed, cannot tell {} ({:.2f} %)\n", owner, asked, succeed,
               cannot_tell, 100 * share());
    for (const auto& [rule, number] : rules) fmt::print("    {:8} {}\n", number, rule);
    for (const auto& [text, number] : open_questions) {
      fmt::print("    {:8} cannot tell {}\n", number, text);
    }
  }
};

// --- the corpus

// "" if the result is right.
std::string complaint_about(const Expected<Result>& result,
                            const std::optional<StatedOutcome>& stated) {
  if (!result) return result.error().what;
  if (result->is_wrong()) return result->what;
  const bool names_rule = result->answer.conclusion == Conclusion::refused && stated;
  if (!names_rule || stated->rule.empty() || result->rule() == stated->rule) return "";
  return fmt::format("explain names {}, the scenario {}", result->rule(), stated->rule);
}

// The number of queries; -1 if an answer is wrong.
int ask_corpus(ExplainOracle& oracle, const std::string& folder) {
  int asked = 0;
  int wrong = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".scn") continue;
    const auto scenario = parse(read_file(entry.path().string()));
    if (!scenario || !oracle.has(scenario->effective_privilege())) continue;
    const bool is_for_this_kernel = std::ranges::all_of(
        scenario->kernel, [](const auto& one) { return holds(one, running_release()); });
    if (!is_for_this_kernel) continue;
    Scenario query = *scenario;
    query.steps.clear();
    for (const ScenarioStep& step : scenario->steps) {
      query.steps.push_back(step);
      if (pivot_of(step.step) == nullptr) continue;
      ++asked;
      const std::string complaint = complaint_about(oracle.ask(query), step.stated);
      if (complaint.empty()) continue;
      ++wrong;
      fmt::print("WRONG: {}, step {}: {}\n", entry.path().string(), query.steps.size(), complaint);
    }
  }
  return wrong == 0 ? asked : -1;
}

int run(const Options& options) {
  auto oracle = ExplainOracle::make();
  if (!oracle) return 4;
  if (!options.corpus.empty()) {
    const int asked = ask_corpus(*oracle, options.corpus);
    fmt::print("explain_property: {} pivot_roots of {}\n", asked, options.corpus);
    if (asked <= 0) return asked == 0 ? 3 : 1;
  }
  Counts machine;
  Counts others;
  int wrong = 0;
  for (std::uint64_t i = 0;
       machine.asked + others.asked < static_cast<std::uint64_t>(options.cases); ++i) {
    SeededChoices choices(options.seed, i);
    const Privilege privilege = i % 2 == 0 ? Privilege::root : Privilege::userns;
    if (!oracle->has(privilege)) continue;
    const ScenarioGenerator generator({.privilege = privilege, .traits = oracle->traits()});
    const auto query = make_query(choices, generator.generate(choices));
    if (!query) continue;
    const auto result = oracle->ask(*query);
    if (!result) {
      fmt::print("HARNESS: case {}: {}\n", i, result.error().what);
      return 3;
    }
    if (result->kind == Result::Kind::not_asked) continue;
    (result->machine_owns ? machine : others).add(*result);
    if (result->is_wrong() && ++wrong <= failures_shown_max) show(*oracle, *query, *result);
  }
  machine.print("owned by the machine's user namespace");
  others.print("owned by another user namespace");
  const bool too_many = machine.share() > cannot_tell_share_max;
  if (too_many) fmt::print("FAILS: more than 5 % cannot tell\n");
  fmt::print("explain_property: {} wrong of {} (seed {})\n", wrong, machine.asked + others.asked,
             options.seed);
  return wrong > 0 || too_many ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.seed = std::random_device{}();
  const cli::CommandSpec command{
      .name = "explain_property",
      .summary = "explain_property: explain says what the kernel does, or that it cannot tell",
      .options = {
          {"--seed", &options.seed, "the same seed makes the same queries"},
          {"--corpus", &options.corpus, "ask about this folder's scenarios first",
           {.is_folder = true}},
          {"--cases", &options.cases, "how many queries", {.min = 1, .max = 1'000'000'000}}}};
  const cli::Parsed parsed = cli::parse_command_line(command, argc, argv);
  if (parsed.chosen == nullptr) return static_cast<int>(parsed.status);
  return run(options);
}
