// SPDX-License-Identifier: Apache-2.0
// answer.cc: `pivotcheck answer`: what the running kernel answers to each scenario of a stream
// (stream.h), as data; `run` is for people. ci/kernels starts it on other kernels and compares what
// they say, so each scenario is asked on each kernel: a `kernel:` or `trait:` line skips nothing;
// only what the scenario states is then not held against it.
//
//     {"answers":"6.12.117-cloud","version":"#1 SMP ...","uid":0,"traits":{...}}      first
//     {"begin":"case-12"}                                           before a scenario is performed
//     {"name":"case-12","result":"agree","steps":2,"refused":{},"state":"f3a9...","ms":1}
//     {"end":2}                                                     last: how many were answered
//
// A reader that got a begin and nothing after it knows which scenario took the machine down: each
// begin is out of the machine before the scenario starts. `result` and the keys that belong to it
// are those of `run --json`, so the kernel's own model speaks, too. Where it disagrees, `refused`
// and `state` are the kernel's up to the step that differs, and `view` draws the kernel's state. A
// warning in the kernel's log that came with a scenario is in `warnings`. --on-begin runs a shell
// command after each begin, with $NAME and $SCENARIO: to start a trace, or, in a test of who
// watches, to take the machine down.
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/clock.h"
#include "check/trial/kernel_log.h"
#include "check/trial/trial.h"
#include "commands.h"
#include "interruption.h"
#include "machine.h"
#include "model_spec.h"
#include "op/outcome.h"
#include "output.h"
#include "stream.h"
#include "view/draw.h"
#include "view/fingerprint.h"

namespace pivotcheck::cli {
namespace {

constexpr int cross_check_every = 16;  // as `explore` does

// Without what it states where that is meant for other kernels.
Scenario as_asked(Scenario scenario, const Trial& trial) {
  const auto has = [&](const TraitCondition& each) {
    const TraitInfo* trait = find_trait(each.name);
    return trait != nullptr && trial.traits().*trait->value == each.on;
  };
  const bool is_meant =
      std::ranges::all_of(
          scenario.kernel,
          [&](const KernelCondition& each) { return holds(each, trial.running()); }) &&
      std::ranges::all_of(scenario.traits, has);
  scenario.kernel.clear();
  scenario.traits.clear();
  if (!is_meant) {
    for (ScenarioStep& step : scenario.steps) step.stated.reset();
  }
  return scenario;
}

// Of the steps that the kernel performed, up to the one that differs.
void set_answers(Json& object, TrialResult& result) {
  const bool disagrees = result.kind == TrialResult::Kind::disagree && result.step > 0;
  if (disagrees) {
    result.verdicts.resize(std::min(result.verdicts.size(), result.step));
    if (result.verdicts.size() == result.step) result.verdicts.back().outcome = *result.kernel;
  }
  set_outcomes(object, result.verdicts, false);
  const bool state_is_known = !disagrees || !result.differences.empty();
  if (state_is_known && !result.state_unseen && !result.kernel_view.tasks.empty()) {
    object["state"] = fingerprint(result.kernel_view);
  }
  if (result.state_unseen) object["state_unseen"] = true;
  if (result.listmount_lost) object["listmount_lost"] = true;
}

void set_result(Json& object, const TrialResult& result) {
  if (result.step != 0) object["step"] = result.step;
  if (result.kernel) object["kernel"] = to_string(*result.kernel);
  if (result.model) object["model"] = to_string(*result.model);
  if (result.rule != Rule::none) object["rule"] = info(result.rule).name;
  if (!result.differences.empty()) {
    object["differences"] = result.differences;
    object["view"] = fmt::format("{}\n", fmt::join(pivotcheck::draw(result.kernel_view), "\n"));
  }
  if (result.law != nullptr) object["law"] = result.law->name;
  set(object, "reason", result.reason);
}

class Answers {
 public:
  Answers(Trial trial, std::string on_begin)
      : trial_(std::move(trial)), on_begin_(std::move(on_begin)) {}

