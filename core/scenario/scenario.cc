// SPDX-License-Identifier: Apache-2.0
// scenario.cc: a scenario as text, such that parse(print(s)) == s, and whether a condition on the
// kernel holds. Each verb's arguments come from fields(), so there is one append() for each kind of
// argument and none for a verb.
//
// Source: FORMAT.md; its section "As pivotcheck prints it" says which spelling is chosen.
#include "scenario/scenario.h"

#include <algorithm>
#include <utility>

#include "op/quote.h"
#include "scenario/syntax.h"

namespace pivotcheck {
namespace {

void append_path(std::string& out, const Path& path) {
  if (path.handle.empty()) return void(out += quoted_if_needed(path.text));
  const bool quoted = !path.text.empty() && needs_quotes(path.text);
  if (quoted) out += '"';
  out += '@';
  out += path.handle;
  append_escaped(out, path.text);  // escapes nothing where no quotes are needed
  if (quoted) out += '"';
}

// One argument, the blank before it included.
void append(std::string& out, const Path& path) {
  out += ' ';
  append_path(out, path);
}
void append(std::string& out, const LinkTarget& target) {
  out += ' ';
  out += quoted_if_needed(target.text);
}
void append(std::string& out, const TaskName& task) { (out += ' ') += task.text; }
void append(std::string& out, const HandleName& handle) { (out += ' ') += handle.text; }
void append(std::string& out, FilesystemType type) {
  (out += ' ') += FlagNames<FilesystemType>::names[static_cast<std::size_t>(type)];
}
void append(std::string& out, Mode mode) {
  out += ' ';
  for (int shift = 9; shift >= 0; shift -= 3) {
    out += static_cast<char>('0' + ((mode.bits >> shift) & 7U));
  }
}
template <class Enum>
void append(std::string& out, FlagSet<Enum> flags) {
  if (!flags.empty()) (out += ' ') += to_string(flags);
}
void append(std::string& out, const RemountFlags& remount) {
  if (remount.flags.empty()) {
    out += " rw";
  } else {
    append(out, remount.flags);
  }
}

void append(std::string& out, const AttributeChange& change) {
  char separator = ' ';
  const auto add = [&](std::string_view sign, std::string_view name) {
    ((out += std::exchange(separator, ',')) += sign) += name;
  };
  for (std::size_t i = 0; i < FlagNames<MountFlag>::names.size(); ++i) {
    const auto flag = static_cast<MountFlag>(i);
    if (change.set.has(flag)) add("+", FlagNames<MountFlag>::names[i]);
    if (change.clear.has(flag)) add("-", FlagNames<MountFlag>::names[i]);
  }
  if (change.keep_atime) add("", syntax::keep_atime);
  if (change.propagation) {
    add("", FlagNames<Propagation>::names[static_cast<std::size_t>(*change.propagation)]);
  }
}
void append(std::string& out, RecursiveWord word) {
  if (word.on) out += " recursive";
}

void append_step(std::string& out, const Step& step) {
  if (step.task.text != syntax::default_task) (out += step.task.text) += ": ";
  out += verb(step.op);
  std::visit(
      [&out]<class Typed>(const Typed& op) {
        Typed::fields(op, [&out](const auto& argument) { append(out, argument); });
      },
      step.op);
}

void append_stated(std::string& out, const StatedOutcome& stated) {
  out += " => ";
  out += to_string(stated.outcome);
  if (!stated.rule.empty()) (out += ' ') += stated.rule;
}

void append_header(std::string& out, std::string_view key, std::string_view value) {
  (out += key) += ':';
  if (!value.empty()) (out += ' ') += value;
  // A CR before the line break would be taken for a part of it; a blank is trimmed.
  if (value.ends_with('\r')) out += ' ';
  out += '\n';
}

}  // namespace

std::string to_string(const std::vector<KernelCondition>& all) {
  std::string out;
  for (const KernelCondition& each : all) {
    if (!out.empty()) out += ' ';
    out += syntax::relation_names[static_cast<std::size_t>(each.relation)];
    for (std::size_t part = 0; part < static_cast<std::size_t>(each.parts); ++part) {
      if (part > 0) out += '.';
      out += std::to_string(each.release.parts[part]);
    }
  }
  return out;
}

std::string to_string(const std::vector<TraitCondition>& all) {
  std::string out;
  for (const TraitCondition& each : all) {
    if (!out.empty()) out += ' ';
    out += each.name;
    out += each.on ? "=on" : "=off";
  }
  return out;
}

std::string print(const Scenario& scenario) {
  std::string out;
  if (scenario.title) append_header(out, "title", *scenario.title);
  for (const std::string& each : scenario.about) append_header(out, "about", each);
  if (scenario.privilege) {
    append_header(out, "privilege",
                  syntax::privilege_names[static_cast<std::size_t>(*scenario.privilege)]);
  }
  if (!scenario.kernel.empty()) append_header(out, "kernel", to_string(scenario.kernel));
  if (!scenario.traits.empty()) append_header(out, "trait", to_string(scenario.traits));
  for (const ScenarioStep& each : scenario.steps) {
    append_step(out, each.step);
    if (each.stated) append_stated(out, *each.stated);
    out += '\n';
  }
  return out;
}

std::string print(const Step& step) {
  std::string out;
  append_step(out, step);
  return out;
}

std::string print(const Path& path) {
  std::string out;
  append_path(out, path);
  return out;
}

bool holds(const KernelCondition& condition, const Release& running) {
  using enum KernelCondition::Relation;
  const Release& wanted = condition.release;
  switch (condition.relation) {
    case less: return running < wanted;
    case less_or_equal: return running <= wanted;
    case equal:
      // Only here does it matter how many numbers were written; elsewhere a missing one is 0.
      return std::equal(wanted.parts.begin(), wanted.parts.begin() + condition.parts,
                        running.parts.begin());
    case greater_or_equal: return running >= wanted;
    case greater: return running > wanted;
  }
  return false;
}

}  // namespace pivotcheck
