// SPDX-License-Identifier: Apache-2.0
// random_step.cc: a function for each operation, or for those that are alike, in the order of op.h.
#include "check/gen/random_step.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "check/gen/places.h"

namespace pivotcheck::gen {
namespace {

using model::DentryId;
using model::Kind;
using model::MountIndex;
using model::Task;
using model::TaskIndex;
using model::World;

constexpr std::uint32_t sloppy_percent = 30;  // steps whose arguments are not chosen to fit

std::uint32_t count(std::size_t n) { return static_cast<std::uint32_t>(n); }

MountFlag some_flag(Choices& choices) {
  return static_cast<MountFlag>(choices.below(count(FlagNames<MountFlag>::names.size())));
}

// Fills in the arguments of one operation.
class ArgumentFiller {
 public:
  ArgumentFiller(const ScenarioBuilder& builder, TaskIndex performer)
      : builder_(builder),
        choices_(builder.choices()),
        world_(builder.world()),
        task_(world_[performer]),
        places_(builder, performer),
        sloppy_(choices_.chance(sloppy_percent)) {}

  void operator()(Mkdir& op) { op.path = new_name(Kind::directory); }
  void operator()(Rmdir& op) {
    op.path = existing_name(choose(&Places::directory, [&](const Site& s) {
      return world_[s.at.dentry].children.empty() && !world_.is_mount_root(s.at);
    }));
  }
  void operator()(Touch& op) { op.path = new_name(Kind::file); }
  void operator()(Unlink& op) {
    op.path = existing_name(choose(&Places::anything, [&](const Site& s) {
      return places_.kind(s) != Kind::directory && !world_.is_mount_root(s.at);
    }));
  }
  void operator()(Rename& op) {
    const Site from = choose(&Places::anything,
                             [&](const Site& s) { return !world_.is_mount_root(s.at); });
    const Site to = choose(&Places::directory, [&](const Site& s) {
      return s.at.mount == from.at.mount && !world_.is_below_or_at(s.at.dentry, from.at.dentry);
    });
    op.from = existing_name(from);
    op.to = places_.spell_path(to, places_.free_name(to, some_kind(from)));
    if (choices_.chance(15)) op.to = existing_name(places_.anything());
  }
  void operator()(Symlink& op) {
    const Site target = places_.directory();
    op.target.text = choices_.chance(30) ? ".." + target.text : target.absolute();
    if (choices_.chance(3)) op.target.text = "l";
    op.path = new_name(Kind::symlink);
  }
  void operator()(Chmod& op) {
    static constexpr unsigned modes[] = {0755, 0, 0111, 0333, 0444, 0555, 0644, 0666, 01777};
    op.path = places_.spell_path(places_.directory());
    op.mode.bits = modes[choices_.below(std::size(modes))];
  }

  void operator()(Mount& op) {
    op.path = places_.spell_path(sloppy_ ? places_.anything() : places_.directory());
    if (choices_.chance(25)) op.type = FilesystemType::ramfs;
    if (choices_.chance(20)) op.flags = some_flags();
    if (builder_.features().expire && choices_.chance(marked_noatime_percent)) {
      op.flags.set(MountFlag::noatime);
    }
  }
  void operator()(Bind& op) {
    Site source = choices_.chance(35) ? places_.mount_root() : places_.directory();
    Site target = places_.directory();
    if (choices_.chance(8)) source = places_.file();
    if (places_.kind(source) == Kind::file) target = places_.file();
    if (sloppy_) target = places_.anything();
    op.source = places_.spell_path(source);
    op.target = places_.spell_path(target);
  }
  void operator()(Move& op) {
    const Site source = choose(&Places::mount_root, [&](const Site& s) { return separable(s); });
    const Site target = choose(&Places::directory, [&](const Site& s) {
      return !world_.is_reachable(world_.topmost(s.at), source.at);
    });
    op.source = places_.spell_path(source);
    op.target = places_.spell_path(target);
  }
  void operator()(ChangePropagation& op) { op.path = places_.spell_path(usually_mount_root()); }
  void operator()(Remount& op) {
    const Site site = usually_mount_root();
    op.path = places_.spell_path(site);
    // The flags of the mount, with one more or one less.
    op.flags.flags = world_[site.at.mount].flags;
    const auto flag = some_flag(choices_);
    op.flags.flags.set(flag, !op.flags.flags.has(flag));
  }
  void operator()(Umount& op) {
    op.path = places_.spell_path(choose([&] { return usually_mount_root(); }, [&](const Site& s) {
      const model::Mount& mount = world_[s.at.mount];
      return mount.children.empty() && !mount.locked && !world_.is_referenced(s.at.mount);
    }));
    if (choices_.chance(35)) op.flags.set(UmountFlag::detach);
    if (choices_.chance(10)) op.flags.set(UmountFlag::nofollow);
    if (builder_.features().expire && choices_.chance(60)) {
      op.flags.set(UmountFlag::expire);
      if (choices_.chance(90)) op.flags.set(UmountFlag::detach, false);
    }
  }

