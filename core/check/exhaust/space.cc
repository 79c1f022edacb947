// SPDX-License-Identifier: Apache-2.0
// space.cc: the alphabets, the layouts, then a space made of one of each.
#include "check/exhaust/space.h"

#include <algorithm>
#include <numeric>
#include <sstream>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "layouts_text.h"

namespace pivotcheck::exhaust {
namespace {

constexpr Alphabet alphabet_table[] = {
    {"pivot",
     "pivot_root, chroot, chdir, open and fchdir, umount detach, mount, bind, move, "
     "make-private"},
    {"propagation", "mount, bind, rbind, move, the four types, umount with and without detach"},
    {"api",
     "open_tree, move_mount (beneath, set_group), mount_setattr, fsmount, close, umount "
     "detach"},
    {"locks",
     "unshare, setns, and what shows a lock: mount, bind, rbind, move, remount, umount, "
     "make-shared, make-slave"},
    {"all", "all of these, and umount expire"},
};

// Collects operations; one that is there already is not taken twice.
class Collector {
 public:
  Collector(const std::vector<Path>& places, std::vector<TaskName> tasks)
      : places_(places), tasks_(std::move(tasks)) {
    with_handle_ = places;
    const Path handle("h", "");
    if (std::ranges::find(places, handle) == places.end()) with_handle_.push_back(handle);
  }

  void add(Op op) {
    if (std::ranges::find(ops_, op) == ops_.end()) ops_.push_back(std::move(op));
  }
  void at_each(auto make) {
    for (const Path& place : places_) add(make(place));
  }
  void at_each_two(auto make) {
    for (const Path& from : places_) {
      for (const Path& to : places_) add(make(from, to));
    }
  }

  void pivot();
  void propagation();
  void api();
  void locks();
  void expire() {
    at_each([](const Path& place) { return Umount{place, {UmountFlag::expire}}; });
  }
  [[nodiscard]] const std::vector<Op>& ops() const { return ops_; }

 private:
  // What several alphabets have.
  void mount() {
    at_each([](const Path& place) { return Mount{FilesystemType::tmpfs, place, {}}; });
  }
  void bind(bool recursive) {
    at_each_two([&](const Path& from, const Path& to) { return Bind{from, to, recursive}; });
  }
  void move() {
    at_each_two([](const Path& from, const Path& to) { return Move{from, to}; });
  }
  void type(Propagation to) {
    at_each([&](const Path& place) { return ChangePropagation{place, to, false}; });
  }
  void umount(UmountFlags flags) {
    at_each([&](const Path& place) { return Umount{place, flags}; });
  }

