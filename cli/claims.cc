// SPDX-License-Identifier: Apache-2.0
// claims.cc: `pivotcheck claims` runs the scenarios of corpus/claims (see its README.md). They show
// what is true of what people say about pivot_root. They are compiled in, so no files are needed.
//
// One claim is not a scenario: that pivot_root can't work on rootfs. It is tried if the command's
// own root is rootfs (in an initramfs); otherwise the table says that it was not run.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "claims_text.h"
#include "commands.h"
#include "explain/explain.h"
#include "explain/process_view.h"
#include "files.h"
#include "json.h"
#include "explain/resolved_paths.h"
#include "output.h"
#include "check/trial/trial.h"

namespace pivotcheck::cli {
namespace {

struct Claim {
  std::string name;
  std::string title;
  std::string verdict;  // holds, fails, imprecise
  std::string sentence;
  Scenario scenario;
};

// What the running kernel did with a claim's scenario.
struct ClaimResult {
  enum class Status : unsigned char { shown, not_so, not_run };
  Status status = Status::not_run;
  std::string reason;    // "" if it was shown
  bool harness = false;  // not_run because the harness could not do its work
};
using Status = ClaimResult::Status;

struct Options {
  std::vector<std::string> paths;
  bool json = false;
};

bool is_verdict(std::string_view word) {
  return word == "holds" || word == "fails" || word == "imprecise";
}

// The first `about:` is the verdict, the others are the sentence. Returns what is wrong, or "".
std::string read_claim(const std::string& name, const Scenario& scenario, Claim& claim) {
  claim = {.name = name, .title = {}, .verdict = {}, .sentence = {}, .scenario = scenario};
  if (!scenario.title) return "it has no title";
  claim.title = *scenario.title;
  if (scenario.about.size() < 2 || !is_verdict(scenario.about.front())) {
    return "its first about: is none of holds, fails, imprecise, or there is no second one";
  }
  claim.verdict = scenario.about.front();
  for (std::size_t i = 1; i < scenario.about.size(); ++i) {
    claim.sentence += (i == 1 ? "" : " ") + scenario.about[i];
  }
  return "";
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
  if (!trial) return {.status = Status::not_run, .reason = trial.error().what};
  const TrialResult result = trial->run(claim.scenario);
  switch (result.kind) {
    case TrialResult::Kind::agree: return {.status = Status::shown, .reason = {}};
    case TrialResult::Kind::disagree:
      return {.status = Status::not_so,
              .reason = fmt::format("kernel and model disagree at step {}", result.step)};
    case TrialResult::Kind::unmet: return {.status = Status::not_so, .reason = result.reason};
    case TrialResult::Kind::skipped: return {.status = Status::not_run, .reason = result.reason};
    case TrialResult::Kind::failed:
      return {.status = Status::not_run, .reason = result.reason, .harness = true};
  }
  return {};
}

// --- the claim that has no scenario

Claim rootfs_claim() {
  return {.name = "rootfs-cannot-be-pivoted",
          .title = "pivot_root cannot work on rootfs",
          .verdict = "holds",
          .sentence =
              "While the root of the caller is the rootfs itself (an initramfs) it is "
              "refused, whatever the arguments: rootfs is mounted on nothing. A bind of / "
              "to itself, entered by chroot /.., is a root that can be pivoted.",
          .scenario = {}};
}

// The call is tried in a copy of the mount namespace, so nothing is changed. Every initramfs in
// which this can run has a mount at /proc.
ClaimResult try_rootfs_claim() {
  const auto traits = KernelTraits::for_release(running_release());
  const auto process = explain::view_process(0, {"/proc"}, {"/proc"}, traits);
  if (!process) return {.status = Status::not_run, .reason = process.error().what};
  const explain::Answer answer = explain::explain(*process);
  if (answer.first.reason != &explain::root_is_rootfs) {
    return {
        .status = Status::not_run,
        .reason = "the root here is not rootfs: it takes an initramfs, as in a virtual machine"};
  }
  const auto outcome = dry_run_pivot_root(0, "/proc", "/proc");
  if (!outcome)
    return {.status = Status::not_run, .reason = outcome.error().what, .harness = true};
  if (outcome->error == EINVAL) return {.status = Status::shown, .reason = {}};
  return {.status = Status::not_so, .reason = "the kernel answers " + to_string(*outcome)};
}

// --- the table

void print_claim(const Options& options, const Claim& claim, const ClaimResult& shown) {
  if (options.json) {
    Json object = Json::object({{"claim", claim.name},
                                {"title", claim.title},
                                {"verdict", claim.verdict},
                                {"sentence", claim.sentence},
                                {"result", name(shown.status)}});
    if (!shown.reason.empty()) object.set("reason", shown.reason);
    print(line(object));
    return;
  }
  print(fmt::format("{:9}  {:11}  {}\n", claim.verdict, name(shown.status), claim.title));
  print(fmt::format("{:24}{}\n", "", claim.sentence));
  if (!shown.reason.empty())
    print(fmt::format("{:24}{}: {}\n", "", name(shown.status), shown.reason));
}

// The claims to run; nullopt if a file is wrong, which has been reported.
std::optional<std::vector<Claim>> read_claims(const Options& options) {
  std::vector<Claim> claims;
  bool good = true;
  const auto add = [&](const std::string& name, const Scenario& scenario) {
    Claim claim;
    const std::string wrong = read_claim(name, scenario, claim);
    if (!wrong.empty()) complain(name + ": " + wrong);
    good = good && wrong.empty();
    claims.push_back(std::move(claim));
  };
  if (options.paths.empty()) {
    for (const ClaimText& text : claim_texts) {
      const auto scenario = parse(text.text);
      if (scenario) add(std::string(text.name), *scenario);
    }
    return good ? std::optional(std::move(claims)) : std::nullopt;
  }
  const Files files = read_files(options.paths);
  for (const BadFile& bad : files.bad) std::fprintf(stderr, "%s\n", to_string(bad).c_str());
  for (const ScenarioFile& file : files.good) add(file.name, file.scenario);
  good = good && files.bad.empty();
  return good ? std::optional(std::move(claims)) : std::nullopt;
}

ExitStatus claims(const Options& options) {
  const auto all = read_claims(options);
  if (!all) return ExitStatus::bad_usage;
  Expected<Trial> trial = Trial::make();
  int shown = 0;
  int not_so = 0;
  int not_run = 0;
  bool harness = false;
  const auto report = [&](const Claim& claim, const ClaimResult& how) {
    print_claim(options, claim, how);
    shown += how.status == Status::shown ? 1 : 0;
    not_so += how.status == Status::not_so ? 1 : 0;
    not_run += how.status == Status::not_run ? 1 : 0;
    harness = harness || how.harness;
  };
  for (const Claim& claim : *all) report(claim, try_claim(trial, claim));
  if (options.paths.empty()) report(rootfs_claim(), try_rootfs_claim());
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
                  {"FILE|DIR", &options->paths, "other claims than the ones this command has"}},
      .footer =
          "Exit status: 0 all that ran were shown, 1 one is not so here, 2 a file that is no "
          "claim,\n"
          "3 the harness could not do its work, 4 nothing ran.",
      .run = [options] { return claims(*options); }};
}

}  // namespace pivotcheck::cli
