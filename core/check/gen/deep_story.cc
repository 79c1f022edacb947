// SPDX-License-Identifier: Apache-2.0
// deep_story.cc: a function for each situation that is steered for, and the table of them with
// their weights; what they need of the world comes first.
#include "check/gen/deep_story.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "check/gen/named_mounts.h"
#include "check/gen/places.h"
#include "check/gen/situations.h"
#include "model/propagation.h"

namespace pivotcheck::gen {
namespace {

using model::DentryId;
using model::Kind;
using model::Location;
using model::MountIndex;
using model::NamespaceId;
using model::Task;
using model::TaskIndex;
using model::World;

constexpr std::size_t several_namespaces = 3;

std::uint32_t count(std::size_t n) { return static_cast<std::uint32_t>(n); }

Path below(Path directory, const std::string& name) {
  if (!directory.text.ends_with('/')) directory.text += '/';
  directory.text += name;
  return directory;
}

// A mount that a task can name and may change.
struct Seen {
  TaskIndex task;
  MountIndex mount;
  Path path;
};

class Steering {
 public:
  explicit Steering(ScenarioBuilder& builder)
      : builder_(builder), choices_(builder.choices()), world_(builder.world()) {
    look();
  }

  void open();
  // Each takes a step or a few; false: none was possible, or the last was refused.
  bool deepen_chain();
  bool make_namespace();
  bool make_less_privileged() { return make_namespace_of(some_able_task(), true); }
  bool mount_widely();
  bool umount_widely();
  bool leave_locked_copy();
  bool move_foreign_task();
  bool move_to_receivers();
  bool attach_to_receivers();
  bool umount_with_busy_copy() { return umount_after(true); }
  bool umount_covered_copy() { return umount_after(false); }
  bool nest_user_namespaces();
  bool end_namespace();

 private:
  // --- the world
  void look() {
    seen_.clear();
    for (std::uint32_t i = 0; i < world_.tasks.size(); ++i) {
      if (!may_mount({i})) continue;
      for (NamedMount& named : named_mounts(world_, world_.tasks[i])) {
        seen_.push_back({{i}, named.mount, std::move(named.path)});
      }
    }
  }
  [[nodiscard]] bool may_mount(TaskIndex i) const {
    const Task& task = world_[i];
    return task.alive && world_.capable(task, Capability::sys_admin, world_[task.mount_ns].owner);
  }
  [[nodiscard]] MountIndex parent(MountIndex mount) const { return world_[mount].parent; }
  [[nodiscard]] bool is_full() const { return world_.mount_count > builder_.limits().mounts; }
  // Those in which mounts receive what is mounted on this one, its own first.
  [[nodiscard]] std::vector<NamespaceId> reached_from(MountIndex mount) const {
    std::vector<NamespaceId> result{world_[mount].mount_ns};
    for (const MountIndex receiver : receivers(world_, mount)) add(result, receiver);
    return result;
  }
  void add(std::vector<NamespaceId>& namespaces, MountIndex mount) const {
    const NamespaceId mount_ns = world_[mount].mount_ns;
    if (!mount_ns.exists() || world_.is_detached_tree(mount_ns)) return;
    if (std::ranges::find(namespaces, mount_ns) == namespaces.end()) namespaces.push_back(mount_ns);
  }
  // What goes with it, if it is unmounted and nothing keeps it.
  [[nodiscard]] std::vector<MountIndex> copies_of(MountIndex mount) const {
    std::vector<MountIndex> result;
    for (const MountIndex receiver : receivers(world_, parent(mount))) {
      const MountIndex copy = world_.mounted_at(receiver, world_[mount].mount_point);
      if (copy.exists() && copy != mount) result.push_back(copy);
    }
    return result;
  }
  // Its task may unmount it, and this propagates.
  [[nodiscard]] bool may_go(const Seen& seen) const {
    return parent(seen.mount).exists() && !world_[seen.mount].locked &&
           world_.is_shared(parent(seen.mount)) && world_[seen.task].root.mount != seen.mount;
  }
  [[nodiscard]] bool may_move(const Seen& seen) const {
    const auto is_unbindable = [this](MountIndex mount) { return world_[mount].unbindable; };
    return parent(seen.mount).exists() && !world_[seen.mount].locked &&
           !world_.is_shared(parent(seen.mount)) && world_[seen.task].root.mount != seen.mount &&
           std::ranges::none_of(world_.subtree(seen.mount), is_unbindable);
  }