  const std::vector<Path>& places_;
  std::vector<Path> with_handle_;
  std::vector<TaskName> tasks_;
  std::vector<Op> ops_;
};

void Collector::pivot() {
  at_each_two([](const Path& from, const Path& to) { return PivotRoot{from, to}; });
  add(PivotRoot{".", "."});
  at_each([](const Path& place) { return Chroot{place}; });
  add(Chroot{"."});
  at_each([](const Path& place) { return Chdir{place}; });
  at_each([](const Path& place) { return Open{{"h"}, place}; });
  add(Fchdir{{"h"}});
  umount({UmountFlag::detach});
  add(Umount{".", {UmountFlag::detach}});
  mount();
  bind(false);
  move();
  type(Propagation::private_);
}

void Collector::propagation() {
  mount();
  bind(false);
  bind(true);
  move();
  for (const Propagation to :
       {Propagation::shared_, Propagation::private_, Propagation::slave, Propagation::unbindable}) {
    type(to);
  }
  umount({});
  umount({UmountFlag::detach});
}

void Collector::api() {
  for (const OpenTreeFlags flags : {OpenTreeFlags{OpenTreeFlag::clone},
                                    OpenTreeFlags{OpenTreeFlag::clone, OpenTreeFlag::recursive}}) {
    at_each([&](const Path& place) { return OpenTree{{"h"}, place, flags}; });
  }
  for (const MoveMountFlags flags : {MoveMountFlags{}, MoveMountFlags{MoveMountFlag::beneath},
                                     MoveMountFlags{MoveMountFlag::set_group}}) {
    for (const Path& from : with_handle_) {
      for (const Path& to : with_handle_) add(MoveMount{from, to, flags});
    }
  }
  const MountFlags read_only{MountFlag::ro};
  for (const Path& place : with_handle_) {
    add(MountSetattr{place, {.set = read_only, .clear = {}, .propagation = {}}, {}});
    add(MountSetattr{place, {.set = {}, .clear = read_only, .propagation = {}}, {}});
    for (const Propagation to : {Propagation::shared_, Propagation::private_}) {
      add(MountSetattr{place, {.set = {}, .clear = {}, .propagation = to}, {.on = true}});
    }
  }
  add(Fsmount{{"h"}, FilesystemType::tmpfs, {}});
  add(Close{{"h"}});
  umount({UmountFlag::detach});
}

void Collector::locks() {
  const NamespaceKinds mnt{NamespaceKind::mnt};
  const NamespaceKinds user{NamespaceKind::user};
  for (const NamespaceKinds kinds : {mnt, user, mnt.with(user)}) {
    add(Unshare{kinds});
    for (const TaskName& task : tasks_) add(Setns{task, kinds});
  }
  mount();
  bind(false);
  bind(true);
  move();
  at_each([](const Path& place) { return Remount{place, {MountFlags{MountFlag::ro}}}; });
  at_each([](const Path& place) { return Remount{place, {}}; });
  umount({});
  umount({UmountFlag::detach});
  type(Propagation::shared_);
  type(Propagation::slave);
}

// What these tasks may do at these places, always in the same order. None: there is no such
// alphabet.
std::vector<Step> collect(std::string_view alphabet, const std::vector<Path>& places,
                          const std::vector<TaskName>& tasks) {
  Collector collector(places, tasks);
  const bool all = alphabet == "all";
  if (all || alphabet == "pivot") collector.pivot();
  if (all || alphabet == "propagation") collector.propagation();
  if (all || alphabet == "api") collector.api();
  if (all || alphabet == "locks") collector.locks();
  if (all) collector.expire();
  std::vector<Step> steps;
  for (const TaskName& task : tasks) {
    for (const Op& op : collector.ops()) steps.push_back({task, op});
  }
  return steps;
}

// What each step becomes, if it is a step of the space. Empty if one is not, or if nothing changes.
std::vector<Letter> letters_of(const std::vector<Step>& steps, const std::vector<Step>& renamed) {
  std::vector<Letter> letters;
  bool any_changes = false;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto found = std::ranges::find(steps, renamed[i]);
    if (found == steps.end()) return {};
    letters.push_back(static_cast<Letter>(found - steps.begin()));
    any_changes = any_changes || letters.back() != i;
  }
  return any_changes ? letters : std::vector<Letter>{};
}

// Of the acting tasks and the names at once.
std::vector<Symmetry> find_symmetries(const Layout& layout, std::string_view alphabet,
                                      const std::vector<TaskName>& acting,
                                      const Resolver& resolver) {
  std::vector<Symmetry> symmetries;
  const std::vector<Step> steps = collect(alphabet, layout.places, acting);
  for (const Names& names : exchangeable_names(layout.set_up, layout.places)) {
    std::vector<Path> places = layout.places;
    for (Path& place : places) place.text = renamed(place.text, names);
    std::vector<std::size_t> order(acting.size());
    std::iota(order.begin(), order.end(), 0);
    do {
      std::vector<std::uint32_t> numbers(resolver.task_names().size());
      std::iota(numbers.begin(), numbers.end(), 0);
      std::vector<TaskName> tasks;
      for (std::size_t i = 0; i < order.size(); ++i) {
        tasks.push_back(acting[order[i]]);
        numbers[static_cast<std::size_t>(resolver.find_alive(tasks[i].text))] =
            static_cast<std::uint32_t>(resolver.find_alive(acting[i].text));
      }
      std::vector<Letter> letters = letters_of(steps, collect(alphabet, places, tasks));
      if (!letters.empty()) symmetries.push_back({{names, numbers}, std::move(letters)});
    } while (std::ranges::next_permutation(order).found);
  }
  return symmetries;
}

}  // namespace

