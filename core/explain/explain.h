// SPDX-License-Identifier: Apache-2.0
// explain.h: would pivot_root(new_root, put_old) succeed, called by the process that was seen; if
// not, why, and what mends it.
//
//     ProcessView ---> a World for each possibility ---> judge: apply(PivotRoot) in each
//                                                    |
//                all give the same                   '--- they differ: cannot tell which
//                    |
//                refused: mend it in the World by a fix's own operations, judge again, until it
//                succeeds or nothing mends it: the rules met on the way are `further`
//
// The rules are those of the model, and a few that the model has no place for: its worlds never end
// on rootfs, and it knows of no seccomp filter.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "explain/process_view.h"
#include "explain/world_from.h"
#include "model/rules.h"
#include "op/outcome.h"

namespace pivotcheck::explain {

// A refusal: the model's rule, or one of those that only `explain` knows.
using Reason = const RuleInfo*;  // nullptr: it succeeds
extern const RuleInfo root_is_rootfs;
extern const RuleInfo seccomp_filter;  // its errno is whatever the filter says

// A mount that has to do with the answer.
struct InvolvedMount {
  std::string what;               // "new_root", "the mount on which new_root is mounted"
  std::optional<SeenMount> seen;  // not given: its line is not shown to the process
};

// One possibility, and what it leads to.
struct Possibility {
  Outcome outcome;
  Reason reason = nullptr;
};

enum class Conclusion : unsigned char { would_succeed, refused, cannot_tell };

struct Answer {
  Conclusion conclusion = Conclusion::cannot_tell;
  Possibility first;                     // what it is; cannot tell: the friendliest possibility
  std::vector<Possibility> possible;     // all different ones; one unless it can't be told, or
                                         // was tried and several rules have that errno
  std::vector<std::string> cannot_tell;  // what would have to be known
  std::vector<InvolvedMount> mounts;
  std::vector<Reason> further;        // would refuse next, once the one before is mended
  std::vector<std::string> commands;  // mend all of it, in order; empty if nothing does
  std::string advice;                 // what a person can do about the first reason
  Reason no_fix_for = nullptr;        // what no command mends
  std::vector<std::string> before;    // drawings, if it would succeed
  std::vector<std::string> after;
};

// Without `mending`: only the verdict, which is much less work.
Answer explain(const ProcessView& process, bool with_remedies = true);

// `cannot tell`, decided by a trial in a copy of the namespace (explain/resolved_paths.h).
void apply_trial_result(Answer& answer, const ProcessView& process, Outcome outcome);

std::string_view name(Conclusion conclusion);  // "would succeed", "refused", "cannot tell"

}  // namespace pivotcheck::explain
