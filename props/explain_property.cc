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
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/options/options.h"
#include "explain/explain.h"
#include "explain/process_view.h"
#include "check/gen/scenario_generator.h"
#include "check/gen/seeded.h"
#include "check/driver/kernel_driver.h"
#include "explain/resolved_paths.h"
#include "scenario/scenario.h"
#include "check/trial/trial.h"

namespace {

using namespace pivotcheck;
using explain::Answer;

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

// Steps, the last of which is the pivot_root in question.
using PivotQuery = std::vector<Step>;

struct Counts {
  std::uint64_t asked = 0;
  std::uint64_t cannot_tell = 0;
  std::uint64_t succeed = 0;
  std::map<std::string, std::uint64_t> rules;  // that the answers named
  std::map<std::string, std::uint64_t> open_questions;
};

// The result of one query.
struct Result {
  enum class Kind : unsigned char { right, cannot_tell, wrong, dry_run_wrong, not_asked, broke };
  Kind kind = Kind::not_asked;
  bool machine_owns = false;
  Answer answer;
  std::string what;
};

const PivotRoot& pivot_of(const PivotQuery& query) {
  return std::get<PivotRoot>(query.back().op);
}

bool starts_at_handle(const PivotRoot& pivot) {
  return !pivot.new_root.handle.empty() || !pivot.put_old.handle.empty();
}

Program program_of(Privilege privilege, const PivotQuery& query, std::size_t count) {
  Scenario scenario;
  scenario.privilege = privilege;
  for (std::size_t i = 0; i < count; ++i)
    scenario.steps.push_back({.step = query[i], .stated = {}});
  return resolve(scenario).value();
}

class ExplainOracle {
 public:
  explicit ExplainOracle(std::array<std::optional<KernelDriver>, 2> drivers)
      : drivers_(std::move(drivers)),
        traits_(KernelTraits::for_release(running_release())) {}

  [[nodiscard]] const KernelTraits& traits() const { return traits_; }
  [[nodiscard]] bool has(Privilege privilege) const {
    return drivers_[static_cast<std::size_t>(privilege)].has_value();
  }

  Result ask(Privilege privilege, const PivotQuery& query) {
    KernelDriver& driver = *drivers_[static_cast<std::size_t>(privilege)];
    const auto world = driver.perform(program_of(privilege, query, query.size() - 1), {}, limit);
    if (!world) return broke(world.error());
    const auto task = std::ranges::find(world->tasks, query.back().task.text, &LiveTask::name);
    if (task == world->tasks.end()) return {};
    const PivotRoot& pivot = pivot_of(query);
    const auto process =
        explain::view_process(task->pid, {pivot.new_root.text}, {pivot.put_old.text}, traits_);
    if (!process) return broke(process.error());
    const bool with_remedies = ++queries_ % remedies_every == 0;
    Result result{.kind = Result::Kind::right,
                  .machine_owns = process->machine_owns,
                  .answer = explain::explain(*process, with_remedies),
                  .what = {}};
    std::optional<Outcome> dry_run;
    const bool tells = result.answer.conclusion != explain::Conclusion::cannot_tell;
    if (process->may_mount && (!tells || queries_ % dry_run_every == 0)) {
      const auto outcome = dry_run_pivot_root(task->pid, pivot.new_root.text, pivot.put_old.text);
      if (!outcome) return broke(outcome.error());
      dry_run = *outcome;
    }
    const auto truth = driver.perform(program_of(privilege, query, query.size()), {}, limit);
    if (!truth) return broke(truth.error());
    return compared(std::move(result), dry_run, truth->outcomes.back());
  }

 private:
  static Result broke(const Failure& failure) {
    Result result;
    result.kind = Result::Kind::broke;
    result.what = failure.what;
    return result;
  }

  static Result compared(Result result, std::optional<Outcome> dry_run, Outcome truth) {
    const bool tells = result.answer.conclusion != explain::Conclusion::cannot_tell;
    if (!tells) result.kind = Result::Kind::cannot_tell;
    if (tells && result.answer.first.outcome != truth) {
      result.kind = Result::Kind::wrong;
      result.what = fmt::format("explain says {}, the kernel {}",
                                to_string(result.answer.first.outcome), to_string(truth));
    } else if (dry_run && *dry_run != truth) {
      result.kind = Result::Kind::dry_run_wrong;
      result.what = fmt::format("the dry run says {}, the kernel {}", to_string(*dry_run),
                                to_string(truth));
    }
    return result;
  }