  void operator()(PivotRoot& op) {
    Site new_root = choose(&Places::mount_root, [&](const Site& s) { return separable(s); });
    if (choices_.chance(5)) new_root = places_.directory();
    Site put_old = choose([&] { return places_.below(new_root, 2); }, [&](const Site& s) {
      return !world_.is_shared(s.at.mount);
    });
    if (choices_.chance(8)) put_old = places_.directory();
    op.new_root = places_.spell_path(new_root);
    op.put_old = places_.spell_path(put_old);
    if (new_root.at == task_.current_directory && choices_.chance(60)) {
      op = {.new_root = ".", .put_old = "."};
    }
  }
  void operator()(OneOf<Chroot, Chdir> auto& op) { op.path = places_.spell_path(some_directory()); }
  void operator()(Open& op) {
    op.handle.text = some_handle_name(choices_);
    op.path = places_.spell_path(choices_.chance(30) ? places_.anything() : some_directory());
  }
  void operator()(OneOf<Fchdir, Close> auto& op) { op.handle.text = some_handle(); }

  void operator()(Spawn& op) { op.task.text = builder_.next_name(); }
  void operator()(Exit&) {}
  void operator()(Unshare& op) {
    op.kinds = {NamespaceKind::mnt};
    if (choices_.chance(35)) op.kinds.set(NamespaceKind::user);
    if (choices_.chance(8)) op.kinds = {NamespaceKind::user};
  }
  void operator()(Setns& op) {
    TaskIndex other = builder_.some_task();
    if (&world_[other] == &task_) other = builder_.some_task();
    op.task.text = world_[other].name;
    op.kinds = {NamespaceKind::mnt};
    if (world_[other].user_ns != task_.user_ns && choices_.chance(70))
      op.kinds.set(NamespaceKind::user);
    if (choices_.chance(10)) op.kinds = {NamespaceKind::user};
  }
  void operator()(DropCapabilities& op) {
    op.capabilities = Capabilities::from_bits(1 << (2 - choices_.below(3)));
    if (choices_.chance(15)) op.capabilities.set(static_cast<Capability>(choices_.below(3)));
  }

  void operator()(Limit& op) {
    op.kinds = {NamespaceKind::mnt};
    if (choices_.chance(30)) op.kinds = {NamespaceKind::user};
  }

  void operator()(OpenTree& op) {
    op.handle.text = some_handle_name(choices_);
    op.path = choices_.chance(20) ? detached_or(places_.mount_root())
                                : places_.spell_path(choices_.chance(50) ? places_.mount_root()
                                                                    : some_directory());
    if (choices_.chance(90)) op.flags.set(OpenTreeFlag::clone);
    if (choices_.chance(op.flags.has(OpenTreeFlag::clone) ? 50 : 20)) {
      op.flags.set(OpenTreeFlag::recursive);
    }
  }
  void operator()(MoveMount& op) {
    const Site source = choose(&Places::mount_root, [&](const Site& s) { return separable(s); });
    op.source = places_.spell_path(source);
    if (choices_.chance(80)) op.source = places_.detached_tree().value_or(op.source);
    const std::uint32_t manner = choices_.below(100);
    if (manner < 65) {
      op.target = choices_.chance(12) ? detached_or(places_.directory())
                                    : places_.spell_path(places_.directory());
      return;
    }
    op.target = choices_.chance(15) ? detached_or(places_.mount_root())
                                  : places_.spell_path(usually_mount_root());
    if (manner < 85) op.flags.set(MoveMountFlag::beneath);
    if (manner >= 85 || choices_.chance(4)) op.flags.set(MoveMountFlag::set_group);
    if (op.flags.has(MoveMountFlag::set_group)) give_a_group(op);
  }
  void operator()(MountSetattr& op) {
    op.path = choices_.chance(30) ? detached_or(places_.mount_root())
                                : places_.spell_path(usually_mount_root());
    op.recursive.on = choices_.chance(50);
    if (choices_.chance(40)) op.change.propagation = static_cast<Propagation>(choices_.below(4));
    if (op.change.propagation && choices_.chance(50)) return;
    for (std::uint32_t i = choices_.below(3); i < 3; ++i)
      change_some_attribute(op.change, choices_);
  }
  void operator()(Fsmount& op) {
    op.handle.text = some_handle_name(choices_);
    if (choices_.chance(25)) op.type = FilesystemType::ramfs;
    if (choices_.chance(20)) op.flags = some_flags();
  }

