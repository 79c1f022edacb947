// SPDX-License-Identifier: Apache-2.0
// switch_bench.cc: what switching root costs with one setting (cycle.h): a batch of cycles, in a
// process that ends then. bench/run.py starts it for each setting in each round.
//
// The setting is a benchmark of Google Benchmark with manual time. One iteration is two cycles: one
// timed as a whole, which counts, and one phase by phase. The parts of a cycle can't be benchmarks
// of their own, so the label has them all, as JSON, with a number for each cycle:
//
//     {"pivot": {"wall_us": [...], "cpu_us": [...]}, ...}
//
//     switch_bench --strategy NAME [--mode thread|exits] [--mounts N] ...
//     switch_bench --draw ...          the world after the last step of that setting, as text
//     switch_bench --check             do library and raw system calls lead to the same world?
//     switch_bench --strategies        the names of all, a line each
//
// A setting that fails is an error of its benchmark. Exit status: 0, 1 if --check finds a
// difference, 2 for bad usage, 3 if a world can't be drawn.
#include <benchmark/benchmark.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cycle.h"
#include "observe/observe.h"
#include "syscalls/id_maps.h"
#include "view/draw.h"

namespace {

using namespace pivotcheck;
using namespace pivotcheck::bench;

constexpr unsigned deadline_seconds = 60;  // the longest batch, with 3000 mounts, takes one

int refuse(const std::string& what) {
  std::fprintf(stderr, "switch_bench: %s\n", what.c_str());
  return 3;
}

// Ordinary users are root in a user namespace of their own.
Expected<Cycles> make_cycles(const Setting& setting) {
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  if (uid != 0 &&
      (::unshare(CLONE_NEWUSER) != 0 || kernel::map_root({}, uid, gid) != nullptr)) {
    return fail("no privileges, and no user namespace");
  }
  return Cycles::make(setting);
}

// --- measuring -----------------------------------------------------------------------------------

void measure(benchmark::State& state, const Setting& setting) {
  auto cycles = make_cycles(setting);
  if (!cycles) return state.SkipWithError(cycles.error().what.c_str());
  nlohmann::json report;
  const auto add = [&](const std::string& part, const Cost& cost) {
    const auto rounded = [](double us) { return std::round(us * 100) / 100; };
    report[part]["wall_us"].push_back(rounded(cost.wall_us));
    report[part]["cpu_us"].push_back(rounded(cost.cpu_us));
  };
  // The wall time of the whole; 0 after a failure.
  const auto run = [&](bool phases) {
    const auto sample = cycles->run(phases);
    if (!sample) state.SkipWithError(sample.error().what.c_str());
    for (const auto& [part, cost] : sample.value_or(Sample{})) add(part, cost);
    return !sample ? 0 : phases ? 1 : sample->at("cycle").wall_us;
  };
  if (run(false) == 0 || run(true) == 0) return;  // warms up
  report.clear();
  if (setting.strategy == Strategy::template_) add("prepare", cycles->preparation());
  for (auto _ : state) {
    const double cycle_us = run(false);
    if (cycle_us == 0 || run(true) == 0) return;
    state.SetIterationTime(cycle_us / 1e6);
  }
  state.SetLabel(report.dump());
}

// --- checking ------------------------------------------------------------------------------------

int draw_world_at_the_end(const Setting& setting) {
  auto cycles = make_cycles(setting);
  if (!cycles) return refuse(cycles.error().what);
  const auto observer = Observer::make();
  if (!observer) return refuse(observer.error().what);
  if (const auto done = cycles->perform_steps(); !done) return refuse(done.error().what);
  const std::vector<LiveTask> tasks{{.name = "A", .pid = ::getpid(), .handles = {}}};
  const auto seen = observer->observe(tasks, Source::mountinfo);
  if (!seen) return refuse(seen.error().what);
  const Snapshot world = canonical(seen->snapshot);
  for (const std::string& line : draw(world)) std::puts(line.c_str());
  return 0;
}

std::vector<std::string> all_strategies() {
  std::vector<std::string> names;
  for (const StrategyInfo& row : strategies()) names.emplace_back(row.name);
  names.emplace_back("chroot+mnt");  // like for like with the others
  return names;
}

std::string output_of(const std::string& command) {
  std::string text;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return text;
  for (int letter = 0; (letter = std::fgetc(pipe)) != EOF;) text += static_cast<char>(letter);
  return ::pclose(pipe) == 0 ? text : "";
}

int check(const std::string& self) {
  int status = 0;
  for (const std::string& strategy : all_strategies()) {
    const std::string draw = self + " --draw --mode exits --strategy " + strategy;
    const std::string library = output_of(draw);
    const std::string raw = output_of(draw + " --family bare");
    const bool same = !library.empty() && library == raw;
    std::printf("%s: %s\n", strategy.c_str(), same ? "the same mounts by both" : "they differ");
    if (same) continue;
    std::printf("--- library\n%s--- raw system calls\n%s", library.c_str(), raw.c_str());
    status = 1;
  }
  return status;
}

// --- the command ---------------------------------------------------------------------------------

template <class Enum>
void choice(CLI::App& app, const char* option, Enum& value, std::vector<std::string> names,
            const char* what) {
  std::vector<std::pair<std::string, Enum>> values;
  for (std::size_t i = 0; i < names.size(); ++i) values.emplace_back(names[i], Enum(i));
  app.add_option(option, value, what)->transform(CLI::CheckedTransformer(values));
}

void read_slow(const std::string& text, Setting& setting) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  setting.slow_phase = text.substr(0, colon);
  setting.slow_percent = std::atof(text.substr(colon).erase(0, 1).c_str());
  if (text.empty() || setting.slow_percent > 0) return;
  throw CLI::ValidationError("--slow", "it takes PHASE:PERCENT, not " + text);
}

}  // namespace