  // --- choosing
  std::optional<Seen> some(auto is_such) {
    std::vector<const Seen*> found;
    for (const Seen& seen : seen_) {
      if (is_such(seen)) found.push_back(&seen);
    }
    if (found.empty()) return std::nullopt;
    return *found[choices_.below(count(found.size()))];
  }
  std::optional<Seen> some_of_task(TaskIndex task, auto is_such) {
    return some([&](const Seen& seen) { return seen.task == task && is_such(seen); });
  }
  TaskIndex some_able_task() {
    const auto any = some([](const Seen&) { return true; });
    return any ? any->task : builder_.some_task();
  }

  // --- steps
  bool perform(TaskIndex task, Op op) {
    constexpr std::uint32_t other_options_percent = 4;
    if (choices_.chance(other_options_percent)) mutate_options(op, choices_);
    const bool ok = builder_.perform(task, std::move(op));
    look();
    return ok;
  }
  // A path to the mount: mostly the plain one.
  Path path_to(const Seen& seen) {
    if (!seen.path.handle.empty() || !choices_.chance(20)) return seen.path;
    const Location at{seen.mount, world_[seen.mount].root};
    const std::string text = seen.path.text == "/" ? "" : seen.path.text;
    return Places(builder_, seen.task).spell_path(Site{text, at});
  }
  bool change_propagation(const Seen& seen, Propagation to, bool recursive = false) {
    return perform(seen.task, ChangePropagation{seen.path, to, recursive});
  }
  // A directory of the mount on which nothing is mounted; a new one, if there is none.
  std::optional<Path> free_directory(const Seen& on) {
    const DentryId root = world_[on.mount].root;
    if (world_[root].kind != Kind::directory) return std::nullopt;
    const std::vector<DentryId> children = world_[root].children;
    const std::size_t first = choices_.below(count(std::max<std::size_t>(children.size(), 1)));
    for (std::size_t i = 0; i < children.size(); ++i) {
      const DentryId child = children[(first + i) % children.size()];
      const bool is_free =
          world_[child].kind == Kind::directory && !world_.mounted_at(on.mount, child).exists();
      if (is_free) return below(on.path, world_[child].name);
    }
    for (const char* name : {"a", "b", "c", "d", "p", "q"}) {
      if (world_.child(root, name).exists()) continue;
      Path path = below(on.path, name);
      if (!perform(on.task, Mkdir{path})) return std::nullopt;
      return path;
    }
    return std::nullopt;
  }
  bool mount_on(const Seen& seen) {
    if (is_full()) return false;
    const auto directory = free_directory(seen);
    if (!directory) return false;
    const FilesystemType type = choices_.chance(30) ? FilesystemType::ramfs : FilesystemType::tmpfs;
    const MountFlags flags = choices_.chance(15) ? MountFlags{MountFlag::nodev} : MountFlags{};
    return perform(seen.task, Mount{type, *directory, flags});
  }
  // A mount that does not propagate, with another one on it that can be moved or become a root.
  bool mount_apart(TaskIndex task) {
    const auto apart =
        some_of_task(task, [this](const Seen& seen) { return !world_.is_shared(seen.mount); });
    if (apart) return mount_on(*apart);
    const auto any = some_of_task(task, [](const Seen&) { return true; });
    if (!any || is_full()) return false;
    const auto directory = free_directory(*any);
    return directory && perform(task, Mount{FilesystemType::tmpfs, *directory, {}}) &&
           perform(task, ChangePropagation{*directory, Propagation::private_, false});
  }
  bool make_namespace_of(TaskIndex task, bool less_privileged);
  bool pivot(TaskIndex task);
  bool umount_after(bool in_use);