  static void change_some_attribute(AttributeChange& change, Choices& choices) {
    const auto flag = some_flag(choices);
    const bool on = choices.chance(60);
    change.set.set(flag, on);
    change.clear.set(flag, !on);
    if (choices.chance(2)) change.keep_atime = true;
  }

 private:
  Path detached_or(const Site& site) {
    if (auto path = places_.in_detached_tree()) return std::move(*path);
    return places_.spell_path(site);
  }
  // From a mount that has a peer group or a master to a private one of the same filesystem.
  void give_a_group(MoveMount& op) {
    const auto is_private = [this](const Site& s) {
      return !world_.is_shared(s.at.mount) && !world_.master(s.at.mount).exists();
    };
    const Site source = choose(&Places::mount_root, std::not_fn(is_private));
    const Site target = choose(&Places::mount_root, [&](const Site& s) {
      return is_private(s) &&
             world_[s.at.dentry].filesystem == world_[source.at.dentry].filesystem;
    });
    op.source = places_.spell_path(source);
    if (choices_.chance(70)) op.target = places_.spell_path(target);
  }
  Path new_name(Kind kind) {
    const Site directory = places_.directory();
    if (sloppy_) return places_.spell_path(places_.anything());
    return places_.spell_path(directory, places_.free_name(directory, kind));
  }
  // For calls that act on the name itself: the last component stays a plain name.
  Path existing_name(const Site& site) {
    const std::size_t slash = site.text.rfind('/');
    if (slash == std::string::npos || choices_.chance(10)) return places_.spell_path(site);
    return {site.text};
  }
  Kind some_kind(const Site& from) {
    return choices_.chance(10) ? static_cast<Kind>(choices_.below(3)) : places_.kind(from);
  }
  Site choose(Site (Places::*draw)() const, auto is_good) {
    return choose([&] { return (places_.*draw)(); }, is_good);
  }
  // Draws three times at most, until it is good; a sloppy step takes the first.
  Site choose(auto draw, auto is_good) {
    Site site = draw();
    for (int i = 1; i < 3 && !sloppy_ && !is_good(site); ++i) site = draw();
    return site;
  }

  // Its mount can be moved or become a root: not the root's, not locked, the parent not shared.
  bool separable(const Site& site) const {
    const model::Mount& mount = world_[site.at.mount];
    return site.at.mount != task_.root.mount && !mount.locked && mount.parent.exists() &&
           !world_.is_shared(mount.parent);
  }
  Site usually_mount_root() {
    return choices_.chance(sloppy_ ? 30 : 3) ? places_.anything() : places_.mount_root();
  }
  Site some_directory() {
    if (sloppy_) return places_.anything();
    return choices_.chance(35) ? places_.mount_root() : places_.directory();
  }
  std::string some_handle() {
    if (task_.handles.empty() || choices_.chance(5)) return some_handle_name(choices_);
    return task_.handles[choices_.below(count(task_.handles.size()))].name;
  }
  MountFlags some_flags() {
    MountFlags flags;
    flags.set(some_flag(choices_));
    if (choices_.chance(30)) flags.set(some_flag(choices_));
    return flags;
  }