std::optional<Layout> layout_of(std::string name, Scenario scenario) {
  Layout layout{
      .name = std::move(name), .sentence = scenario.title.value_or(""), .set_up = {}, .places = {}};
  std::istringstream words(scenario.about.empty() ? "" : scenario.about.front());
  for (std::string word; words >> word;) {
    const auto step = parse("chdir " + word);
    if (!step || step->steps.size() != 1) return std::nullopt;
    layout.places.push_back(std::get<Chdir>(step->steps.front().step.op).path);
  }
  if (layout.places.empty() || layout.places.size() > places_max) return std::nullopt;
  layout.set_up.steps = std::move(scenario.steps);
  return layout;
}

const std::vector<Layout>& layouts() {
  static const std::vector<Layout> all = [] {
    std::vector<Layout> result;
    for (const ScenarioText& text : layout_texts) {
      auto scenario = parse(text.text);
      PIVOTCHECK_CHECK(scenario);
      auto layout = layout_of(std::string(text.name), std::move(*scenario));
      PIVOTCHECK_CHECK(layout);
      result.push_back(std::move(*layout));
    }
    std::ranges::stable_sort(result, {},
                             [](const Layout& layout) { return layout.set_up.steps.size(); });
    return result;
  }();
  return all;
}

const Layout* find_layout(std::string_view name) {
  const auto found = std::ranges::find(layouts(), name, &Layout::name);
  return found == layouts().end() ? nullptr : &*found;
}

std::span<const Alphabet> alphabets() { return alphabet_table; }

Program Space::program(Sequence sequence) const {
  Program result = set_up;
  for (const Letter letter : sequence) result.steps.push_back(operations[letter]);
  return result;
}

std::string Space::text(Letter letter) const {
  Program one = set_up;
  one.steps = {operations[letter]};
  return print(step_of(one, 0));
}

std::vector<Renaming> Space::renamings() const {
  std::vector<Renaming> result;
  for (const Symmetry& symmetry : symmetries) result.push_back(symmetry.renaming);
  return result;
}

Expected<Space> make_space(const Layout& layout, Privilege privilege, std::string_view alphabet,
                           int tasks) {
  Resolver resolver;
  Space space{.layout = layout.name,
              .alphabet = std::string(alphabet),
              .privilege = privilege,
              .tasks = tasks,
              .set_up = {},
              .operations = {},
              .symmetries = {}};
  space.set_up.privilege = privilege;
  const auto set_up = [&](const Step& step) {
    auto resolved = resolver.add(step);
    if (resolved) space.set_up.steps.push_back(std::move(*resolved));
    return resolved.has_value();
  };
  for (const ScenarioStep& step : layout.set_up.steps) PIVOTCHECK_CHECK(set_up(step.step));
  for (int i = 1; i < tasks; ++i) {
    const std::string name(1, static_cast<char>('A' + i));
    if (resolver.was_made(name)) continue;
    if (!set_up({TaskName{"A"}, Spawn{{name}}})) return fail("A has ended, and can't spawn " + name);
  }
  std::vector<TaskName> acting;
  for (int i = 0; i < tasks; ++i) acting.push_back({std::string(1, static_cast<char>('A' + i))});
  const std::vector<Step> steps = collect(alphabet, layout.places, acting);
  if (steps.empty()) return fail(fmt::format("no alphabet: {}", alphabet));
  for (const Step& step : steps) {
    auto resolved = resolver.add(step);
    if (!resolved) return std::unexpected(resolved.error());
    space.operations.push_back(std::move(*resolved));
  }
  space.symmetries = find_symmetries(layout, alphabet, acting, resolver);
  space.set_up.tasks = resolver.task_names();
  space.set_up.handles = resolver.handle_names();
  return space;
}

}  // namespace pivotcheck::exhaust