  void begin_stream() const {
    utsname kernel{};
    ::uname(&kernel);
    print_now({{"answers", kernel.release},
               {"version", kernel.version},
               {"uid", ::geteuid()},
               {"listmount", trial_.observer().has(Source::listmount)},
               {"traits", json_of(trial_.traits())}});
  }
  // The line must have left the machine: a port is written to while the kernel goes on.
  void begin(const std::string& name) const {
    print_now({{"begin", name}});
    ::tcdrain(STDOUT_FILENO);
  }
  void answer(const StreamItem& item) {
    run_on_begin(item);
    const std::int64_t began_ms = now_ms();
    TrialResult result = trial_.run(as_asked(item.scenario, trial_));
    Json object = {{"name", item.name}, {"result", name(result.kind)}};
    set_answers(object, result);
    set_result(object, result);
    object["ms"] = now_ms() - began_ms;
    if (const auto warnings = log_.kernel_warnings(); !warnings.empty())
      object["warnings"] = warnings;
    print_now(object);
    ++answered_;
  }
  void end_stream() const {
    Json object = {{"end", answered_}};
    set(object, "log_not_watched", log_.unreadable_because());
    print_now(object);
  }

 private:
  // Its output goes where the messages go.
  void run_on_begin(const StreamItem& item) const {
    if (on_begin_.empty()) return;
    ::setenv("NAME", item.name.c_str(), 1);
    ::setenv("SCENARIO", pivotcheck::print(item.scenario).c_str(), 1);
    if (std::system(("{ " + on_begin_ + "\n} >&2 </dev/null").c_str()) != 0) {
      complain(fmt::format("{}: --on-begin failed", item.name));
    }
  }

  Trial trial_;
  std::string on_begin_;
  KernelLog log_ = KernelLog::open();
  std::size_t answered_ = 0;
};

struct AnswerOptions {
  std::vector<std::string> paths;
  std::string on_begin;
  std::string model = "running";
};

ExitStatus answer(const AnswerOptions& options) {
  catch_interruptions(SecondSignal::exits);
  const auto traits = parse_model(options.model);
  if (!traits) return complain(traits.error().what, ExitStatus::bad_usage);
  if (!machine_is_fit()) return ExitStatus::nothing_ran;
  auto trial = Trial::make({.traits = *traits, .cross_check_every = cross_check_every});
  if (!trial) return complain(trial.error().what, ExitStatus::nothing_ran);
  Answers answers(std::move(*trial), options.on_begin);
  answers.begin_stream();
  const auto status = for_each_scenario(
      options.paths, {.begin = [&](const std::string& name) { answers.begin(name); },
                      .answer =
                          [&](const StreamItem& item) {
                            answers.answer(item);
                            return ExitStatus::agreed;
                          }});
  if (status == ExitStatus::agreed) answers.end_stream();
  return status;
}

}  // namespace

CommandSpec answer_command() {
  auto options = std::make_shared<AnswerOptions>();
  return {
      .name = "answer",
      .summary = "Say as JSON lines what the running kernel answers to each scenario of a stream",
      .options = {{"--on-begin", &options->on_begin,
                   "shell command to run before each scenario, with $NAME and $SCENARIO"},
                  {"--model",
                   &options->model,
                   "the model that speaks beside the kernel (see pivotcheck predict --help)",
                   {.shows_default = true}},
                  {"FILE|DIR", &options->paths,
                   "scenarios; if none is named, JSON lines with \"name\" and \"scenario\" are "
                   "read from standard input, and each is answered at once"}},
      .footer =
          "It is what ci/kernels starts on other kernels. The last line is {\"end\":N}.\n"
          "Exit status: 0 all were answered, whatever the answers are, 2 bad usage or a bad\n"
          "line, 4 nothing can run, 128 + the signal that ended it.",
      .run = [options] { return answer(*options); }};
}

}  // namespace pivotcheck::cli
