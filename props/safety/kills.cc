// SPDX-License-Identifier: Apache-2.0
// kills.cc: kills processes of the command at random moments. A round is one run of it:
//
//     start; several times: wait, kill a process that is not the parent (a worker, an executor, a
//     task); the run must go on. Then the parent gets SIGKILL, or sometimes SIGINT or SIGTERM. All
//     its processes must end, and nothing may be left behind (traces.h).
//
// The same seed makes the same choices, at slightly different moments.

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <optional>
#include <random>
#include <vector>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/file.h"
#include "processes.h"
#include "tests.h"
#include "traces.h"

namespace pivotcheck::safety {
namespace {

constexpr std::uint32_t kills_per_round = 10;
constexpr std::uint32_t moment_us_max = 25'000;  // a dozen cases
constexpr std::uint32_t looks_for_a_task = 20;
constexpr int gentle_percent = 20;               // parents that are asked to end
constexpr int rounds_without_kill_max = 20;      // a command that ends at once proves nothing

class Kills {
 public:
  explicit Kills(const Options& options) : options_(options), random_(options.seed) {}

  bool all() {
    int rounds_in_vain = 0;
    while (total() < options_.count) {
      const std::uint64_t before = total();
      if (!one_round()) return false;
      rounds_in_vain = total() == before ? rounds_in_vain + 1 : 0;
      if (rounds_in_vain > rounds_without_kill_max) {
        fmt::print("the command ends before anything of it can be killed\n");
        return false;
      }
    }
    fmt::print("{} kills in {} runs:", total(), rounds_);
    for (std::size_t i = 0; i < roles_count; ++i) {
      fmt::print(" {} {}{}", killed_[i], name(static_cast<Role>(i)),
                 i + 1 < roles_count ? "," : "");
    }
    fmt::print(
        "\n{} runs were asked to end; {} namespaces were looked for{}\n"
        "gone within {} ms at the worst; nothing was left behind (seed {})\n",
        asked_, namespaces_, by_handle_ ? " by handle" : "", worst_ms_, options_.seed);
    if (!options_.fuzzer.empty()) return true;
    fmt::print("NOT RUN: libFuzzer's processes: this build has none\n");
    return true;
  }

 private:
  std::uint32_t below(std::uint32_t n) {
    return std::uniform_int_distribution<std::uint32_t>(0, n - 1)(random_);
  }
  [[nodiscard]] std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t each : killed_) sum += each;
    return sum;
  }

  std::vector<std::string> words(const std::string& folder) {
    const std::string seed = std::to_string(1 + below(1'000'000));
    if (!options_.fuzzer.empty() && below(3) == 0) {
      std::filesystem::create_directory(folder + "/inputs");
      std::filesystem::create_directory(folder + "/artifacts");
      return {options_.fuzzer, "-seed=" + seed, "-artifact_prefix=artifacts/", "inputs",
              options_.corpus};
    }
    if (below(4) == 0) {
      return {options_.pivotcheck, "run", "--every-step", "--jobs", "4", options_.corpus};
    }
    return {options_.pivotcheck, "explore", "--seconds", "60", "--jobs", "4", "--seed", seed};
  }

  // One of a role that is drawn first: there are many tasks and one parent.
  std::optional<Process> choose(const std::vector<Process>& all) {
    std::array<std::vector<Process>, roles_count> by_role;
    for (const Process& process : all) {
      if (process.state != 'Z' && process.role != Role::parent) {
        by_role[static_cast<std::size_t>(process.role)].push_back(process);
      }
    }
    std::vector<std::size_t> roles;
    for (std::size_t i = 0; i < roles_count; ++i) {
      if (!by_role[i].empty()) roles.push_back(i);
    }
    if (roles.empty()) return std::nullopt;
    const std::size_t role = roles[below(static_cast<std::uint32_t>(roles.size()))];
    return by_role[role][below(static_cast<std::uint32_t>(by_role[role].size()))];
  }

  // Tasks live for a short time: most lists of processes have none.
  std::vector<Process> look(pid_t command) {
    std::vector<Process> all = processes_below(command);
    const auto is_task = [](const Process& process) { return process.role == Role::task; };
    for (std::uint32_t i = below(2) * looks_for_a_task; i > 0; --i) {
      if (std::ranges::any_of(all, is_task)) break;
      all = processes_below(command);
    }
    return all;
  }

  // A process id may be used again by now, so the processes are listed once more right before.
  void kill_one(pid_t command, Traces& traces) {
    const std::vector<Process> all = look(command);
    for (const Process& process : all) traces.note_namespaces(process.pid);
    const std::optional<Process> victim = choose(all);
    if (!victim) return;
    for (const Process& process : processes_below(command)) {
      if (process.pid != victim->pid || process.role != victim->role) continue;
      if (::kill(process.pid, SIGKILL) == 0) ++killed_[static_cast<std::size_t>(process.role)];
    }
  }

  bool one_round() {
    const Folder folder;
    Traces traces(folder.path());
    by_handle_ = traces.has_handles();
    const pid_t command = start({.words = words(folder.path()), .folder = folder.path()});
    ++rounds_;
    for (std::uint32_t i = below(kills_per_round); i > 0; --i) {
      sleep_us(1000 + below(moment_us_max));
      kill_one(command, traces);
    }
    sleep_us(1000 + below(moment_us_max));
    for (const Process& process : processes_below(command)) traces.note_namespaces(process.pid);
    const bool ask = below(100) < gentle_percent;
    if (ask) {
      ++asked_;
      ::kill(command, below(2) == 0 ? SIGINT : SIGTERM);
    } else if (::kill(command, SIGKILL) == 0) {
      ++killed_[static_cast<std::size_t>(Role::parent)];
    }
    const std::int64_t begun_ms = now_ms();
    const std::optional<int> status = wait_for(command, gone_limit_ms);
    if (!status) ::kill(command, SIGKILL);
    const bool clean = traces.nothing_left();
    worst_ms_ = std::max(worst_ms_, now_ms() - begun_ms);
    namespaces_ += traces.namespaces_noted();
    if (!status) fmt::print("left behind: process: the command does not end when it is asked to\n");
    return status && clean && no_disagreement(*status, folder.path());
  }

  // A process that was killed must not be taken for an answer of the kernel.
  static bool no_disagreement(int status, const std::string& folder) {
    if (!exited_with(status, 1)) return true;
    fmt::print("a killed process was taken for a disagreement:\n{}{}", read_file(folder + "/out"),
               read_file(folder + "/err"));
    return false;
  }

  const Options& options_;
  std::mt19937_64 random_;
  std::array<std::uint64_t, roles_count> killed_{};
  std::uint64_t rounds_ = 0;
  std::uint64_t asked_ = 0;
  std::uint64_t namespaces_ = 0;
  std::int64_t worst_ms_ = 0;
  bool by_handle_ = false;
};

}  // namespace

bool kills(const Options& options) { return Kills(options).all(); }

}  // namespace pivotcheck::safety
