// SPDX-License-Identifier: Apache-2.0
// switch_bench.cc: what switching root costs, strategy by strategy and phase by phase (setting.h).
//
//     for each round            until the time is up; at least five, at most fifteen
//       for each crowd          in random order: its threads are started once in a round
//         for each setting      in random order: a batch of cycles in a process of its own
//     report                    through Google Benchmark
//
// Each part of each setting is a benchmark with manual time; a round is a repetition of it, and the
// cycles of its batch are its iterations. They are all measured before Google Benchmark begins to
// report, as the parts of a cycle are timed in the same cycle, and settings in random order between
// crowds can't be had from it. So its own column of processor time is of no use, and stands in
// counters: of each repetition the median, the tenth and the ninetieth percentile of its cycles.
//
//     switch_bench [--all] [--seconds N] [--only REGEX] [--samples-fd FD] [--benchmark_...]
//     switch_bench --check      do the bare calls lead to the same mounts as the library?
//
// What can't be measured is named with its reason, on the error output and in the context. Exit
// status: 0, 2 for bad usage, 3 if a setting failed that should work, 4 if nothing can run here.
#include <benchmark/benchmark.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "batch.h"
#include "selection.h"

namespace {

using namespace pivotcheck;
using namespace pivotcheck::bench;
using Clock = std::chrono::steady_clock;

struct Options {
  bool everything = false;
  bool check = false;
  bool list = false;
  double seconds = 240;
  unsigned rounds_min = 5;
  unsigned rounds_max = 15;
  unsigned cycles = 8;
  std::string only;
  std::string slow;
  int samples_fd = -1;
  unsigned seed = std::random_device{}();
};

struct Measured {
  Setting setting;
  std::vector<std::vector<Sample>> rounds;
  std::string trouble;  // it can't be measured
};

// --- context -------------------------------------------------------------------------------------

std::string first_line(const char* path, const char* otherwise = "?") {
  std::ifstream file(path);
  std::string line;
  return std::getline(file, line) ? line : otherwise;
}

std::size_t lines_of(const char* path) {
  std::ifstream file(path);
  std::size_t count = 0;
  for (std::string line; std::getline(file, line);) ++count;
  return count;
}

// "0.52 0.58 0.59 3/712 1234": the fourth has all threads of the machine.
std::string threads_of_machine() {
  const std::string line = first_line("/proc/loadavg");
  const std::size_t slash = line.find('/');
  if (slash == std::string::npos) return "?";
  return line.substr(slash + 1, line.find(' ', slash) - slash - 1);
}

std::string load() {
  const std::string line = first_line("/proc/loadavg");
  return line.substr(0, line.find(' '));
}

void add_context(const Options& options, unsigned rounds, const std::string& load_before) {
  utsname system{};
  ::uname(&system);
  benchmark::AddCustomContext("kernel", std::string(system.sysname) + " " + system.release);
  benchmark::AddCustomContext("machine", system.machine);
  benchmark::AddCustomContext("processors",
                              std::to_string(::sysconf(_SC_NPROCESSORS_ONLN)));
  benchmark::AddCustomContext("rcu_expedited", first_line("/sys/kernel/rcu_expedited"));
  benchmark::AddCustomContext("rcu_normal", first_line("/sys/kernel/rcu_normal"));
  benchmark::AddCustomContext("mounts_here", std::to_string(lines_of("/proc/self/mountinfo")));
  benchmark::AddCustomContext("threads_here", threads_of_machine());
  benchmark::AddCustomContext("load_before", load_before);
  benchmark::AddCustomContext("load_after", load());
  benchmark::AddCustomContext("user", ::geteuid() == 0 ? "root" : "ordinary, in a user namespace");
  benchmark::AddCustomContext("rounds", std::to_string(rounds));
  benchmark::AddCustomContext("cycles_in_a_round", std::to_string(options.cycles));
  benchmark::AddCustomContext("seed", std::to_string(options.seed));
  if (!options.slow.empty()) benchmark::AddCustomContext("planted_slowdown", options.slow);
}

// --- measuring -----------------------------------------------------------------------------------

std::string program_beside(const char* name) {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / name;
}

unsigned cycles_for(const Setting& setting, unsigned cycles) {
  if (setting.parallel > 0) return 2 * cycles;  // the beginning and the end are not parallel
  return setting.mounts > 1000 ? std::max(2U, cycles / 4) : cycles;
}

class Campaign {
 public:
  Campaign(const Options& options, std::vector<Measured>& all, const Planted& planted)
      : options_(options), all_(all), planted_(planted), chance_(options.seed) {}

