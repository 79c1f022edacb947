// SPDX-License-Identifier: Apache-2.0
// scenario.h: the text format, version 1 (FORMAT.md beside this file is its definition).
//
//     title: put_old on the root mount is refused
//     mkdir /new
//     mount tmpfs /new
//     spawn B
//     B: chdir /new
//     pivot_root /new / => EBUSY put-old-on-root-mount
//
// parse(print(s)) == s for every scenario that holds the invariants named below; comments, blank
// lines and the spelling of a path are not part of a Scenario.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/release.h"
#include "op/op.h"
#include "op/privilege.h"

namespace pivotcheck {

// One condition of a `kernel:` header. `parts` is how many numbers were written: "=6.12" means each
// 6.12.x, so with `equal` 2 numbers compare as 2; with the others a missing part is 0.
struct KernelCondition {
  enum class Relation : unsigned char { less, less_or_equal, equal, greater_or_equal, greater };
  Relation relation = Relation::equal;
  Release release;
  int parts = 3;  // 2 or 3
  bool operator==(const KernelCondition&) const = default;
};
bool holds(const KernelCondition& condition, const Release& running);
std::string to_string(const std::vector<KernelCondition>& conditions);  // ">=6.1 <6.12"

// One condition of a `trait:` header: a fact about a kernel that the model knows by that name.
// Whether there is such a trait is no question of the text, as it is not for a rule.
struct TraitCondition {
  std::string name;
  bool on = true;
  bool operator==(const TraitCondition&) const = default;
};
std::string to_string(const std::vector<TraitCondition>& conditions);  // "a=on b=off"

// What a step states after `=>`.
struct StatedOutcome {
  Outcome outcome;
  std::string rule;  // "" where none is stated; only with an errno
  bool operator==(const StatedOutcome&) const = default;
};

struct ScenarioStep {
  Step step;
  std::optional<StatedOutcome> stated;
  bool operator==(const ScenarioStep&) const = default;
};

// Invariants: names match their patterns; a task is used only after it was spawned and before its
// exit; no task name is made twice; header values have no LF, no zero byte and no blanks at their
// ends; a plain path does not begin with '@', what follows a handle is empty or begins with '/'; no
// string has a zero byte; the lists of unshare, setns and dropcap are not empty; a mode is at most
// 07777; an errno that is stated has a name, and a rule stands only after an errno; the part of a
// kernel condition that was not written is 0. parse() gives such scenarios only.
struct Scenario {
  std::optional<std::string> title;
  std::vector<std::string> about;
  std::optional<Privilege> privilege;  // not stated: userns
  std::vector<KernelCondition> kernel; // all `kernel:` lines together
  std::vector<TraitCondition> traits;  // likewise, of `trait:`
  std::vector<ScenarioStep> steps;
  bool operator==(const Scenario&) const = default;

  [[nodiscard]] Privilege effective_privilege() const {
    return privilege.value_or(Privilege::userns);
  }
};

struct ParseError {
  int line = 0;    // from 1
  int column = 0;  // bytes, from 1; what is missing is one past the line's end
  std::string what;
};

// Any bytes are allowed as input.
std::expected<Scenario, ParseError> parse(std::string_view text);
// The text of a scenario; ends with a line break unless it is empty.
std::string print(const Scenario& scenario);
// One step as its line of text, without the line break and without an outcome.
std::string print(const Step& step);
// A path, quoted where it must be.
std::string print(const Path& path);

}  // namespace pivotcheck