  std::array<std::optional<KernelDriver>, 2> drivers_;
  KernelTraits traits_;
  unsigned queries_ = 0;
};

// --- queries

// A path down from a directory through existing ones, at most that deep.
std::string down(Choices& choices, const model::World& world, model::DentryId from, int deepest) {
  std::string path;
  for (int depth = 0; depth < deepest && choices.chance(50); ++depth) {
    std::vector<model::DentryId> directories;
    for (const model::DentryId child : world[from].children) {
      if (world[child].kind == model::Kind::directory) directories.push_back(child);
    }
    if (directories.empty()) break;
    from = directories[choices.below(static_cast<std::uint32_t>(directories.size()))];
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
    static constexpr std::array<std::string_view, 6> odd{".", "..", "/", "/..", "./a", "/missing"};
    return {std::string(odd[choices.below(odd.size())]), task.current_directory.dentry};
  }
  const auto mount = mounts[choices.below(static_cast<std::uint32_t>(mounts.size()))];
  const std::string mount_point = world.mount_point_path(mount);
  const std::string below = down(choices, world, world[mount].root, 2);
  const std::string path = mount_point == "/" ? below : mount_point + below;
  return {path.empty() ? "/" : path, world[mount].root};
}

// The generated scenario up to its last pivot_root, or with one at the end.
std::optional<PivotQuery> make_query(Choices& choices, const Prediction& generated) {
  // Two worlds are made from it; in only one of them such a step may be refused, by chance
  // (FINDINGS.md, "A lookup that starts again counts its links twice").
  const auto by_chance = [](const auto& verdict) { return verdict.eloop_possible; };
  if (std::ranges::any_of(generated.verdicts, by_chance)) return std::nullopt;
  const bool own = choices.chance(50);
  PivotQuery query;
  for (std::size_t i = 0; i < generated.verdicts.size(); ++i) {
    query.push_back(step_of(generated.program, i));
  }
  for (std::size_t i = query.size(); own && i-- > 0;) {
    const auto* pivot = std::get_if<PivotRoot>(&query[i].op);
    if (pivot == nullptr || starts_at_handle(*pivot)) continue;
    query.resize(i + 1);
    return query;
  }
  std::vector<const model::Task*> tasks;
  for (const model::Task& task : generated.world.tasks) {
    if (task.alive) tasks.push_back(&task);
  }
  if (tasks.empty()) return std::nullopt;
  const model::Task& task = *tasks[choices.below(static_cast<std::uint32_t>(tasks.size()))];
  const Site new_root = random_site(choices, generated.world, task);
  const std::string put_old =
      choices.chance(70) ? new_root.path + down(choices, generated.world, new_root.dentry, 2)
                       : random_site(choices, generated.world, task).path;
  query.push_back({{task.name}, PivotRoot{new_root.path, put_old}});
  return query;
}

// --- failures

// Drops the steps that the failure does not need. Other steps may be refused then, but every task
// must exist.
PivotQuery shrink(ExplainOracle& oracle, Privilege privilege, PivotQuery query, Result::Kind kind) {
  for (bool again = true; again;) {
    again = false;
    for (std::size_t i = query.size() - 1; i-- > 0;) {
      if (std::holds_alternative<Spawn>(query[i].op) ||
          std::holds_alternative<Exit>(query[i].op)) {
        continue;
      }
      PivotQuery shorter = query;
      shorter.erase(shorter.begin() + static_cast<std::ptrdiff_t>(i));
      if (oracle.ask(privilege, shorter).kind != kind) continue;
      query = std::move(shorter);
      again = true;
    }
  }
  return query;
}

void show(ExplainOracle& oracle, Privilege privilege, const PivotQuery& query,
          const Result& result) {
  const PivotQuery small = shrink(oracle, privilege, query, result.kind);
  fmt::print("WRONG: {}\nprivilege: {}\n", result.what,
             privilege == Privilege::root ? "root" : "userns");
  for (const Step& step : small) fmt::print("{}\n", print(step));
  const Result shown = oracle.ask(privilege, small);
  fmt::print("# {}; {}\n", shown.what,
             shown.answer.first.reason == nullptr ? "" : shown.answer.first.reason->name);
}

void count(Counts& counts, const Result& result) {
  ++counts.asked;
  if (result.answer.conclusion == explain::Conclusion::would_succeed) ++counts.succeed;
  if (result.answer.conclusion == explain::Conclusion::refused) {
    ++counts.rules[std::string(result.answer.first.reason->name)];
  }
  if (result.answer.conclusion != explain::Conclusion::cannot_tell) return;
  ++counts.cannot_tell;
  for (const std::string& text : result.answer.cannot_tell) {
    ++counts.open_questions[text.substr(0, text.find(':'))];
  }
}

double share(const Counts& counts) {
  return counts.asked == 0
             ? 0
             : static_cast<double>(counts.cannot_tell) / static_cast<double>(counts.asked);
}

void print_report(std::string_view owner, const Counts& counts) {
  fmt::print("{}: {} asked, {} would succeed, cannot tell {} ({:.2f} %)\n", owner, counts.asked,
             counts.succeed, counts.cannot_tell, 100 * share(counts));
  for (const auto& [rule, number] : counts.rules) fmt::print("    {:8} {}\n", number, rule);
  for (const auto& [text, number] : counts.open_questions) {
    fmt::print("    {:8} cannot tell {}\n", number, text);
  }
}

std::expected<ExplainOracle, Failure> make_oracle() {
  std::array<std::optional<KernelDriver>, 2> drivers;
  std::string why;
  for (const Privilege privilege : {Privilege::userns, Privilege::root}) {
    auto driver = KernelDriver::start(privilege);
    if (driver) {
      drivers[static_cast<std::size_t>(privilege)] = std::move(*driver);
    } else {
      why = driver.error().what;
      fmt::print(stderr, "explain_property: NOT RUN in {} worlds: {}\n",
                 privilege == Privilege::root ? "root" : "userns", why);
    }
  }
  if (!drivers[0] && !drivers[1]) return fail(why, Failure::Kind::cannot_run);
  return ExplainOracle(std::move(drivers));
}

// --- the corpus

// "" if the result is right.
std::string complaint_about(const Result& result, const StatedOutcome* stated) {
  if (result.kind == Result::Kind::broke || result.kind == Result::Kind::wrong ||
      result.kind == Result::Kind::dry_run_wrong) {
    return result.what;
  }
  if (result.answer.conclusion != explain::Conclusion::refused || stated == nullptr) return "";
  const std::string_view rule = result.answer.first.reason->name;
  if (stated->rule.empty() || rule == stated->rule) return "";
  return fmt::format("explain names {}, the scenario {}", rule, stated->rule);
}

// The number of queries; -1 if an answer is wrong.
int ask_corpus(ExplainOracle& oracle, const std::string& folder) {
  int asked = 0;
  int wrong = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".scn") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const auto scenario = parse(std::string(std::istreambuf_iterator<char>(file), {}));
    if (!scenario || !oracle.has(scenario->effective_privilege())) continue;
    const bool is_for_this_kernel = std::ranges::all_of(
        scenario->kernel, [](const auto& one) { return holds(one, running_release()); });
    if (!is_for_this_kernel) continue;
    PivotQuery query;
    for (const ScenarioStep& step : scenario->steps) {
      query.push_back(step.step);
      const auto* pivot = std::get_if<PivotRoot>(&step.step.op);
      if (pivot == nullptr || starts_at_handle(*pivot)) continue;
      const Result result = oracle.ask(scenario->effective_privilege(), query);
      ++asked;
      const std::string complaint = complaint_about(result, step.stated ? &*step.stated : nullptr);
      if (complaint.empty()) continue;
      ++wrong;
      fmt::print("WRONG: {}, step {}: {}\n", entry.path().string(), query.size(), complaint);
    }
  }
  return wrong == 0 ? asked : -1;
}

int run(const Options& options) {
  auto oracle = make_oracle();
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
    const Prediction generated = generator.generate(choices);
    const auto query = make_query(choices, generated);
    if (!query) continue;
    const Result result = oracle->ask(privilege, *query);
    if (result.kind == Result::Kind::not_asked) continue;
    if (result.kind == Result::Kind::broke) {
      fmt::print("HARNESS: case {}: {}\n", i, result.what);
      return 3;
    }
    count(result.machine_owns ? machine : others, result);
    const bool is_wrong =
        result.kind == Result::Kind::wrong || result.kind == Result::Kind::dry_run_wrong;
    if (is_wrong && ++wrong <= failures_shown_max) show(*oracle, privilege, *query, result);
  }
  print_report("owned by the machine's user namespace", machine);
  print_report("owned by another user namespace", others);
  const bool too_many = share(machine) > cannot_tell_share_max;
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