  unsigned run() {
    const auto begun = Clock::now();
    unsigned round = 0;
    for (; round < options_.rounds_max; ++round) {
      const std::chrono::duration<double> spent = Clock::now() - begun;
      const double of_a_round = round == 0 ? 0 : spent.count() / round;
      if (round >= options_.rounds_min && spent.count() + of_a_round > options_.seconds) break;
      one_round();
      const std::chrono::duration<double> now = Clock::now() - begun;
      std::fprintf(stderr, "switch_bench: round %u, %.0f s\n", round + 1, now.count());
    }
    return round;
  }

 private:
  void one_round() {
    std::map<unsigned, std::vector<Measured*>> by_crowd;
    for (Measured& one : all_) by_crowd[one.setting.crowd].push_back(&one);
    std::vector<unsigned> crowds;
    for (const auto& [crowd, ignored] : by_crowd) crowds.push_back(crowd);
    std::ranges::shuffle(crowds, chance_);
    for (const unsigned crowd : crowds) {
      const auto there = crowd_.resize(crowd);
      std::ranges::shuffle(by_crowd[crowd], chance_);
      for (Measured* one : by_crowd[crowd]) {
        if (!there) one->trouble = there.error().what;
        if (one->trouble.empty()) measure(*one);
      }
    }
    static_cast<void>(crowd_.resize(0));
  }

  void measure(Measured& one) {
    const Work work{one.setting, planted_, static_true_};
    auto samples = run_batch(work, cycles_for(one.setting, options_.cycles));
    if (!samples) {
      one.trouble = samples.error().what;
    } else {
      one.rounds.push_back(std::move(*samples));
    }
  }

  const Options& options_;
  std::vector<Measured>& all_;
  Planted planted_;
  std::mt19937 chance_;
  Crowd crowd_;
  std::string static_true_ = program_beside("static_true");
};

// --- reporting -----------------------------------------------------------------------------------

std::vector<Cost> costs(const std::vector<Sample>& batch, Part part) {
  std::vector<Cost> result;
  for (const Sample& sample : batch) {
    const Cost& cost = sample[static_cast<std::size_t>(part)];
    if (cost.measured) result.push_back(cost);
  }
  return result;
}

// For reading the run by eye: comparisons have a library for theirs (compare.py).
double percentile(std::vector<double> values, double share) {
  std::ranges::sort(values);
  const auto index = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1) + 0.5);
  return values[index];
}

