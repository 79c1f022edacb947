// SPDX-License-Identifier: Apache-2.0
// program.h: a scenario whose names are resolved: which task performs a step, which task it spawns
// or enters, and which handles it uses, as numbers. It is worked out once, here: the parser checks
// names with it; the generators, the model, the wire format and the executor take the result.
//
//     scenario            task  subject  slots
//     open h /a            0      -      h: 0
//     spawn B              0      1
//     B: open k @h/b       1      -      k: 1, @h: 0
//     setns B mnt          0      1
//
// Tasks are numbered in the order in which they are made, A is 0; a number is never used again.
// Handles: each name has one slot in the whole program, numbered by first mention, so that a task's
// handles are an array. Whether a handle is open is not known here: that is seen as the steps are
// performed (EBADF).
//
// A step's handles carry their slots themselves (Path::slot, HandleName::slot in op/op.h).
//
// Source: FORMAT.md, section "Lines" (tasks and handles).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"
#include "scenario/scenario.h"

namespace pivotcheck {

struct ProgramStep {
  static constexpr int no_subject = -1;

  int task = 0;              // performs it
  int subject = no_subject;  // the task that it makes (spawn) or enters (setns)
  Op op;                     // each handle in it has its slot
  bool operator==(const ProgramStep&) const = default;
};

// Tasks in one scenario, A and those that ended included: one of the format's limits, because each
// is a process that waits. Scenarios have two or three.
inline constexpr std::size_t tasks_max = 64;

struct Program {
  Privilege privilege = Privilege::userns;
  std::vector<ProgramStep> steps;
  std::vector<std::string> tasks;    // their names, by number
  std::vector<std::string> handles;  // their names, by slot
  bool operator==(const Program&) const = default;
};

// Resolves step by step, for those who make a scenario up as they go.
class Resolver {
 public:
  Resolver() { make_task("A"); }

  // The step resolved. A Failure, and nothing has changed, if a task that it names does not exist
  // then, or if it spawns one whose name was used: "no task B", "a second task B".
  Expected<ProgramStep> add(Step step);
  // The same for a task of that number, which must be alive.
  Expected<ProgramStep> add(int task, Op op);

  [[nodiscard]] bool is_alive(std::string_view task) const { return find_alive(task) >= 0; }
  [[nodiscard]] bool was_made(std::string_view task) const { return tasks_.contains(task); }
  // The number of a task that is alive; -1 if there is none of that name.
  [[nodiscard]] int find_alive(std::string_view task) const;
  [[nodiscard]] const std::vector<std::string>& task_names() const { return task_names_; }
  [[nodiscard]] const std::vector<std::string>& handle_names() const { return handle_names_; }

 private:
  int make_task(const std::string& name);
  int slot_of(const std::string& handle);

  std::map<std::string, int, std::less<>> tasks_;
  std::map<std::string, int, std::less<>> slots_;
  std::vector<bool> alive_;  // by number
  std::vector<std::string> task_names_;
  std::vector<std::string> handle_names_;
};

// Failure::Kind::broke, with the number of the step, where Resolver::add() refuses it: the parser
// lets no such scenario through, and a generator must not make one.
Expected<Program> resolve(const Scenario& scenario);

// The step as a scenario writes it; and all of them, with no outcome stated.
Step step_of(const Program& program, std::size_t index);
Scenario scenario_of(const Program& program);

}  // namespace pivotcheck