  const ScenarioBuilder& builder_;
  Choices& choices_;
  const World& world_;
  const Task& task_;
  Places places_;
  bool sloppy_;
};

// Whether an operation can succeed, as far as that is known without its arguments.
enum class Prospect : unsigned char {
  never,    // not in this scenario
  refused,  // it is refused, or does nothing
  good,
};

class ProspectOf {
 public:
  ProspectOf(const ScenarioBuilder& builder, TaskIndex performer)
      : builder_(builder), world_(builder.world()), task_(world_[performer]) {}

  Prospect operator()(const OneOf<Mount, Bind, OpenTree, Fsmount> auto&) const {
    return may_mount();
  }
  Prospect operator()(const OneOf<Move, Umount, PivotRoot> auto&) const {
    return may_change_another();
  }
  Prospect operator()(const OneOf<ChangePropagation, Remount, MountSetattr> auto&) const {
    return has_admin();
  }
  Prospect operator()(const MoveMount&) const {
    const bool has_tree = std::ranges::any_of(task_.handles, [this](const model::Handle& handle) {
      return world_.is_detached_tree(world_[handle.at.mount].mount_ns);
    });
    return has_tree ? may_mount() : may_change_another();
  }
  Prospect operator()(const Chroot&) const {
    return good_if(task_.capabilities.has(Capability::sys_chroot));
  }
  Prospect operator()(const OneOf<Fchdir, Close> auto&) const {
    return good_if(!task_.handles.empty());
  }
  Prospect operator()(const Spawn&) const {
    return builder_.names_left() > 0 ? Prospect::good : Prospect::never;
  }
  Prospect operator()(const Exit&) const {
    // The last one rarely: nothing comes after it.
    return good_if(builder_.tasks_alive() > 1);
  }
  Prospect operator()(const Unshare&) const {
    if (world_.mount_count > builder_.limits().mounts) return Prospect::never;
    return good_if(task_.capabilities.has(Capability::sys_admin));
  }
  Prospect operator()(const Setns&) const { return good_if(builder_.tasks_alive() > 1); }
  Prospect operator()(const DropCapabilities&) const {
    // In a scenario's only task it would make refusals of all later steps.
    return good_if(world_.tasks.size() > 1);
  }
  Prospect operator()(const Limit&) const {
    // Of the machine's, or the executor's, it would end the run.
    return world_[task_.user_ns].level > 0 ? Prospect::good : Prospect::never;
  }
  Prospect operator()(const OneOf<Rmdir, Rename> auto&) const {
    return good_if(!world_[task_.root.dentry].children.empty());
  }
  Prospect operator()(const Unlink&) const {
    return good_if(std::ranges::any_of(world_[task_.root.dentry].children, [&](DentryId child) {
      return world_[child].kind != Kind::directory;
    }));
  }
  Prospect operator()(const OneOf<Mkdir, Touch, Symlink, Chmod, Chdir, Open> auto&) const {
    return Prospect::good;
  }

 private:
  static Prospect good_if(bool yes) { return yes ? Prospect::good : Prospect::refused; }
  Prospect has_admin() const {
    return good_if(world_.capable(task_, Capability::sys_admin, world_[task_.mount_ns].owner));
  }
  Prospect may_mount() const {
    return world_.mount_count > builder_.limits().mounts ? Prospect::never : has_admin();
  }
  Prospect may_change_another() const {
    for (std::uint32_t i = 0; i < world_.mounts.size(); ++i) {
      const model::Mount& mount = world_.mounts[i];
      const bool is_another = mount.exists && mount.mount_ns == task_.mount_ns && !mount.locked &&
                              mount.parent.exists() && i != task_.root.mount.value;
      if (is_another) return has_admin();
    }
    return Prospect::refused;
  }

  const ScenarioBuilder& builder_;
  const World& world_;
  const Task& task_;
};

struct OptionMutator {
  Choices& choices;

