// SPDX-License-Identifier: Apache-2.0
// readers_bench.cc: what it costs to read the kernel's state from each of its sources
// (observe/observe.h), and to parse a mountinfo alone, against the number of mounts.
//
//     read_listmount/20     listmount and statmount, and the links of the world's task
//     read_mountinfo/20     its mountinfo, and the same links
//     parse_mountinfo/20    the text of a mountinfo in memory
//
// Exit status: 0; 3 if a world can't be made or read; 4 if nothing can run here. Where the kernel
// has no listmount, that benchmark is an error of its own, with the reason.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "check/driver/kernel_driver.h"
#include "observe/mountinfo.h"
#include "observe/observe.h"
#include "scenario/program.h"
#include "scenario/scenario.h"

namespace {

using namespace pivotcheck;

bool failed = false;

// The root mount, and binds of one directory of it.
Expected<Program> world_of(std::int64_t mounts) {
  std::string text = "mkdir /s\n";
  for (std::int64_t i = 1; i < mounts; ++i) {
    const std::string place = "/m" + std::to_string(i);
    text += "mkdir " + place + "\nbind /s " + place + "\n";
  }
  return resolve(*parse(text));
}

void read(benchmark::State& state, KernelDriver& driver, const Observer& observer, Source source) {
  if (!observer.has(source)) return state.SkipWithError("NOT RUN: this kernel has no listmount");
  const auto program = world_of(state.range(0));
  if (!program) return state.SkipWithError("its world has no program");
  const std::vector<Outcome> all_ok(program->steps.size());
  const auto performed = driver.perform(*program, all_ok, std::chrono::seconds(10));
  failed = failed || !performed || performed->outcomes != all_ok;
  if (failed) return state.SkipWithError("its world can't be made");
  for (auto _ : state) {
    const auto seen = observer.observe(performed->tasks, source);
    failed = failed || !seen;
    benchmark::DoNotOptimize(seen);
  }
  if (failed) state.SkipWithError("its world can't be read");
}

void parse_text(benchmark::State& state) {
  std::string text;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    const std::string id = std::to_string(100 + i);
    text += id + " 100 0:40 /s /m" + id + " rw,nosuid,relatime shared:" + id +
            " master:7 - tmpfs none rw,size=1024k\n";
  }
  for (auto _ : state) benchmark::DoNotOptimize(parse_mountinfo(text));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

int refuse(const Failure& failure) {
  std::fprintf(stderr, "readers_bench: %s\n", failure.what.c_str());
  return failure.kind == Failure::Kind::cannot_run ? 4 : 3;
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  auto driver = KernelDriver::start(Privilege::userns);
  if (!driver) return refuse(driver.error());
  const auto observer = Observer::make();
  if (!observer) return refuse(observer.error());
  const auto reads = [&](Source source) {
    return [&, source](benchmark::State& state) { read(state, *driver, *observer, source); };
  };
  for (const std::int64_t mounts : {5, 20, 100}) {
    benchmark::RegisterBenchmark("read_listmount", reads(Source::listmount))->Arg(mounts);
    benchmark::RegisterBenchmark("read_mountinfo", reads(Source::mountinfo))->Arg(mounts);
    benchmark::RegisterBenchmark("parse_mountinfo", parse_text)->Arg(mounts);
  }
  benchmark::RunSpecifiedBenchmarks();
  return failed ? 3 : 0;
}
