// SPDX-License-Identifier: Apache-2.0
// soak.cc: memory and kernel objects that many cases leave. Two runs of the command; the first
// fills the caches that are filled once:
//
//     a tenth of the cases   count    all cases, looking at resident memory    count
//                              '-------------------- the difference ----------------'
//
// The rest of the machine changes these counts as well, so the difference must be small against the
// number of cases: one mount lost in a hundred cases is far beyond the limit.

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <vector>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/file.h"
#include "processes.h"
#include "slabs.h"
#include "tests.h"
#include "traces.h"

namespace pivotcheck::safety {
namespace {

constexpr int run_limit_ms = 3'600'000;
constexpr std::uint64_t cases_per_object = 100;  // more than one lost for so many cases is a leak
constexpr std::int64_t noise_objects = 400;      // of the rest of the machine
constexpr std::uint64_t noise_kib = 2048;        // of an allocator
constexpr int settle_us = 500'000;               // RCU frees late
constexpr std::size_t settle_times = 20;
constexpr int look_every_ms = 100;

class Soak {
 public:
  explicit Soak(const Options& options) : options_(options), traces_(folder_.path()) {}

  bool all() {
    const std::uint64_t some = std::max<std::uint64_t>(options_.count / 10, 100);
    if (!run(some, false)) return false;
    const auto before = count_slabs();
    if (!run(options_.count, true)) return false;
    auto after = settled(before);
    bool good = slabs_are_back(before, after);
    good = memory_is_back(Role::parent) && good;
    good = memory_is_back(Role::worker) && good;
    good = memory_is_back(Role::executor) && good;
    return traces_.nothing_left() && good;
  }

 private:
  bool run(std::uint64_t cases, bool look) {
    const pid_t command = start({.words = {options_.pivotcheck, "explore", "--cases",
                                           std::to_string(cases), "--seed",
                                           std::to_string(options_.seed)},
                                 .folder = folder_.path()});
    std::optional<int> status;
    for (const std::int64_t end_ms = now_ms() + run_limit_ms; !status && now_ms() < end_ms;) {
      if (look) look_at_memory(command);
      status = wait_for(command, look_every_ms);
    }
    if (exited_with(status, 0)) {
      if (look) print_cases();
      return true;
    }
    ::kill(command, SIGKILL);
    fmt::print("explore did not end as it should\n{}{}", read_file(folder_.path() + "/out"),
               read_file(folder_.path() + "/err"));
    return false;
  }

  void print_cases() const {
    std::istringstream lines(read_file(folder_.path() + "/out"));
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("cases") || line.starts_with("disagreements")) {
        fmt::print("{}\n", line);
      }
    }
  }

  void look_at_memory(pid_t command) {
    std::array<std::uint64_t, roles_count> most{};
    for (const Process& process : processes_below(command)) {
      auto& of_role = most[static_cast<std::size_t>(process.role)];
      of_role = std::max(of_role, process.resident_kib);
    }
    for (std::size_t i = 0; i < roles_count; ++i) {
      if (most[i] > 0) memory_kib_[i].push_back(most[i]);
    }
  }

  // The kernel frees much of it later: by RCU, or in a kernel thread.
  static std::map<std::string, std::int64_t> settled(
      const std::map<std::string, std::int64_t>& before) {
    auto counts = count_slabs();
    for (std::size_t i = 0; i < settle_times; ++i) {
      const bool back = std::ranges::all_of(
          counts, [&](const auto& each) { return each.second <= before.at(each.first); });
      if (back) break;
      sleep_us(settle_us);
      counts = count_slabs();
    }
    return counts;
  }

  [[nodiscard]] bool slabs_are_back(const std::map<std::string, std::int64_t>& before,
                                    const std::map<std::string, std::int64_t>& after) const {
    if (before.empty()) {
      fmt::print("NOT SEEN: the kernel's counts: /proc/slabinfo can't be read\n");
      return true;
    }
    const auto limit =
        static_cast<std::int64_t>(options_.count / cases_per_object) + noise_objects;
    bool good = true;
    for (const auto& [name, count] : before) {
      const std::int64_t grown = after.at(name) - count;
      fmt::print("{:<18} {:>7} -> {:>7} ({:+}){}\n", name, count, after.at(name), grown,
                 grown > limit ? "  LEAKS" : "");
      good = good && grown <= limit;
    }
    return good;
  }

  // The last quarter against the second: by then everything was needed once.
  [[nodiscard]] bool memory_is_back(Role role) const {
    const std::vector<std::uint64_t>& kib = memory_kib_[static_cast<std::size_t>(role)];
    if (kib.size() < 8) {
      fmt::print("NOT SEEN: memory of {}: only {} looks\n", name(role), kib.size());
      return true;
    }
    const auto median = [&](std::size_t quarter) {
      const auto from = kib.begin() + static_cast<std::ptrdiff_t>(quarter * kib.size() / 4);
      const auto to = kib.begin() + static_cast<std::ptrdiff_t>((quarter + 1) * kib.size() / 4);
      std::vector<std::uint64_t> part(from, to);
      std::ranges::sort(part);
      return part[part.size() / 2];
    };
    const std::uint64_t early = median(1);
    const std::uint64_t late = median(3);
    const bool good = late <= early + early / 10 + noise_kib;
    fmt::print("memory of {:<8} {:>7} -> {:>7} KiB{}\n", name(role), early, late,
               good ? "" : "  GROWS");
    return good;
  }

  const Options& options_;
  Folder folder_;
  Traces traces_;
  // Resident memory of the process of each role that has most; one for each look.
  std::array<std::vector<std::uint64_t>, roles_count> memory_kib_;
};

}  // namespace

bool soak(const Options& options) { return Soak(options).all(); }

std::map<std::string, std::int64_t> count_slabs() {
  std::map<std::string, std::int64_t> counts;
  for (const std::string_view name : slab_names) {
    std::ofstream shrink(fmt::format("/sys/kernel/slab/{}/shrink", name));
    shrink << "1\n";
  }
  std::istringstream lines(read_file("/proc/slabinfo"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    std::int64_t active = 0;
    words >> name >> active;
    if (std::ranges::find(slab_names, name) != std::end(slab_names)) counts[name] = active;
  }
  return counts;
}

}  // namespace pivotcheck::safety
