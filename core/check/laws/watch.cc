// SPDX-License-Identifier: Apache-2.0
// watch.cc: the table of laws, the watch that asks them, and what several laws need.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "check/laws/law_functions.h"

namespace pivotcheck::laws {
namespace {

// "no-group-above-itself" of no_group_above_itself, at compile time.
template <std::size_t size>
struct Name {
  char text[size]{};
  consteval Name(const char (&from)[size]) {  // NOLINT: a literal is one
    for (std::size_t i = 0; i < size; ++i) text[i] = from[i] == '_' ? '-' : from[i];
  }
};
template <Name name>
constexpr std::string_view name_of{name.text, sizeof(name.text) - 1};

constexpr Law table[] = {
#define LAW(function, sentence, source) {name_of<#function>, sentence, source, function},
#define STATE_LAW(function, sentence, source) \
  {name_of<#function>, sentence, source, function, true},
#include "check/laws/law_rows.h"
#undef LAW
};

// The last name of a path that a step makes: of a symbolic link, or of what may be one.
std::string last_name(const Path& path) {
  std::string text = path.text;
  while (text.ends_with('/')) text.pop_back();
  return text.substr(text.rfind('/') + 1);
}

}  // namespace

std::span<const Law> all_laws() { return table; }

std::optional<PlaceState> Event::find(const Path& path) const {
  const TaskState* task = actor();
  return task == nullptr ? std::nullopt : laws::find(before, *task, path, links);
}

std::string described(const MountState& mount) {
  if (mount.parent == 0) return "the lowest mount of its tree";
  return "the mount on " + (mount.place.empty() ? "a place without a path" : mount.place);
}

const MountState* mount_named(const Event& event, const Path& path) {
  const auto named = event.find(path);
  return named ? event.before.mount(named->mount) : nullptr;
}

std::vector<const MountState*> subtree(const State& state, const MountState& mount) {
  std::vector<const MountState*> result{&mount};
  for (std::size_t i = 0; i < result.size(); ++i) {
    for (const MountState& other : state.mounts) {
      if (other.parent == result[i]->id) result.push_back(&other);
    }
  }
  return result;
}

bool hides_groups(const State& state) {
  return std::ranges::any_of(state.mounts, [&](const MountState& mount) {
    return mount.master != 0 &&
           std::ranges::find(state.mounts, mount.master, &MountState::group) == state.mounts.end();
  });
}

// --- the watch

void Watch::begin(State fresh) {
  last_ = std::move(fresh);
  has_last_ = true;
}

// What a step says of user namespaces, and of names that may be links.
void Watch::note(const Step& step, Outcome outcome) {
  ++steps_;
  if (!outcome.ok()) return;
  const auto of = [this](const std::string& task) -> Standing& {
    return *std::ranges::find(standings_, task, &Standing::task);
  };
  if (const auto* symlink = std::get_if<Symlink>(&step.op)) links_.insert(last_name(symlink->path));
  if (const auto* rename = std::get_if<Rename>(&step.op); rename != nullptr && !links_.empty()) {
    links_.insert(last_name(rename->to));
  }
  if (const auto* spawn = std::get_if<Spawn>(&step.op)) {
    Standing child = of(step.task.text);
    child.task = spawn->task.text;
    standings_.push_back(std::move(child));
  }
  Standing& own = of(step.task.text);
  if (const auto* unshare = std::get_if<Unshare>(&step.op)) {
    if (unshare->kinds.has(NamespaceKind::user)) {
      user_parents_.push_back(own.user_ns);
      own.user_ns = static_cast<int>(user_parents_.size()) - 1;
      own.dropped = {};
    }
    if (unshare->kinds.has(NamespaceKind::mnt)) own.owner = own.user_ns;
  }
  if (const auto* drop = std::get_if<DropCapabilities>(&step.op)) {
    own.dropped = own.dropped.with(drop->capabilities);
  }
  if (const auto* setns = std::get_if<Setns>(&step.op)) {
    const Standing& other = of(setns->task.text);
    if (setns->kinds.has(NamespaceKind::user)) {
      own.user_ns = other.user_ns;
      own.dropped = {};
    }
    if (setns->kinds.has(NamespaceKind::mnt)) own.owner = other.owner;
  }
}

void Watch::skip(const Step& step, Outcome outcome) {
  note(step, outcome);
  has_last_ = false;
  forget_locks();
}

void Watch::forget_locks() {
  locked_ = {};
  locked_.is_all = false;
}

void Watch::after(const Step& step, Outcome outcome, State state) {
  const Standing stood = *std::ranges::find(standings_, step.task.text, &Standing::task);
  note(step, outcome);
  if (has_last_ && std::max(last_.mounts.size(), state.mounts.size()) <= mounts_asked_max) {
    const Standing& standing = *std::ranges::find(standings_, step.task.text, &Standing::task);
    const Event event{last_, step,       outcome,       state,   links_, standing,
                      stood, standings_, user_parents_, locked_, quirks_};
    ask(event, last_.mounts == state.mounts);
    if (outcome.ok()) {
      unlock(event);
      lock(event);
    }
    mark(event);
  } else {
    forget_locks();
  }
  begin(std::move(state));
}

// Laws about one state are not asked again of a state in which no mount changed.
void Watch::ask(const Event& event, bool mounts_are_as_before) {
  const bool is_first = breaches_.empty();
  for (std::size_t i = 0; i < laws_count; ++i) {
    if (table[i].of_state && mounts_are_as_before) continue;
    Inquiry inquiry;
    table[i].ask(event, inquiry);
    asked_[i] += inquiry.asked();
    if (inquiry.breach().empty() || !is_first) continue;
    breaches_.push_back({.law = &table[i], .step = steps_, .what = inquiry.breach()});
  }
}

}  // namespace pivotcheck::laws
