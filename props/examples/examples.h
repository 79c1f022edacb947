// SPDX-License-Identifier: Apache-2.0
// examples.h: what the examples share: scenarios from text, the worlds that a driver makes of them,
// a mount of a snapshot, forked children, and the count of what could not run.
#pragma once

#include <doctest/doctest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "check/driver/kernel_driver.h"
#include "check/trial/trial.h"
#include "scenario/program.h"
#include "view/snapshot.h"

namespace pivotcheck {

using Kind = TrialResult::Kind;

constexpr std::chrono::seconds generous{20};  // a deadline that no test meets

// For a test case, or a part of one, that this machine cannot run. Says so, with the reason, on
// stderr, and counts the test case as not run: pivotcheck_examples then ends with status 77 unless
// a check fails, and ctest says "Skipped".
void not_run(std::string_view reason);

inline Scenario scenario_of(std::string_view text) {
  const auto scenario = parse(text);
  REQUIRE_MESSAGE(scenario, text);
  return *scenario;
}
inline Program program_of(std::string_view text) { return resolve(scenario_of(text)).value(); }

struct CorpusFile {
  std::string name;  // relative to the corpus
  std::string text;
  Scenario scenario;
};

// All scenarios in a folder of the corpus, by name.
inline std::vector<CorpusFile> corpus_files(const std::string& folder) {
  const std::filesystem::path corpus = PIVOTCHECK_SOURCE_DIR "/corpus";
  std::vector<CorpusFile> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(corpus / folder)) {
    if (entry.path().extension() != ".scn") continue;
    const std::string text = read_file(entry.path());
    const auto scenario = parse(text);
    if (scenario) {
      files.push_back({entry.path().lexically_relative(corpus).string(), text, *scenario});
    } else {
      FAIL_CHECK(entry.path().string(), ":", scenario.error().line, ":", scenario.error().column,
                 ": ", scenario.error().what);
    }
  }
  std::ranges::sort(files, {}, &CorpusFile::name);
  return files;
}

// The status with which a forked child ends that does this; 1 where a REQUIRE fails in it, -1 where
// a signal ends it.
inline int status_of_child(const std::function<int()>& what) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    try {
      ::_exit(what());
    } catch (...) {
      ::_exit(1);
    }
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

inline bool user_namespaces_allowed() {
  const auto unshare_both = [] { return ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 ? 0 : 1; };
  if (status_of_child(unshare_both) == 0) return true;
  not_run("in user namespaces: they are forbidden here");
  return false;
}
// Of the machine's own user namespace, which maps all ids.
inline bool is_root() {
  if (::geteuid() == 0 && read_file("/proc/self/uid_map").contains("4294967295")) return true;
  not_run("in privilege root: it takes uid 0 in the machine's own user namespace");
  return false;
}

// Any scenario at all; command/forbidden_test.sh is about machines on which none does.
inline bool runs_here() {
  const auto driver = KernelDriver::start(Privilege::userns);
  if (!driver) not_run(driver.error().what);
  return driver.has_value();
}

// The kinds of worlds that can be made here.
inline std::vector<Privilege> privileges() {
  std::vector<Privilege> result;
  if (user_namespaces_allowed()) result.push_back(Privilege::userns);
  if (is_root()) result.push_back(Privilege::root);
  return result;
}

inline KernelDriver start(Privilege privilege) {
  Expected<KernelDriver> driver = KernelDriver::start(privilege);
  REQUIRE_MESSAGE(driver, (driver ? "" : driver.error().what));
  return std::move(*driver);
}

// Performs the steps and holds each answer against the one stated; "ok" where none is.
inline ExecutionResult perform(KernelDriver& driver, std::string_view text) {
  const Scenario wanted = scenario_of(text);
  const auto performed = driver.perform(program_of(text), {}, generous);
  REQUIRE_MESSAGE(performed, (performed ? "" : performed.error().what));
  REQUIRE(performed->outcomes.size() == wanted.steps.size());
  for (std::size_t i = 0; i < wanted.steps.size(); ++i) {
    const auto& [step, stated] = wanted.steps[i];
    CAPTURE(print(step));
    CHECK(to_string(performed->outcomes[i]) == to_string(stated ? stated->outcome : Outcome{}));
  }
  return *performed;
}

// A mount of the root of its filesystem, without flags.
inline MountView mount(MountId id, MountId parent, std::string mount_point,
                       std::uint64_t filesystem) {
  MountView view;
  view.id = id;
  view.parent = parent;
  view.mount_point = std::move(mount_point);
  view.filesystem = filesystem;
  view.root = std::string("/");
  return view;
}

}  // namespace pivotcheck
