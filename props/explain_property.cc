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
// One query in eight is of a sort in which a look fails or the namespaces are odd (sorts below):
// the asker has a filter that refuses a call, or few descriptors; the process is a visitor to the
// world, in a copy of its mount namespace, and the first owner of that has ended, or it has
// foreign ids or none.
//
// The property: the answer is the truth, or "cannot tell"; that in at most 7 % of the worlds whose
// mount namespace belongs to the machine's first user namespace; and the dry run always gives the
// truth (tried where explain cannot tell, and in some of the other cases). For other owners
// and for the sorts, the share is only printed, with what could not be told.
//
// Exit status: 0 it holds, 1 it does not, 2 bad usage, 3 the harness could not do its work, 4
// nothing ran.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <regex>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/file.h"
#include "base/unique_fd.h"
#include "check/driver/kernel_driver.h"
#include "check/gen/choices.h"
#include "check/gen/scenario_generator.h"
#include "check/trial/probed_traits.h"
#include "check/trial/trial.h"
#include "cli/options/options.h"
#include "explain/explain.h"
#include "explain/process_view.h"
#include "explain/resolved_paths.h"
#include "scenario/edit.h"
#include "scenario/scenario.h"

namespace {

using namespace pivotcheck;
using explain::Conclusion;

constexpr std::chrono::seconds limit{10};  // for each world
constexpr double cannot_tell_share_max = 0.07;
constexpr int failures_shown_max = 3;
constexpr unsigned remedies_every = 16;  // remedies are slow: only for every 16th query
constexpr unsigned dry_run_every = 4;    // for every fourth query that explain can answer

enum class Sort : unsigned char {
  plain,
  filter,
  few_descriptors,
  ended_owner,
  foreign_ids,
  no_ids
};
constexpr std::array<std::string_view, 6> sorts{
    "plain",       "asked under a filter", "asked with few descriptors", "first owner has ended",
    "foreign ids", "no id is mapped"};
constexpr unsigned odd_sort_every = 8;
bool is_visitor(Sort sort) { return sort >= Sort::ended_owner; }

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
  Sort sort = Sort::plain;

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

// --- sorts of askers and processes

// What an asker in a child found, for a pipe.
struct Told {
  Conclusion conclusion = Conclusion::cannot_tell;
  int error = 0;
  bool machine_owns = false;
  std::array<char, 100> why{};  // it can't be told
};

// Of a look that failed, the call and the errno.
void say_why(Told& told, const std::string& text) {
  const std::size_t size = std::min(text.size(), told.why.size() - 1);
  std::copy_n(text.begin(), size, told.why.begin());
}

bool refuse_a_call(Choices& choices) {
  static const std::vector<std::uint32_t> calls{
      SYS_statx,  SYS_openat, SYS_readlinkat, SYS_ioctl, SYS_newfstatat, SYS_umount2, SYS_unshare,
      SYS_fchdir, SYS_chroot, SYS_getdents64, SYS_setns, SYS_move_mount, SYS_prctl,   SYS_capset};
  static const std::vector<std::uint32_t> errors{ENOSYS, EPERM, EACCES, EMFILE, ENOENT, EINVAL};
  const std::uint32_t call = calls[choices.below(static_cast<std::uint32_t>(calls.size()))];
  const std::uint32_t error = errors[choices.below(static_cast<std::uint32_t>(errors.size()))];
  sock_filter program[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),  // the number of the call
                           BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
                           BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
                           BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog filter{.len = 4, .filter = program};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

bool leave_few_descriptors(Choices& choices) {
  const int next = ::dup(0);  // the lowest free number
  ::close(next);
  const rlim_t number = static_cast<rlim_t>(next) + choices.below(30);
  const rlimit few{.rlim_cur = number, .rlim_max = number};
  return next >= 0 && ::setrlimit(RLIMIT_NOFILE, &few) == 0;
}

Told ask_so(Sort sort, Choices& choices, pid_t pid, const PivotRoot& pivot,
            const KernelTraits& traits) {
  Told told;
  const bool is_set =
      sort == Sort::filter ? refuse_a_call(choices) : leave_few_descriptors(choices);
  if (!is_set) ::_exit(3);
  const auto process =
      explain::view_process(pid, {pivot.new_root.text}, {pivot.put_old.text}, traits);
  if (!process) {
    say_why(told, process.error().what);
    return told;
  }
  const explain::Answer answer = explain::explain(*process, false);
  told = {.conclusion = answer.conclusion,
          .error = answer.first.outcome.error,
          .machine_owns = process->machine_owns};
  if (!answer.cannot_tell.empty()) say_why(told, answer.cannot_tell.front());
  return told;
}

// A child with two pipes: it writes to one, and waits for the other.
class Child {
 public:
  explicit Child(auto work) {
    std::array<int, 2> up{};
    std::array<int, 2> down{};
    if (::pipe2(up.data(), O_CLOEXEC) != 0 || ::pipe2(down.data(), O_CLOEXEC) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      work(up[1], down[0]);
      ::_exit(0);
    }
    ::close(up[1]);
    ::close(down[0]);
    from_.reset(up[0]);
    to_.reset(down[1]);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  template <class T>
  std::optional<T> read() {
    T value{};
    const bool whole = ::read(from_.get(), &value, sizeof value) == sizeof value;
    return whole ? std::optional(value) : std::nullopt;
  }
  bool tell() { return ::write(to_.get(), "", 1) == 1; }

 private:
  pid_t pid_ = -1;
  UniqueFd from_;
  UniqueFd to_;
};

void write_number(int pipe, int number) {
  if (::write(pipe, &number, sizeof number) != sizeof number) ::_exit(3);
}

// In the child: into the world of a task, then a copy of its mount namespace. 0 or an errno.
int enter_copy(Sort sort, pid_t pid) {
  const auto open = [&](const char* what, int flags) {
    return UniqueFd(::open(fmt::format("/proc/{}/{}", pid, what).c_str(), flags | O_CLOEXEC));
  };
  const UniqueFd root = open("root", O_PATH);
  const UniqueFd directory = open("cwd", O_PATH);
  const UniqueFd mounts = open("ns/mnt", O_RDONLY);
  if (::setns(mounts.get(), CLONE_NEWNS) != 0 || ::fchdir(root.get()) != 0 || ::chroot(".") != 0 ||
      ::fchdir(directory.get()) != 0) {
    return errno;
  }
  constexpr uid_t other = 1000;
  if (sort == Sort::no_ids &&
      (::setresgid(other, other, other) != 0 || ::setresuid(other, other, other) != 0)) {
    return errno;
  }
  // A chroot may make no user namespace: EPERM, and that is no query.
  const int user = sort == Sort::ended_owner ? 0 : CLONE_NEWUSER;
  return ::unshare(CLONE_NEWNS | user) == 0 ? 0 : errno;
}

void visit(Sort sort, pid_t pid, const PivotRoot& pivot, int up, int down) {
  char word = 0;
  write_number(up, enter_copy(sort, pid));
  if (::read(down, &word, 1) != 1) return;
  if (sort == Sort::foreign_ids && (::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0)) {
    return write_number(up, errno);
  }
  write_number(up, 0);
  if (::read(down, &word, 1) != 1) return;
  const long result =
      ::syscall(SYS_pivot_root, pivot.new_root.text.c_str(), pivot.put_old.text.c_str());
  write_number(up, result == 0 ? 0 : errno);
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

  Expected<Result> ask(const Scenario& query, Sort sort = Sort::plain, std::uint64_t seed = 0) {
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
    if (is_visitor(sort)) {
      Program nothing = std::move(world_only);
      nothing.steps.clear();
      return ask_visitor(driver, nothing, sort, task->pid, pivot);
    }
    if (sort != Sort::plain) return ask_from_child(driver, whole, sort, seed, task->pid, pivot);
    const auto process =
        explain::view_process(task->pid, {pivot.new_root.text}, {pivot.put_old.text}, traits_);
    if (!process) {  // a look that failed is no answer
      Result result{};
      result.kind = Result::Kind::cannot_tell;
      result.answer.cannot_tell = {process.error().what};
      return result;
    }
    const bool with_remedies = ++queries_ % remedies_every == 0;
    Result result{.kind = Result::Kind::right,
                  .machine_owns = process->machine_owns,
                  .answer = explain::explain(*process, with_remedies),
                  .what = {}};
    const bool tells = result.answer.conclusion != Conclusion::cannot_tell;
    std::optional<Outcome> dry_run;
    if (process->may_mount && (!tells || queries_ % dry_run_every == 0)) {
      const auto outcome = dry_run_pivot_root(task->pid, pivot.new_root.text, pivot.put_old.text);
      // In a namespace that may have no further mount namespace, nothing can be tried.
      const bool has_no_room = !outcome && outcome.error().error == ENOSPC && limits(query);
      if (!outcome && !has_no_room) return std::unexpected(outcome.error());
      if (outcome) dry_run = *outcome;
    }
    const auto performed = driver.perform(whole, {}, limit);
    if (!performed) return std::unexpected(performed.error());
    const Outcome truth = performed->outcomes.back();
    compare(result, truth);
    if (!result.is_wrong() && dry_run && *dry_run != truth) {
      found_wrong(result, Result::Kind::dry_run_wrong, *dry_run, truth);
    }
    return result;
  }

 private:
  static bool limits(const Scenario& query) {
    return std::ranges::any_of(query.steps, [](const ScenarioStep& step) {
      return std::holds_alternative<Limit>(step.step.op);
    });
  }

  static void found_wrong(Result& result, Result::Kind kind, Outcome says, Outcome truth) {
    result.kind = kind;
    result.what = fmt::format(
        "{}: {} says {}, the kernel {}", sorts[static_cast<std::size_t>(result.sort)],
        kind == Result::Kind::wrong ? "explain" : "the dry run", to_string(says), to_string(truth));
  }

  static void compare(Result& result, Outcome truth) {
    if (result.answer.conclusion == Conclusion::cannot_tell) {
      result.kind = Result::Kind::cannot_tell;
    } else if (result.answer.first.outcome != truth) {
      found_wrong(result, Result::Kind::wrong, result.answer.first.outcome, truth);
    }
  }

  // The same process, asked about by a child that is hindered.
  Expected<Result> ask_from_child(KernelDriver& driver, const Program& whole, Sort sort,
                                  std::uint64_t seed, pid_t pid, const PivotRoot& pivot) {
    Child child([&](int up, int) {
      SeededChoices choices(seed, 0);
      const Told told = ask_so(sort, choices, pid, pivot, traits_);
      if (::write(up, &told, sizeof told) != sizeof told) ::_exit(3);
    });
    const auto told = child.read<Told>();
    if (!told) return fail("the child that asks has ended");
    const auto performed = driver.perform(whole, {}, limit);
    if (!performed) return std::unexpected(performed.error());
    Result result{.kind = Result::Kind::right,
                  .machine_owns = told->machine_owns,
                  .answer = {},
                  .what = {},
                  .sort = sort};
    result.answer.conclusion = told->conclusion;
    result.answer.first.outcome = {told->error};
    if (told->conclusion == Conclusion::cannot_tell) {
      result.answer.cannot_tell = {told->why.data()};
    }
    compare(result, performed->outcomes.back());
    return result;
  }

  // A process that went into the world; that ends, except for the copy.
  Expected<Result> ask_visitor(KernelDriver& driver, const Program& nothing, Sort sort, pid_t pid,
                               const PivotRoot& pivot) {
    Child visitor([&](int up, int down) { visit(sort, pid, pivot, up, down); });
    if (visitor.read<int>() != 0) return Result{};
    if (sort == Sort::foreign_ids) {
      const std::string map = "0 100000 65536";
      for (const char* file : {"gid_map", "uid_map"}) {
        if (!write_file(fmt::format("/proc/{}/{}", visitor.pid(), file), map)) return fail(file);
      }
    }
    if (!visitor.tell() || visitor.read<int>() != 0) return fail("a visitor did not get its ids");
    if (const auto ended = driver.perform(nothing, {}, limit); !ended) {
      return std::unexpected(ended.error());
    }
    const auto process =
        explain::view_process(visitor.pid(), {pivot.new_root.text}, {pivot.put_old.text}, traits_);
    Result result{
        .kind = Result::Kind::right, .machine_owns = false, .answer = {}, .what = {}, .sort = sort};
    if (process) {
      result.answer = explain::explain(*process, false);
    } else {
      result.answer.cannot_tell = {process.error().what};
    }
    if (!visitor.tell()) return fail("a visitor has ended");
    const auto truth = visitor.read<int>();
    if (!truth) return fail("a visitor has ended");
    compare(result, {*truth});
    return result;
  }

  std::array<std::optional<KernelDriver>, 2> drivers_;  // by Privilege
  KernelTraits traits_ = probed_traits().traits;
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
Scenario shrink(ExplainOracle& oracle, Scenario query, const Result& of, std::uint64_t seed) {
  for (std::size_t i = query.steps.size() - 1; i-- > 0;) {
    const Scenario shorter = edit::without_steps(query, i, 1);
    if (shorter.steps.back() != query.steps.back()) continue;  // its task went
    const auto result = oracle.ask(shorter, of.sort, seed);
    if (!result || result->kind != of.kind) continue;
    query = shorter;
    i = query.steps.size() - 1;  // others may be dropped now
  }
  return query;
}

void show(ExplainOracle& oracle, const Scenario& query, const Result& result, std::uint64_t seed) {
  const Scenario small = shrink(oracle, query, result, seed);
  fmt::print("WRONG: {}\n{}", result.what, print(small));
  if (const auto again = oracle.ask(small, result.sort, seed))
    fmt::print("# {}; {}\n", again->what, again->rule());
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
          const std::size_t end = text.starts_with("whether") ? text.find(':') : text.npos;
          static const std::regex pid("\\b[0-9]+/");
          ++open_questions[std::regex_replace(text.substr(0, end), pid, "PID/")];
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

// Visitors need the power to enter the worlds.
Sort sort_of(std::uint64_t number) {
  if (number % odd_sort_every != 0) return Sort::plain;
  const std::uint64_t choices = ::geteuid() == 0 ? 5 : 2;
  return static_cast<Sort>(1 + number / odd_sort_every % choices);
}

int run(const Options& options) {
  if (::geteuid() != 0) {
    fmt::print(stderr, "explain_property: NOT RUN with 3 sorts of visitors: not root\n");
  }
  auto oracle = ExplainOracle::make();
  if (!oracle) return 4;
  if (!options.corpus.empty()) {
    const int asked = ask_corpus(*oracle, options.corpus);
    fmt::print("explain_property: {} pivot_roots of {}\n", asked, options.corpus);
    if (asked <= 0) return asked == 0 ? 3 : 1;
  }
  Counts machine;
  Counts others;
  std::array<Counts, sorts.size()> odd;
  int wrong = 0;
  int asked = 0;
  for (std::uint64_t i = 0; asked < options.cases; ++i) {
    SeededChoices choices(options.seed, i);
    const Privilege privilege = i % 2 == 0 ? Privilege::root : Privilege::userns;
    if (!oracle->has(privilege)) continue;
    const ScenarioGenerator generator({.privilege = privilege, .traits = oracle->traits()});
    const auto query = make_query(choices, generator.generate(choices));
    if (!query) continue;
    const Sort sort = sort_of(i / 2);
    const auto result = oracle->ask(*query, sort, options.seed + i);
    if (!result) {
      fmt::print("HARNESS: case {}: {}\n", i, result.error().what);
      return 3;
    }
    if (result->kind == Result::Kind::not_asked) continue;
    ++asked;
    Counts& plain = result->machine_owns ? machine : others;
    (sort == Sort::plain ? plain : odd[static_cast<std::size_t>(sort)]).add(*result);
    if (result->is_wrong() && ++wrong <= failures_shown_max) {
      show(*oracle, *query, *result, options.seed + i);
    }
  }
  machine.print("owned by the machine's user namespace");
  others.print("owned by another user namespace");
  for (std::size_t sort = 1; sort < odd.size(); ++sort) odd[sort].print(sorts[sort]);
  const bool too_many = machine.share() > cannot_tell_share_max;
  if (too_many) fmt::print("FAILS: more than 7 % cannot tell\n");
  fmt::print("explain_property: {} wrong of {} (seed {})\n", wrong, asked, options.seed);
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
