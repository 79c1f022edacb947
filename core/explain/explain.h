// SPDX-License-Identifier: Apache-2.0
// explain.h: would pivot_root(new_root, put_old) succeed for the process that was seen; if not,
// why, and what remedies it.
//
//     ProcessView ---> a World for each Assumption ---> evaluate(): apply(PivotRoot) in each
//                                                    |
//               all Worlds give the same outcome     '--- they differ: cannot tell
//                    |
//               refused: add remedies in the World and evaluate again, until pivot_root succeeds
//               or there is no remedy; the rules met on the way are `further`
//
// The rules are those of the model and three more: the model's worlds never end on rootfs, and it
// knows no seccomp filters and no security modules.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "explain/process_view.h"
#include "model/rules.h"
#include "op/outcome.h"

namespace pivotcheck::explain {

// A refusal: the model's rule, or one of those that only `explain` knows.
using Reason = const RuleInfo*;  // nullptr: it succeeds
extern const RuleInfo root_is_rootfs;
extern const RuleInfo seccomp_filter;  // its errno is whatever the filter answers
extern const RuleInfo security_module;

// A mount on which the answer depends.
struct InvolvedMount {
  std::string what;               // "new_root", "what that is mounted on"
  std::optional<SeenMount> seen;  // nullopt: the process does not see it
};

// What pivot_root does under one assumption.
struct Possibility {
  Outcome outcome;
  Reason reason = nullptr;
  bool operator==(const Possibility&) const = default;
};

enum class Conclusion : unsigned char { would_succeed, refused, cannot_tell };

struct Answer {
  Conclusion conclusion = Conclusion::cannot_tell;
  Possibility first;                     // under the first assumption, which refuses least
  std::vector<Possibility> possible;     // all different ones; one unless the outcome is open, or
                                         // was tried and several rules have that errno
  std::vector<std::string> cannot_tell;  // the open questions on which the outcome depends
  std::vector<std::string> may_refuse;   // what else may refuse it, whatever the mounts are
  std::vector<InvolvedMount> mounts;
  std::vector<Reason> further;        // what would refuse next, after the remedy of the one before
  std::vector<std::string> questions;  // is a path right for which a command makes directories?
  std::vector<std::string> commands;  // after them, in this order, it succeeds; may be empty
  std::string advice;                 // what a person can do about the first reason
  Reason no_fix_for = nullptr;        // the refusal for which no command helps
  std::vector<std::string> before;    // drawings, if it would succeed
  std::vector<std::string> after;
};

// Without `with_remedies`: only the conclusion and its reason, which is much less work.
Answer explain(const ProcessView& process, bool with_remedies = true);

// Corrects an answer by what the kernel said in a copy of the namespace (dry_run_pivot_root).
void apply_trial_result(Answer& answer, const ProcessView& process, Outcome outcome);

std::string_view name(Conclusion conclusion);  // "would succeed", "refused", "cannot tell"

// Which rule refused an operation, for a process that has been stopped at it since:
//
//     ProcessView ---> a World for each assumption ---> apply(op) in each ---> those with that
//                                                               errno: all by the same rule?
//
// Worlds with another errno are excluded. If both locked and unlocked mounts remain possible,
// they are taken for unlocked: a program that switches root usually made the mounts itself.
// `descriptors`: the process's, for those paths of the operation that begin at a handle, in order.
// nullptr: no rule has that errno, or several have. A failure: the process can't be inspected, or
// not only mounts and roots decide the operation. `pid` 0: the calling process.
Expected<Reason> why_refused(pid_t pid, Op op, int error, const std::array<int, 2>& descriptors);

}  // namespace pivotcheck::explain
