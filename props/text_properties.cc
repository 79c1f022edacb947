// SPDX-License-Identifier: Apache-2.0
// text_properties.cc: what is true of the text format and of the canonical form. Asks no kernel.
#include <algorithm>
#include <map>
#include <utility>

#include "check/gen/choices.h"
#include "transitions.h"
#include "property.h"

namespace pivotcheck::props {
namespace {

void print_then_parse(Case& one) {
  const std::string text = one.subjects.print(one.scenario);
  if (text.contains('"') || text.contains("=>")) one.note_relevant();
  const auto again = parse(text);
  one.require(again.has_value(), "what was printed can't be parsed");
  one.require(*again == one.scenario, "what was printed says something else");
}

void printing_is_settled(Case& one) {
  one.note_relevant();
  const auto again = parse(one.subjects.print(one.scenario));
  one.require(again && one.subjects.print(*again) == one.subjects.print(one.scenario),
              "what was parsed is printed differently");
}

// Other numbers for the same things. Never 0, which means none.
class Renumbering {
 public:
  explicit Renumbering(Choices& choices) : choices_(choices) {}
  void operator()(std::uint64_t& id) {
    if (id == 0) return;
    const auto [entry, is_new] = ids_.try_emplace(id, 0);
    // The lower part keeps them apart, the upper part disturbs their order.
    if (is_new) entry->second = (std::uint64_t{choices_.below(1000)} << 32) + ids_.size();
    id = entry->second;
  }

 private:
  Choices& choices_;
  std::map<std::uint64_t, std::uint64_t> ids_;
};

void renumber(Snapshot& snapshot, Choices& choices) {
  Renumbering mount(choices);
  Renumbering group(choices);
  Renumbering filesystem(choices);
  Renumbering object(choices);
  const auto place = [&](LocationView& at) {
    mount(at.mount);
    object(at.object);
  };
  for (NamespaceView& mount_ns : snapshot.namespaces) {
    for (MountView& view : mount_ns.mounts) {
      mount(view.id);
      mount(view.parent);
      filesystem(view.filesystem);
      group(view.peer_group);
      group(view.master_group);
      group(view.receives_from);
    }
    for (std::size_t i = mount_ns.mounts.size(); i > 1; --i) {
      std::swap(mount_ns.mounts[i - 1],
                mount_ns.mounts[choices.below(static_cast<std::uint32_t>(i))]);
    }
  }
  for (TaskView& task : snapshot.tasks) {
    place(task.root);
    place(task.current_directory);
    for (HandleView& handle : task.handles) place(handle.location);
    std::ranges::reverse(task.handles);
  }
}

Snapshot view_behind(const Case& one) {
  return snapshot(predict(one.scenario, one.traits()).world);
}

// 0 where the last task has ended: no namespace is left.
std::size_t mounts_of_first(const Snapshot& view) {
  return view.namespaces.empty() ? 0 : view.namespaces.front().mounts.size();
}

void canonical_ignores_ids(Case& one) {
  const Snapshot view = view_behind(one);
  if (mounts_of_first(view) > 1) one.note_relevant();
  for (std::uint64_t way = 0; way < 4; ++way) {
    SeededChoices choices(way);
    Snapshot other = view;
    renumber(other, choices);
    one.require(one.subjects.canonical(other) == one.subjects.canonical(view),
                "other ids give another canonical form");
  }
}

void canonical_is_settled(Case& one) {
  const Snapshot once = one.subjects.canonical(view_behind(one));
  if (mounts_of_first(once) > 1) one.note_relevant();
  one.require(one.subjects.canonical(once) == once, "the canonical form of it differs");
}

void canonical_keeps_worlds_apart(Case& one) {
  Snapshot view = view_behind(one);
  const Snapshot before = one.subjects.canonical(view);
  for (std::size_t i = 0; i < mounts_of_first(view); ++i) {
    one.note_relevant();
    Snapshot other = view;
    MountView& changed = other.namespaces.front().mounts[i];
    changed.flags = MountFlags::from_bits(changed.flags.bits() ^ 1);
    one.require(one.subjects.canonical(other) != before, "a changed flag is lost");
  }
}

constexpr auto text = Property::Needs::text;
constexpr Property all[] = {
    {"print then parse is the identity", text, print_then_parse},
    {"what was parsed from a print is printed the same", text, printing_is_settled},
    {"the canonical form ignores ids, and the order in which mounts and handles were read", text,
     canonical_ignores_ids},
    {"the canonical form of a canonical form is itself", text, canonical_is_settled},
    {"the canonical form keeps worlds apart that differ in one flag", text,
     canonical_keeps_worlds_apart},
};

}  // namespace

std::span<const Property> text_properties() { return all; }

}  // namespace pivotcheck::props