int main(int argc, char** argv) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  benchmark::Initialize(&argc, argv);  // takes its own options away
  Setting setting;
  std::string strategy = "dot-dot", slow;
  bool want_check = false, want_draw = false, want_strategies = false;
  unsigned cycles = 8;
  CLI::App app("What switching root costs with one setting.");
  app.add_flag("--check", want_check, "compare the worlds that library and raw calls lead to");
  app.add_flag("--draw", want_draw, "print the world after the steps of this setting");
  app.add_flag("--strategies", want_strategies, "print their names");
  app.add_option("--cycles", cycles, "of the setting")->check(CLI::Range(2, 10000));
  app.add_option("--slow", slow, "PHASE:PERCENT more work, planted");
  app.add_option("--strategy", strategy, "one of --strategies")->check(
      CLI::IsMember(all_strategies()));
  choice(app, "--family", setting.impl, {"switch", "bare"}, "by the library, or by raw calls");
  choice(app, "--mode", setting.mode, {"thread", "exits"}, "what performs the steps");
  app.add_option("--mounts", setting.mounts, "in the old tree");
  choice(app, "--tree", setting.tree, {"private", "slave", "shared"}, "its propagation");
  app.add_option("--peers", setting.peers, "of each mount, where it is shared");
  choice(app, "--user", setting.user, {"none", "unmapped", "mapped"}, "user namespace");
  try {
    app.parse(argc, argv);
    if (want_check) return check(argv[0]);
    if (want_strategies) {
      for (const std::string& each : all_strategies()) std::puts(each.c_str());
      return 0;
    }
    setting.own_mounts = strategy.ends_with("+mnt");
    setting.strategy = *find_strategy(strategy.substr(0, strategy.find('+')));
    read_slow(slow, setting);
    ::alarm(deadline_seconds);
    if (want_draw) return draw_world_at_the_end(setting);
    benchmark::RegisterBenchmark(strategy.c_str(),
                                 [&](benchmark::State& state) { measure(state, setting); })
        ->UseManualTime()
        ->Iterations(cycles / 2)
        ->Unit(benchmark::kMicrosecond);
    benchmark::RunSpecifiedBenchmarks();
    return 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
}