std::vector<double> column(const std::vector<Cost>& costs, double Cost::*member) {
  std::vector<double> values;
  for (const Cost& cost : costs) values.push_back(cost.*member);
  return values;
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

void replay(benchmark::State& state, const std::vector<Cost>& batch) {
  std::size_t next = 0;
  for (auto _ : state) state.SetIterationTime(batch[next++ % batch.size()].wall_us / 1e6);
  const std::vector<double> wall = column(batch, &Cost::wall_us);
  const std::vector<double> cpu = column(batch, &Cost::cpu_us);
  state.counters["wall_us"] = percentile(wall, 0.5);
  state.counters["wall_us_p10"] = percentile(wall, 0.1);
  state.counters["wall_us_p90"] = percentile(wall, 0.9);
  state.counters["cpu_us"] = percentile(cpu, 0.5);
  state.counters["cpu_us_p10"] = percentile(cpu, 0.1);
  state.counters["waiting_us"] = std::max(0.0, percentile(wall, 0.5) - percentile(cpu, 0.5));
  state.counters["voluntary_switches"] = mean(column(batch, &Cost::voluntary));
  state.counters["involuntary_switches"] = mean(column(batch, &Cost::involuntary));
}

bool register_part(const Measured& one, Part part) {
  std::vector<std::vector<Cost>> batches;
  for (const auto& round : one.rounds) {
    std::vector<Cost> batch = costs(round, part);
    if (!batch.empty()) batches.push_back(std::move(batch));
  }
  if (batches.empty()) return false;
  const auto repetitions = static_cast<int>(batches.size());
  const auto iterations = static_cast<benchmark::IterationCount>(batches.front().size());
  const std::string title = name(one.setting) + "/" + std::string(name(part));
  auto turn = std::make_shared<std::size_t>(0);
  auto kept = std::make_shared<std::vector<std::vector<Cost>>>(std::move(batches));
  benchmark::RegisterBenchmark(title.c_str(), [turn, kept](benchmark::State& state) {
    replay(state, (*kept)[(*turn)++ % kept->size()]);
  })->UseManualTime()
      ->Iterations(iterations)
      ->Repetitions(repetitions)
      ->Unit(benchmark::kMicrosecond);
  return true;
}

constexpr std::array all_parts{Part::prepare, Part::carrier, Part::namespaces, Part::propagation,
                               Part::bind,    Part::pivot,   Part::detach,     Part::teardown,
                               Part::setup,   Part::cycle};

// A setting that fails for one of these reasons has been understood; any other is a fault.
bool is_known(const Setting& setting, const std::string& trouble) {
  if (setting.carrier == Carrier::thread && trouble.starts_with("a thread can't")) return true;
  // Without id maps nothing can be made on a filesystem that has ids (user_namespaces(7)).
  if (setting.user == UserNamespace::unmapped) return true;
  return trouble.starts_with("this machine does not let");
}

nlohmann::json samples_of(const Measured& one, Part part) {
  nlohmann::json rounds = nlohmann::json::array();
  for (const auto& round : one.rounds) {
    nlohmann::json wall = nlohmann::json::array();
    nlohmann::json cpu = nlohmann::json::array();
    for (const Cost& cost : costs(round, part)) {
      wall.push_back(std::round(cost.wall_us * 100) / 100);
      cpu.push_back(std::round(cost.cpu_us * 100) / 100);
    }
    if (!wall.empty()) rounds.push_back({{"wall_us", wall}, {"cpu_us", cpu}});
  }
  return rounds;
}

// Registers everything that was measured; names the rest. How many settings failed that should
// work.
int register_all(const std::vector<Measured>& all, const Options& options) {
  int faults = 0;
  nlohmann::json not_measured = nlohmann::json::object();
  nlohmann::json samples = nlohmann::json::object();
  for (const Measured& one : all) {
    const std::string title = name(one.setting);
    if (!one.trouble.empty()) {
      const bool known = is_known(one.setting, one.trouble);
      faults += known ? 0 : 1;
      not_measured[title] = one.trouble;
      std::fprintf(stderr, "switch_bench: %s: %s: %s\n", known ? "not measured" : "FAILED",
                   title.c_str(), one.trouble.c_str());
      continue;
    }
    for (const Part part : all_parts) {
      if (one.setting.parallel > 0 && part != Part::cycle) continue;
      if (register_part(one, part)) {
        samples[title + "/" + std::string(name(part))] = samples_of(one, part);
      } else {
        const std::string_view reason = why_not(one.setting, part);
        faults += reason.empty() ? 1 : 0;
        not_measured[title + "/" + std::string(name(part))] =
            reason.empty() ? "FAILED: no step of it was seen" : reason;
      }
    }
  }
  benchmark::AddCustomContext("not_measured", not_measured.dump());
  if (options.samples_fd >= 0) {
    const std::string text = samples.dump();
    std::size_t written = 0;
    while (written < text.size()) {
      const ssize_t more =
          ::write(options.samples_fd, text.data() + written, text.size() - written);
      if (more <= 0) break;
      written += static_cast<std::size_t>(more);
    }
    if (written != text.size()) std::fputs("switch_bench: samples were not written\n", stderr);
  }
  return faults;
}

// --- checking ------------------------------------------------------------------------------------

int check() {
  int wrong = 0;
  for (const Setting& setting : selection(false)) {
    if (setting.source != Source::bare) continue;
    Setting library = setting;
    library.source = Source::library;
    library.carrier = Carrier::execs;  // no thread: proc-first too, but its PID namespace
    Setting bare = library;
    bare.source = Source::bare;
    const auto one = end_of_steps({bare, {}, program_beside("static_true")});
    const auto other = end_of_steps({library, {}, program_beside("static_true")});
    const std::string title = std::string(info(setting.strategy).name);
    if (!one || !other) {
      std::printf("%s: %s\n", title.c_str(), (!one ? one.error() : other.error()).what.c_str());
      ++wrong;
    } else if (*one != *other) {
      std::printf("%s: the mounts differ\n--- library\n%s--- bare\n%s", title.c_str(),
                  other->c_str(), one->c_str());
      ++wrong;
    } else {
      std::printf("%s: the same mounts by both roads\n", title.c_str());
    }
  }
  return wrong == 0 ? 0 : 1;
}

// --- the command ---------------------------------------------------------------------------------

bool read_planted(const std::string& text, Planted& planted) {
  if (text.empty()) return true;
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return false;
  for (const Part part : all_parts) {
    if (name(part) != text.substr(0, colon)) continue;
    planted = {part, std::atof(text.c_str() + colon + 1)};
    return planted.percent > 0;
  }
  return false;
}

std::vector<Measured> chosen(const Options& options) {
  std::vector<Measured> all;
  const std::regex only(options.only.empty() ? "." : options.only);
  for (const Setting& setting : selection(options.everything)) {
    if (std::regex_search(name(setting), only)) all.push_back({setting, {}, ""});
  }
  return all;
}

void read_options(CLI::App& app, Options& options) {
  app.add_flag("--all", options.everything, "every point of every axis");
  app.add_flag("--check", options.check, "compare the mounts that both roads lead to");
  app.add_flag("--list", options.list, "the settings, and nothing else");
  app.add_option("--seconds", options.seconds, "so long, as far as five rounds allow");
  app.add_option("--rounds-min", options.rounds_min, "rounds at least")->check(CLI::Range(1, 1000));
  app.add_option("--rounds-max", options.rounds_max, "rounds at most")->check(CLI::Range(1, 1000));
  app.add_option("--cycles", options.cycles, "in a batch")->check(CLI::Range(2, 10000));
  app.add_option("--only", options.only, "settings whose name matches this");
  app.add_option("--slow", options.slow, "PART:PERCENT more work, planted");
  app.add_option("--samples-fd", options.samples_fd, "where every sample goes, as JSON");
  app.add_option("--seed", options.seed, "of the order");
  app.allow_extras();
}

int report(const Options& options, std::vector<Measured>& all, const Planted& planted,
           std::vector<std::string> rest) {
  const std::string load_before = load();
  const unsigned rounds = Campaign(options, all, planted).run();
  const int faults = register_all(all, options);
  add_context(options, rounds, load_before);
  std::string program = "switch_bench";
  std::vector<char*> arguments{program.data()};
  for (std::string& word : rest) arguments.push_back(word.data());
  int count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
  if (std::ranges::all_of(all, [](const Measured& one) { return one.rounds.empty(); })) return 4;
  benchmark::RunSpecifiedBenchmarks();
  return faults == 0 ? 0 : 3;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("What switching root costs, phase by phase.");
  read_options(app, options);
  Planted planted;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!read_planted(options.slow, planted)) {
    std::fprintf(stderr, "switch_bench: --slow takes PART:PERCENT, not %s\n", options.slow.c_str());
    return 2;
  }
  if (options.check) return check();
  try {
    std::vector<Measured> all = chosen(options);
    if (options.list) {
      for (const Measured& one : all) std::printf("%s\n", name(one.setting).c_str());
      return 0;
    }
    if (all.empty()) {
      std::fprintf(stderr, "switch_bench: no setting matches %s\n", options.only.c_str());
      return 2;
    }
    return report(options, all, planted, app.remaining());
  } catch (const std::regex_error&) {
    std::fprintf(stderr, "switch_bench: --only: not a regular expression\n");
    return 2;
  }
}