  ScenarioBuilder& builder_;
  Choices& choices_;
  const World& world_;
  std::vector<Seen> seen_;
};

// --- namespaces and chains

// A new task leaves the namespace: its mounts are peers, slaves, or slaves that pass on what they
// receive.
bool Steering::make_namespace_of(TaskIndex task, bool less_privileged) {
  if (is_full() || builder_.names_left() == 0) return false;
  if (choices_.chance(40)) {
    perform(task, ChangePropagation{{"/"}, Propagation::shared_, true});
  }
  const TaskIndex made{count(world_.tasks.size())};
  if (!perform(task, Spawn{{std::string(builder_.next_name())}}) || builder_.ended()) return false;
  if (choices_.chance(25)) perform(made, Open{{some_handle_name(choices_)}, {"/"}});
  NamespaceKinds kinds{NamespaceKind::mnt};
  kinds.set(NamespaceKind::user, less_privileged);
  if (builder_.ended() || !builder_.perform(made, Unshare{kinds})) return false;
  look();
  if (choices_.chance(50)) {
    perform(made, ChangePropagation{{"/"}, Propagation::slave, true});
  }
  if (choices_.chance(60)) {
    perform(made, ChangePropagation{{"/"}, Propagation::shared_, true});
  }
  return true;
}

bool Steering::make_namespace() { return make_namespace_of(some_able_task(), choices_.chance(30)); }

bool Steering::nest_user_namespaces() {
  constexpr int deepest = 4;
  TaskIndex lowest;
  for (std::uint32_t i = 0; i < world_.tasks.size(); ++i) {
    const Task& task = world_.tasks[i];
    const int level = world_[task.user_ns].level;
    if (!task.alive || level >= deepest || task.root != world_.namespace_root(task.mount_ns)) {
      continue;
    }
    if (!lowest.exists() || level > world_[world_[lowest].user_ns].level) lowest = {i};
  }
  if (!lowest.exists() || is_full()) return false;
  return perform(lowest, Unshare{{NamespaceKind::user, NamespaceKind::mnt}});
}

bool Steering::end_namespace() {
  if (builder_.tasks_alive() < several_namespaces) return false;
  const TaskIndex task = builder_.some_task();
  return perform(task, Exit{});
}

// The mount with the most masters above it gets a slave.
bool Steering::deepen_chain() {
  int deepest = 0;
  for (const Seen& seen : seen_) deepest = std::max(deepest, masters_above(world_, seen.mount));
  const auto last = some([&](const Seen& seen) {
    const bool is_deepest = masters_above(world_, seen.mount) == deepest;
    return is_deepest && !world_[seen.mount].unbindable;
  });
  if (!last) return false;
  if (!world_.is_shared(last->mount)) return change_propagation(*last, Propagation::shared_);
  const auto peer = some([&](const Seen& seen) {
    return seen.mount != last->mount && world_[seen.mount].group == world_[last->mount].group;
  });
  if (peer) {
    return change_propagation(*peer, Propagation::slave) &&
           (choices_.chance(30) || change_propagation(*peer, Propagation::shared_));
  }
  const auto on = some_of_task(last->task, [](const Seen&) { return true; });
  if (!on || is_full()) return false;
  const auto directory = free_directory(*on);
  return directory && perform(last->task, Bind{last->path, *directory, false});
}

// --- mounting and unmounting over several namespaces

bool Steering::mount_widely() {
  const auto wide = some(
      [this](const Seen& seen) { return reached_from(seen.mount).size() >= several_namespaces; });
  if (!wide) return make_namespace();
  if (!choices_.chance(25)) return mount_on(*wide);
  const auto source = some_of_task(wide->task, [this](const Seen& seen) {
    return !world_[seen.mount].unbindable && world_.subtree(seen.mount).size() <= 4;
  });
  if (!source || is_full()) return false;
  const auto directory = free_directory(*wide);
  return directory && perform(wide->task, Bind{path_to(*source), *directory, choices_.chance(60)});
}

bool Steering::umount_widely() {
  const auto wide = some([this](const Seen& seen) {
    if (!may_go(seen)) return false;
    std::vector<NamespaceId> namespaces{world_[seen.mount].mount_ns};
    for (const MountIndex copy : copies_of(seen.mount)) add(namespaces, copy);
    return namespaces.size() >= several_namespaces;
  });
  if (!wide) return mount_widely();
  Umount umount{path_to(*wide), {}};
  umount.flags.set(UmountFlag::detach,
                   !world_[wide->mount].children.empty() || choices_.chance(30));
  return perform(wide->task, std::move(umount));
}

// A mount with another one in it; of which a less privileged namespace has locked copies; in whose
// copy of the outer one something else is mounted, which keeps both there.
bool Steering::leave_locked_copy() {
  const auto inner_of = [this](MountIndex outer, MountIndex copy) {
    return std::ranges::any_of(world_[copy].children, [&](MountIndex child) {
      return world_[child].locked && world_.mounted_at(outer, world_[child].mount_point).exists();
    });
  };
  const auto own_of = [this](MountIndex outer, MountIndex copy) {
    return std::ranges::any_of(world_[copy].children, [&](MountIndex child) {
      const DentryId place = world_[child].mount_point;
      return place != world_[copy].root && !world_.mounted_at(outer, place).exists();
    });
  };
  std::vector<MountIndex> nearly;
  const auto ready = some([&](const Seen& seen) {
    if (!may_go(seen)) return false;
    for (const MountIndex copy : copies_of(seen.mount)) {
      if (!inner_of(seen.mount, copy)) continue;
      if (own_of(seen.mount, copy)) return true;
      nearly.push_back(copy);
    }
    return false;
  });
  if (ready) return perform(ready->task, Umount{path_to(*ready), {UmountFlag::detach}});
  const auto copy =
      some([&](const Seen& seen) { return std::ranges::find(nearly, seen.mount) != nearly.end(); });
  if (copy) return mount_on(*copy);
  const auto outer =
      some([&](const Seen& seen) { return may_go(seen) && world_.is_shared(seen.mount); });
  if (!outer) return mount_widely();
  if (world_[outer->mount].children.empty()) return mount_on(*outer);
  return make_namespace_of(outer->task, true);
}

// Someone uses a copy of what is unmounted; or mounts something on it.
bool Steering::umount_after(bool in_use) {
  const auto mount = some([&](const Seen& seen) {
    return may_go(seen) && world_[seen.mount].children.empty() && !copies_of(seen.mount).empty();
  });
  if (!mount) return mount_widely();
  const std::vector<MountIndex> copies = copies_of(mount->mount);
  const auto copy =
      some([&](const Seen& seen) { return std::ranges::find(copies, seen.mount) != copies.end(); });
  if (!copy) return false;
  const bool done = in_use ? perform(copy->task, Chdir{copy->path})
                           : !is_full() && perform(copy->task, Mount{{}, copy->path, {}});
  return done && perform(mount->task, Umount{path_to(*mount), {}});
}

// --- moving

bool Steering::move_to_receivers() {
  const auto target = some([this](const Seen& seen) {
    return !receivers(world_, seen.mount).empty() &&
           some_of_task(seen.task, [this](const Seen& other) { return may_move(other); });
  });
  if (!target) {
    const auto wide =
        some([this](const Seen& seen) { return !receivers(world_, seen.mount).empty(); });
    return wide ? mount_apart(wide->task) : make_namespace();
  }
  const auto source =
      some_of_task(target->task, [this](const Seen& seen) { return may_move(seen); });
  const auto top = some_of_task(target->task, [this](const Seen& seen) {
    return may_go(seen) && !receivers(world_, parent(seen.mount)).empty();
  });
  if (top && choices_.chance(30)) {
    return perform(source->task,
                   MoveMount{path_to(*source), path_to(*top), {MoveMountFlag::beneath}});
  }
  const auto directory = free_directory(*target);
  if (!directory) return false;
  if (choices_.chance(50))
    return perform(source->task, MoveMount{path_to(*source), *directory, {}});
  return perform(source->task, Move{path_to(*source), *directory});
}

bool Steering::attach_to_receivers() {
  if (is_full()) return false;
  const auto target =
      some([this](const Seen& seen) { return !receivers(world_, seen.mount).empty(); });
  if (!target) return make_namespace();
  const HandleName handle{some_handle_name(choices_)};
  const auto source = some_of_task(target->task, [this](const Seen& seen) {
    return !world_[seen.mount].unbindable && world_.subtree(seen.mount).size() <= 4;
  });
  const bool is_open =
      source && choices_.chance(60)
          ? perform(
                target->task,
                OpenTree{handle, path_to(*source), {OpenTreeFlag::clone, OpenTreeFlag::recursive}})
          : perform(target->task, Fsmount{handle, {}, {}});
  if (!is_open) return false;
  const auto directory = free_directory(*target);
  return directory && perform(target->task, MoveMount{Path(handle.text, ""), *directory, {}});
}

// --- pivot_root

bool Steering::pivot(TaskIndex task) {
  const auto root = some_of_task(task, [this](const Seen& seen) {
    return may_move(seen) && !world_.is_shared(seen.mount) && seen.path.handle.empty();
  });
  return root ? perform(task, PivotRoot{root->path, root->path}) : mount_apart(task);
}

// A task that is in another namespace, and whose root or directory is the old root: it came with a
// handle.
bool Steering::move_foreign_task() {
  const auto mover = some([this](const Seen& seen) {
    return std::ranges::any_of(world_.tasks, [&](const Task& task) {
      const Location& root = world_[seen.task].root;
      return task.alive && task.mount_ns != world_[seen.task].mount_ns &&
             (task.root == root || task.current_directory == root);
    });
  });
  if (mover) return pivot(mover->task);
  for (std::uint32_t i = 0; i < world_.tasks.size(); ++i) {
    if (!world_.tasks[i].alive) continue;
    for (const model::Handle& handle : world_.tasks[i].handles) {
      const bool is_root = std::ranges::any_of(seen_, [&](const Seen& seen) {
        const Task& other = world_[seen.task];
        return other.root == handle.at && other.mount_ns != world_.tasks[i].mount_ns;
      });
      if (!is_root) continue;
      const std::string name = handle.name;
      return perform({i}, Fchdir{{name}}) && (choices_.chance(60) || perform({i}, Chroot{{"."}}));
    }
  }
  const TaskIndex task = some_able_task();
  if (is_full() || builder_.names_left() == 0) return false;
  const TaskIndex made{count(world_.tasks.size())};
  const std::string handle = some_handle_name(choices_);
  return perform(task, Spawn{{std::string(builder_.next_name())}}) &&
         perform(made, Open{{handle}, {"/"}}) && perform(made, Unshare{{NamespaceKind::mnt}}) &&
         perform(made, Fchdir{{handle}});
}

// --- the opening

void Steering::open() {
  const TaskIndex first{0};
  if (choices_.chance(75)) perform(first, ChangePropagation{{"/"}, Propagation::shared_, true});
  for (int i = 0; i < 2; ++i) {
    const auto on = some([](const Seen&) { return true; });
    if (on) mount_on(*on);
    if (!seen_.empty() && choices_.chance(50)) {
      change_propagation(seen_.back(), Propagation::shared_);
    }
  }
  if (choices_.chance(50)) mount_apart(first);
  for (std::uint32_t more = 2 + choices_.below(3); more > 0 && !builder_.ended(); --more) {
    make_namespace();
  }
}

// --- which of them how often

struct Goal {
  std::uint32_t weight;
  bool (Steering::*go)();
};
constexpr std::array<Goal, 13> goals{{
    {10, &Steering::deepen_chain},
    {4, &Steering::make_namespace},
    {4, &Steering::make_less_privileged},
    {12, &Steering::mount_widely},
    {14, &Steering::umount_widely},
    {14, &Steering::leave_locked_copy},
    {12, &Steering::move_foreign_task},
    {12, &Steering::move_to_receivers},
    {6, &Steering::attach_to_receivers},
    {6, &Steering::umount_with_busy_copy},
    {6, &Steering::umount_covered_copy},
    {2, &Steering::nest_user_namespaces},
    {2, &Steering::end_namespace},
}};

const Goal& some_goal(Choices& choices) {
  static constexpr std::uint32_t total =
      std::accumulate(goals.begin(), goals.end(), 0U,
                      [](std::uint32_t sum, const Goal& goal) { return sum + goal.weight; });
  std::uint32_t drawn = choices.below(total);
  for (const Goal& goal : goals) {
    if (drawn < goal.weight) return goal;
    drawn -= goal.weight;
  }
  return goals.front();
}

}  // namespace

void open_deep_story(ScenarioBuilder& builder) { Steering(builder).open(); }

void steer(ScenarioBuilder& builder) {
  const Goal& goal = some_goal(builder.choices());
  Steering steering(builder);
  for (std::uint32_t turns = 1 + builder.choices().below(4); turns > 0; --turns) {
    if (builder.ended() || !(steering.*goal.go)()) return;
  }
}

}  // namespace pivotcheck::gen
