// SPDX-License-Identifier: Apache-2.0
// remedy.h: what to do about a refusal, as shell commands and, at the same time, as operations on the
// World in which they are tried.
//
//     new-root-on-root-mount     mount --bind /new /new          Bind{"/new", "/new"}
//     new-root-parent-shared     mount --make-private /          ChangePropagation{"/", private}
//     root-not-mount-point       mount --rbind / /; chroot /..   Bind, Chroot: the rest inside
//
// Most commands change mounts, and whoever calls pivot_root afterwards profits by them. Some change
// the process (its root, its namespaces): then everything behind happens inside that command, and
// the call of pivot_root with it. Likewise where the call itself must have another put_old.
//
// What no command mends, as only another call would do: new_root is removed, in another namespace
// or detached, outside of the root, no directory, the root itself, a link to nothing or in a circle
// of links; a directory that may not be searched; a root that was unmounted; a seccomp filter.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "explain/evaluate.h"
#include "explain/explain.h"

namespace pivotcheck::explain {

struct Remedy {
  std::string text;
  std::function<bool(Hypothesis&)> perform;  // false: refused, in the model
  bool changes_process = false;  // `text` takes what is behind it as one more word, a script
  std::string inside_first;      // what such a script begins with; may be ""
  bool outside_root = false;     // done at the namespace's root, not at the process's
  bool movable = false;          // may be done earlier
  std::string new_put_old;       // not "": the call is to be made with this put_old
};

// A word of a POSIX shell, in UTF-8 whatever bytes the word has.
std::string shell_word(const std::string& word);

// What mends this one reason in this world; empty: nothing does.
std::vector<Remedy> remedies_for(Reason reason, Hypothesis& hypothesis, const ProcessView& process);

// What a person can do about it, in words.
std::string advice(Reason reason);

struct RemedyPlan {
  std::vector<Remedy> commands;  // empty if nothing mends it
  std::vector<Reason> further;
  Reason no_fix_for = nullptr;
};
// For all these possibilities at once. The first one says what `further` is.
RemedyPlan suggest_fixes(const ProcessView& process, const std::vector<Assumption>& assumptions);

// The commands as lines of a script.
std::vector<std::string> shell_lines(const RemedyPlan& plan, const ProcessView& process);

}  // namespace pivotcheck::explain
