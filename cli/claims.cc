// SPDX-License-Identifier: Apache-2.0
// claims.cc: `pivotcheck claims` runs the scenarios of corpus/claims (see its README.md). They show
// what is true of what people say about pivot_root. They are compiled in, so no files are needed.
//
// One claim is not a scenario: that pivot_root can't work on rootfs. It is tried if the command's
// own root is rootfs (in an initramfs); otherwise the table says that it was not run.
#include <fmt/format.h>

#include <cerrno>
#include <expected>
#include <map>
#include <memory>
#include <optional>

#include "check/trial/probed_traits.h"
#include "check/trial/trial.h"
#include "claims_text.h"
#include "commands.h"
#include "explain/explain.h"
#include "explain/process_view.h"
#include "explain/resolved_paths.h"
#include "files.h"
#include "json.h"
#include "machine.h"
#include "output.h"

namespace pivotcheck::cli {
namespace {

struct Claim {
  std::string name;
  std::string title;
  std::string verdict;  // holds, fails, imprecise
  std::string sentence;
  Scenario scenario;
};

enum class Status : unsigned char { shown, not_so, not_run };

// What the running kernel did with a claim's scenario.
struct ClaimResult {
  Status status = Status::not_run;
  std::string reason = {};  // "" if it was shown
  bool harness = false;     // not_run because the harness could not do its work
};

struct Options {
  std::vector<std::string> paths;
  bool json = false;
  bool scenarios = false;
};

// The first `about:` is the verdict, the others are the sentence.
std::expected<Claim, std::string> read_claim(const std::string& name, const Scenario& scenario) {
  const std::vector<std::string>& about = scenario.about;
  const std::string verdict = about.empty() ? "" : about.front();
  if (!scenario.title) return std::unexpected("it has no title");
  if (about.size() < 2 || (verdict != "holds" && verdict != "fails" && verdict != "imprecise")) {
    return std::unexpected(
        "its first about: is none of holds, fails, imprecise, or there is no second one");
  }
  return Claim{.name = name,
               .title = *scenario.title,
               .verdict = verdict,
               .sentence = fmt::format("{}", fmt::join(about.begin() + 1, about.end(), " ")),
               .scenario = scenario};
}

std::string_view name(Status status) {
  switch (status) {
    case Status::shown: return "shown";
    case Status::not_so: return "NOT SO HERE";
    case Status::not_run: return "NOT RUN";
  }
  return "";
}

ClaimResult try_claim(Expected<Trial>& trial, const Claim& claim) {
  if (!trial) return {Status::not_run, trial.error().what};
  const TrialResult result = trial->run(claim.scenario);
  switch (result.kind) {
    case TrialResult::Kind::agree: return {Status::shown};
    case TrialResult::Kind::disagree:
      return {Status::not_so, fmt::format("kernel and model disagree at step {}", result.step)};
    case TrialResult::Kind::broken_law:
    case TrialResult::Kind::unmet: return {Status::not_so, result.reason};
    case TrialResult::Kind::skipped: return {Status::not_run, result.reason};
    case TrialResult::Kind::failed: return {Status::not_run, result.reason, true};
  }
  return {};
}

// --- the claim that has no scenario

// Linux 7.0 mounts an initramfs on an empty filesystem (nullfs); before, it was mounted on nothing.
bool initramfs_is_mounted() { return running_release() >= Release{{7, 0, 0}}; }

Claim rootfs_claim() {
  const bool holds = !initramfs_is_mounted();
  return {.name = "rootfs-cannot-be-pivoted",
          .title = "pivot_root cannot work on rootfs",
          .verdict = holds ? "holds" : "fails",
          .sentence =
              holds ? "While the root of the caller is the rootfs itself (an initramfs) it is "
                      "refused, whatever the arguments: rootfs is mounted on nothing (until Linux "
                      "7.0). A bind of / to itself, entered by chroot /.., is a root that can be "
                      "pivoted."
                    : "Since Linux 7.0 rootfs (an initramfs) is mounted on an empty filesystem, "
                      "and can be pivoted as any other root. Before, it was mounted on nothing, "
                      "and pivot_root refused, whatever the arguments.",
          .scenario = {}};
}

// The call is tried in a copy of the mount namespace, so nothing is changed. Every initramfs in
// which this can run has a mount at /proc.
ClaimResult try_rootfs_claim() {
  const auto traits = probed_traits().traits;
  const auto process = explain::view_process(0, {"/proc"}, {"/proc"}, traits);
  if (!process) return {Status::not_run, process.error().what};
  const explain::Answer answer = explain::explain(*process);
  const explain::SeenMount* root = process->own_root();
  const bool is_rootfs = answer.first.reason == &explain::root_is_rootfs ||
                         (root != nullptr && root->text.contains(" - rootfs "));
  if (!is_rootfs) {
    return {Status::not_run,
            "the root here is not rootfs: it takes an initramfs, as in a virtual machine"};
  }
  const auto outcome = dry_run_pivot_root(0, "/proc", "/proc");
  if (!outcome) return {Status::not_run, outcome.error().what, true};
  if (outcome->error == (initramfs_is_mounted() ? 0 : EINVAL)) return {Status::shown};
  return {Status::not_so, "the kernel answers " + to_string(*outcome)};
}

// --- the table

// Its scenario without what the table says already; run replays it. "" if it has none.
std::string steps_of(const Claim& claim) {
  Scenario scenario = claim.scenario;
  scenario.title = {};
  scenario.about.clear();
  return pivotcheck::print(scenario);
}

void print_claim(const Options& options, const Claim& claim, const ClaimResult& result) {
  const std::string_view shown = name(result.status);
  if (options.json) {
    Json object = {{"claim", claim.name},
                   {"title", claim.title},
                   {"verdict", claim.verdict},
                   {"sentence", claim.sentence},
                   {"result", shown}};
    set(object, "reason", result.reason);
    if (options.scenarios) set(object, "scenario", steps_of(claim));
    return print(line(object));
  }
  const Color color = result.status == Status::shown    ? Color::green
                      : result.status == Status::not_so ? Color::red
                                                        : Color::yellow;
  print(fmt::format("{:9}  {}  {}\n", claim.verdict, colored(fmt::format("{:11}", shown), color),
                    claim.title));
  print(fmt::format("{:24}{}\n", "", folded(claim.sentence, 24)));
  if (options.scenarios) print(steps_of(claim) + "\n");
  if (!result.reason.empty()) print(fmt::format("{:24}{}: {}\n", "", shown, result.reason));
}

// The claims to run; nullopt if a file is wrong, which has been reported.
std::optional<std::vector<Claim>> read_claims(const Options& options) {
  std::vector<Claim> claims;
  bool good = true;
  const auto add = [&](const std::string& name, const Scenario& scenario) {
    auto claim = read_claim(name, scenario);
    if (claim) return claims.push_back(std::move(*claim));
    complain(name + ": " + claim.error());
    good = false;
  };
  if (options.paths.empty()) {
    for (const ScenarioText& text : claim_texts) {
      const auto scenario = parse(text.text);
      if (scenario) add(std::string(text.name), *scenario);
    }
  }
  const Files files = read_files(options.paths);
  for (const BadFile& bad : files.bad) report_bad(bad);
  for (const ScenarioFile& file : files.good) add(file.name, file.scenario);
  if (!good || !files.bad.empty()) return std::nullopt;
  return claims;
}

ExitStatus claims(const Options& options) {
  const auto all = read_claims(options);
  if (!all) return ExitStatus::bad_usage;
  if (!machine_is_fit()) return ExitStatus::nothing_ran;
  Expected<Trial> trial = Trial::make();
  std::map<Status, int> counts;
  bool harness = false;
  const auto report = [&](const Claim& claim, const ClaimResult& how) {
    print_claim(options, claim, how);
    ++counts[how.status];
    harness = harness || how.harness;
  };
  for (const Claim& claim : *all) report(claim, try_claim(trial, claim));
  if (options.paths.empty()) report(rootfs_claim(), try_rootfs_claim());
  const int shown = counts[Status::shown];
  const int not_so = counts[Status::not_so];
  const int not_run = counts[Status::not_run];
  complain(fmt::format("{} claims: {} shown on Linux {}, {} not so here, {} not run",
                       shown + not_so + not_run, shown, to_string(running_release()), not_so,
                       not_run));
  if (not_so > 0) return ExitStatus::disagreed;
  if (harness) return ExitStatus::harness;
  return shown > 0 ? ExitStatus::agreed : ExitStatus::nothing_ran;
}

}  // namespace

CommandSpec claims_command() {
  auto options = std::make_shared<Options>();
  return {
      .name = "claims",
      .summary = "What people say about pivot_root, and what is true of it on the running kernel",
      .options = {{"--json", &options->json, "print one JSON object a line"},
                  {"--scenarios", &options->scenarios, "print each claim's scenario too"},
                  {"FILE|DIR", &options->paths, "other claims than the ones this command has"}},
      .footer =
          "Exit status: 0 all that ran were shown, 1 one is not so here, 2 a file that is no "
          "claim,\n"
          "3 the harness could not do its work, 4 nothing ran.",
      .run = [options] { return claims(*options); }};
}

}  // namespace pivotcheck::cli
