// SPDX-License-Identifier: Apache-2.0
// stream.h: scenarios in, and answers to them out, each as a JSON object on a line of its own. So a
// program can send thousands of scenarios to a kernel or to a model, and choose the next one after
// it has read the answer to the last.
//
//     in    {"name":"seed-1-case-12","scenario":"mkdir /a\nmount tmpfs /a\n"}
//     out   {"name":"seed-1-case-12","steps":2,"refused":{},"state":"f3a91c04be6d2817"}
//
//     generate --> in --> answer    what the running kernel answers (and whether its model agrees)
//                    '--> predict   what the model of any kernel answers
//
// `refused` has the steps, from 1, that were not ok: {"3":"EBUSY"}; a model says the rule as well:
// {"3":"EBUSY put-old-on-root-mount"}. `state` is the fingerprint of the canonical state after the
// last step (view/fingerprint.h). A scenario that cannot be parsed is answered with
// "result":"invalid" and a "reason"; a line that is no such object ends the command with 2.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "json.h"
#include "model/apply.h"
#include "options/options.h"
#include "scenario/scenario.h"

namespace pivotcheck::cli {

struct StreamItem {
  std::string name;
  Scenario scenario;
  Json line;  // all that the object has
};

// Reads standard input to its end, or the files, and calls `answer` for each scenario at once.
// `begin` is called with a scenario's name before it is parsed.
struct StreamCalls {
  std::function<void(const std::string& name)> begin = {};
  std::function<ExitStatus(const StreamItem& item)> answer;  // anything but `agreed` ends it
};
ExitStatus for_each_scenario(const std::vector<std::string>& paths, const StreamCalls& calls);

// Prints the object at once: the reader may wait for it.
void print_now(const Json& object);

// The keys `steps` and `refused`, of as many steps.
void set_outcomes(Json& object, std::span<const Verdict> verdicts, bool with_rules);

}  // namespace pivotcheck::cli