  void operator()(OneOf<Mount, Fsmount> auto& op) const {
    if (choices.chance(50)) op.type = FilesystemType::ramfs;
    op.flags.set(some_flag(choices));
  }
  void operator()(Bind& op) const { op.recursive = !op.recursive; }
  void operator()(ChangePropagation& op) const {
    op.to = static_cast<Propagation>(choices.below(4));
    op.recursive = choices.chance(50);
  }
  void operator()(Remount& op) const {
    const auto flag = some_flag(choices);
    op.flags.flags.set(flag, !op.flags.flags.has(flag));
  }
  void operator()(Umount& op) const {
    if (op.flags.has(UmountFlag::expire)) return;
    const auto flag = choices.chance(20) ? UmountFlag::nofollow : UmountFlag::detach;
    op.flags.set(flag, !op.flags.has(flag));
  }
  void operator()(OneOf<Unshare, Setns, Limit> auto& op) const {
    op.kinds = NamespaceKinds::from_bits(static_cast<int>(1 + choices.below(3)));
  }
  void operator()(DropCapabilities& op) const {
    op.capabilities = Capabilities::from_bits(static_cast<int>(1 + choices.below(7)));
  }
  void operator()(OpenTree& op) const {
    const auto flag = choices.chance(20) ? OpenTreeFlag::clone : OpenTreeFlag::recursive;
    op.flags.set(flag, !op.flags.has(flag));
  }
  void operator()(MoveMount& op) const {
    const auto flag = choices.chance(30) ? MoveMountFlag::set_group : MoveMountFlag::beneath;
    op.flags.set(flag, !op.flags.has(flag));
  }
  void operator()(MountSetattr& op) const {
    if (choices.chance(50)) op.change.propagation = static_cast<Propagation>(choices.below(4));
    ArgumentFiller::change_some_attribute(op.change, choices);
    op.recursive.on = choices.chance(50);
  }
  // These have paths and names only.
  void operator()(OneOf<Mkdir, Rmdir, Touch, Unlink, Rename, Symlink, Chmod, Move, PivotRoot,
                        Chroot, Chdir, Open, Fchdir, Close, Spawn, Exit> auto&) const {}
};

// The usual weights, in the order of prototypes().
constexpr std::array<std::uint8_t, verbs_count> usual_weights{
    10,                      // mkdir
    3,  5,  2,  5,  4,  2,   // rmdir touch unlink rename symlink chmod
    14, 12, 8,  8,           // mount bind rbind move
    5,  2,  4,  2,           // make-shared make-private make-slave make-unbindable
    3,  2,  3,  1,           // make-rshared make-rprivate make-rslave make-runbindable
    4,  10,                  // remount umount
    16, 3,  7,  6,  3,  2,   // pivot_root chroot chdir open fchdir close
    5,  1,  4,  4,  1,  1,   // spawn exit unshare setns dropcap limit
    8,  12, 5,  3,           // open_tree move_mount mount_setattr fsmount
};

}  // namespace

VerbWeights::VerbWeights(std::uint32_t swarm) {
  PIVOTCHECK_CHECK(prototypes().size() == verbs_count);
  static constexpr std::uint32_t factors[] = {1, 1, 3, 0};
  std::uint64_t bits = swarm * std::uint64_t{0x9E3779B97F4A7C15};
  for (std::size_t i = 0; i < verbs_count; ++i) {
    weights_[i] = usual_weights[i] * factors[(bits >> 62) & 3U];
    bits *= 0xD1342543DE82EF95;
    bits ^= bits >> 29;
    if (i == 0) weights_[i] = usual_weights[i];  // nothing happens in a world without directories
    total_ += weights_[i];
  }
}

std::size_t VerbWeights::pick(Choices& choices) const {
  std::uint32_t drawn = choices.below(total_);
  for (std::size_t i = 0; i < verbs_count; ++i) {
    if (drawn < weights_[i]) return i;
    drawn -= weights_[i];
  }
  return 0;
}

void random_step(ScenarioBuilder& builder, TaskIndex performer, const VerbWeights& weights) {
  constexpr int tries_max = 6;
  Choices& choices = builder.choices();
  Op op = prototypes()[0];
  for (int i = 0; i < tries_max; ++i) {
    const Op& prototype = prototypes()[weights.pick(choices)];
    const Prospect outlook = std::visit(ProspectOf(builder, performer), prototype);
    if (outlook == Prospect::good || (outlook == Prospect::refused && choices.chance(12))) {
      op = prototype;
      break;
    }
  }
  std::visit(ArgumentFiller(builder, performer), op);
  builder.perform(performer, std::move(op));
}

void mutate_options(Op& op, Choices& choices) {
  if (choices.chance(50)) std::visit(OptionMutator{choices}, op);
}

}  // namespace pivotcheck::gen
