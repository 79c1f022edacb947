// SPDX-License-Identifier: Apache-2.0
// propagation.cc: mount propagation, the part of mounting that acts at a distance.
//
// 1. Which mounts receive. What is mounted on a mount is mounted on all its peers, too (a peer
// group). A slave receives from its master group and gives nothing back:
//
//       group 1: M, N          mount X on M/d:   N/d gets a copy (peer of X)
//          |                                     S/d gets a copy (slave of those)
//       group 2: S, T          mount X on S/d:   T/d gets a copy; M and N get nothing
//          |
//          U (slave, not shared)
//
// 2. Where. A mount that shows only /sub of a filesystem receives what is mounted on /sub or below
// it, and nothing that is mounted outside of /sub.
//
// 3. How the copies are related: like the mounts they are put on. Copies on one peer group are
// peers. The copies on a slave group are slaves of the copies on the nearest group above it that
// got any. A tree that is mounted on a shared mount becomes shared itself, all of it.
//
//       M (1) <- X (3)    N (1) <- X' (3)     S (2, slave of 1) <- X'' (4, slave of 3)
//
// 4. If something is mounted there already. The copy is tucked beneath it, so that what tasks see
// there does not change.
//
//       S/d: Y           X'' is mounted on S/d, and Y on the root of X'': S/d still shows Y
//
// 5. Unmounting propagates from the parent: a mount that receives from the parent of the unmounted
// mount loses what is mounted at the same place. Unless that would reveal or lose something: see
// `also_unmounted`.
#include "model/propagation.h"

#include <algorithm>
#include <map>
#include <ranges>
#include <span>
#include <utility>

#include "base/check.h"

namespace pivotcheck::model {
namespace {

bool contains(const std::vector<MountIndex>& mounts, MountIndex mount) {
  return std::ranges::find(mounts, mount) != mounts.end();
}

// The kernel keeps each slave in the list of one member of its master group. By a quirk those in
// the list of a member that is in a detached tree are passed over.
bool is_starved(const World& world, MountIndex kept_with) {
  return world.traits.starves_slaves_of_detached && kept_with.exists() &&
         world.is_detached_tree(world[kept_with].mount_ns);
}

// All members of `group` and of every group below it, and the slaves that are not shared.
void add_receivers_of(const World& world, GroupId group, std::vector<MountIndex>& result) {
  const auto& members = world[group].members;
  result.insert(result.end(), members.begin(), members.end());
  for (std::uint32_t i = 0; i < world.mounts.size(); ++i) {
    const Mount& mount = world.mounts[i];
    if (!mount.exists || mount.own_master != group || is_starved(world, mount.kept_with)) continue;
    result.push_back({i});
  }
  for (std::uint32_t i = 0; i < world.groups.size(); ++i) {
    const PeerGroup& below = world.groups[i];
    if (below.master != group || below.members.empty() || is_starved(world, below.kept_with)) {
      continue;
    }
    add_receivers_of(world, {i}, result);
  }
}

// A copy of one mount that shows `root`, with its relation to peers and masters.
MountIndex clone_one(World& world, MountIndex original, DentryId root, bool shared_to_slave) {
  const MountIndex copy = world.new_mount(root);
  const Mount& from = world[original];
  Mount& to = world[copy];
  to.flags = from.flags;
  to.locked_flags = from.locked_flags;
  to.locked = from.locked;
  to.unbindable = from.unbindable && !world.traits.namespace_copy_loses_unbindable;
  if (!from.group.exists()) {
    to.own_master = from.own_master;
    to.kept_with = from.kept_with;
  } else if (shared_to_slave) {
    to.own_master = from.group;
    to.kept_with = original;
  } else {
    world.join_group(copy, from.group, original);
  }
  return copy;
}

void enter_mount_ns(World& world, MountIndex tree, NamespaceId mount_ns) {
  for (const MountIndex mount : world.subtree(tree)) {
    if (!world[mount].mount_ns.exists()) ++world.mount_count;
    world[mount].mount_ns = mount_ns;
  }
}

void make_shared(World& world, MountIndex mount) {
  if (world.is_shared(mount)) return;
  world.join_group(mount, world.new_group(world[mount].own_master, world[mount].kept_with));
}

// What a receiver was before the tree was attached. It may be a mount of that very tree, which
// becomes shared only by being attached.
struct Receiver {
  MountIndex mount;
  GroupId group;
  GroupId master;
};

// The copies of one propagated tree: for each receiving group, the groups of its copies' mounts.
class PropagatedCopies {
 public:
  // `nodes`: the tree that was put on a member of `origin`, all of it shared.
  PropagatedCopies(World& world, std::vector<MountIndex> nodes, GroupId origin)
      : world_(world), nodes_(std::move(nodes)) {
    Copies& copies = copies_[origin];
    copies.latest = nodes_;
    for (const MountIndex node : nodes_) copies.groups.push_back(world_[node].group);
  }

  // A copy of the tree for a receiver, related to the copies made so far. Receivers must come in
  // the order of receivers(): a group before its slaves.
  MountIndex copy_for(const Receiver& receiver) {
    const GroupId receiving = receiver.group;
    const GroupId giving = nearest_giver(receiver.master);
    std::vector<MountIndex> clones;
    for (std::size_t i = 0; i < nodes_.size(); ++i) clones.push_back(clone_plain(i, clones));
    if (!receiving.exists()) {
      for (std::size_t i = 0; i < nodes_.size(); ++i) {
        world_[clones[i]].own_master = copies_.at(giving).groups[i];
        world_[clones[i]].kept_with = copies_.at(giving).latest[i];
      }
      return clones.front();
    }
    if (!copies_.contains(receiving)) {
      const Copies given = copies_.at(giving);
      Copies& received = copies_[receiving];
      for (std::size_t i = 0; i < nodes_.size(); ++i) {
        received.groups.push_back(world_.new_group(given.groups[i], given.latest[i]));
      }
      received.latest.resize(nodes_.size());
    }
    Copies& received = copies_.at(receiving);
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      world_.join_group(clones[i], received.groups[i], received.latest[i]);
    }
    received.latest = clones;
    return clones.front();
  }

 private:
  struct Copies {
    std::vector<GroupId> groups;     // of the copies of each node
    std::vector<MountIndex> latest;  // the copies that were made last
  };

  // The nearest of `group` and the groups above it that holds copies; the origin holds one.
  GroupId nearest_giver(GroupId group) const {
    while (group.exists() && !copies_.contains(group)) group = world_[group].master;
    return group;
  }

  // Node i without peers or master, attached like the original to the clone of its parent.
  MountIndex clone_plain(std::size_t i, const std::vector<MountIndex>& clones) {
    const MountIndex original = nodes_[i];
    const MountIndex clone = world_.new_mount(world_[original].root);
    world_[clone].flags = world_[original].flags;
    world_[clone].locked_flags = world_[original].locked_flags;
    world_[clone].locked = world_[original].locked;
    if (i > 0) {
      const auto parent = std::ranges::find(nodes_, world_[original].parent) - nodes_.begin();
      world_.attach(clone, clones[static_cast<std::size_t>(parent)], world_[original].mount_point);
    }
    return clone;
  }

  World& world_;
  std::vector<MountIndex> nodes_;
  std::map<GroupId, Copies> copies_;
};

// What was mounted at the place of a copy is mounted on the copy. What it covered stays covered by a
// locked mount, by the copy; and it stays locked itself, or it would be none any more once the copy
// is unmounted where it came from.
void tuck_beneath(World& world, MountIndex copy, MountIndex taken) {
  if (world[taken].locked && !world.traits.lock_rises_with_cover) {
    world[taken].locked = !world.traits.arrival_unlocks_cover;
    world[copy].locked = true;
  }
  Location on{copy, world[copy].root};
  if (world.traits.tucks_beneath_whole_stack) on = world.topmost(on);
  world.detach_from_parent(taken);
  world.attach(taken, on.mount, on.dentry);
}

}  // namespace

std::vector<MountIndex> receivers(const World& world, MountIndex mount) {
  std::vector<MountIndex> result;
  if (!world.is_shared(mount)) return result;
  add_receivers_of(world, world[mount].group, result);
  const auto peers_end = std::ranges::find_if(
      result, [&](MountIndex m) { return world[m].group != world[mount].group; });
  std::rotate(result.begin(), std::find(result.begin(), peers_end, mount), peers_end);
  std::erase(result, mount);
  return result;
}

MountIndex clone_tree(World& world, MountIndex source, DentryId root, CloneOptions options) {
  const MountIndex top = clone_one(world, source, root, options.shared_to_slave);
  if (!options.recursive) return top;
  std::vector<std::pair<MountIndex, MountIndex>> pairs{{source, top}};  // original, copy
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto [original, copy] = pairs[i];
    const std::vector<MountIndex> children = world[original].children;
    for (const MountIndex child : children) {
      if (child == top) continue;
      const DentryId mount_point = world[child].mount_point;
      if (original == source && !world.is_below_or_at(mount_point, root)) continue;
      if (world[child].unbindable && !options.keep_unbindable) continue;
      const MountIndex child_copy =
          clone_one(world, child, world[child].root, options.shared_to_slave);
      world.attach(child_copy, copy, mount_point);
      pairs.emplace_back(child, child_copy);
    }
  }
  return top;
}

bool propagates_onto(const World& world, MountIndex mount, DentryId place, MountIndex top) {
  return world[top].root == place && contains(receivers(world, mount), top);
}

namespace {

// What copies of a tree have: not what is mounted on a directory that was renamed out of what its lowest
// mount shows.
std::vector<MountIndex> copied_of(const World& world, const std::vector<MountIndex>& nodes) {
  const MountIndex top = nodes.front();
  std::vector<MountIndex> copied{top};
  for (const MountIndex node : std::span(nodes).subspan(1)) {
    const MountIndex parent = world[node].parent;
    const bool is_seen =
        parent != top || world.is_below_or_at(world[node].mount_point, world[top].root);
    if (is_seen && contains(copied, parent)) copied.push_back(node);
  }
  return copied;
}

// A group between two that receive has no copy itself, because each member is in a detached tree, or
// does not show the place. Then kernels relate another copy as it should be, or to the copy of a group
// too far above: by the order in which they keep slaves, which nothing shows (FINDINGS.md, "A copy
// becomes the slave of a wrong group").
bool is_master_unclear(const World& world, const std::vector<Receiver>& places,
                              GroupId origin) {
  std::vector<GroupId> giving{origin};
  for (const Receiver& place : places) {
    if (place.group.exists()) giving.push_back(place.group);
  }
  struct Below {
    int direct = 0;
    int with_gap = 0;
  };
  std::map<GroupId, Below> below;
  std::vector<GroupId> counted{origin};  // of a group the first member counts
  for (const Receiver& place : places) {
    if (std::ranges::find(counted, place.group) != counted.end()) continue;
    if (place.group.exists()) counted.push_back(place.group);
    GroupId giver = place.master;
    while (giver.exists() && std::ranges::find(giving, giver) == giving.end()) {
      giver = world[giver].master;
    }
    ++(giver == place.master ? below[giver].direct : below[giver].with_gap);
  }
  below.erase(origin);
  return std::ranges::any_of(below, [](const auto& each) {
    const auto& [direct, with_gap] = each.second;
    return direct > 0 && with_gap > 0 && direct + with_gap > 2;
  });
}

}  // namespace

Verdict::Stop attach_tree(World& world, MountIndex source, Location at,
                          UserNamespaceId callers_owner) {
  const NamespaceId mount_ns = world[at.mount].mount_ns;
  const NamespaceId left = world[source].mount_ns;
  const std::vector<MountIndex> nodes = world.subtree(source);
  std::vector<Receiver> places;
  for (const MountIndex mount : receivers(world, at.mount)) {
    const DentryId shown = world[mount].root;
    if (!world[mount].mount_ns.exists()) continue;
    // Detached trees don't receive.
    if (world.is_detached_tree(world[mount].mount_ns)) continue;
    if (!world.is_below_or_at(at.dentry, shown)) continue;
    places.push_back({mount, world[mount].group, world.master(mount)});
  }
  const bool is_new = !left.exists();
  const std::size_t added = nodes.size() * (places.size() + (is_new ? 1 : 0));
  if (static_cast<std::size_t>(world.mount_count) + added > mounts_max) {
    return Verdict::Stop::too_large;
  }
  if (world.is_shared(at.mount) && is_master_unclear(world, places, world[at.mount].group)) {
    return Verdict::Stop::unclear_master;
  }

  std::vector<std::pair<MountIndex, MountIndex>> copies;  // copy, receiver
  if (world.is_shared(at.mount)) {
    for (const MountIndex node : nodes) make_shared(world, node);
    PropagatedCopies propagation(world, copied_of(world, nodes), world[at.mount].group);
    for (const Receiver& place : places) {
      copies.emplace_back(propagation.copy_for(place), place.mount);
    }
  }
  world.detach_from_parent(source);
  if (world.traits.locks_what_goes_elsewhere && world[mount_ns].owner != callers_owner) {
    lock_tree(world, source);
    world[source].locked = false;
  }
  const MountIndex covered = world.mounted_at(at.mount, at.dentry);
  if (covered.exists()) {
    tuck_beneath(world, source, covered);
    // The caller mounted beneath it itself, so no other task can unmount what has the lock now.
    if (world[source].locked) world[covered].locked = false;
  }
  world.attach(source, at.mount, at.dentry);
  enter_mount_ns(world, source, mount_ns);
  if (world.is_detached_tree(left)) world[left].detached_root = {};

  for (const auto& [copy, place] : copies) {
    const bool is_less_privileged = world[world[place].mount_ns].owner != callers_owner;
    if (is_less_privileged) lock_tree(world, copy);
    world[copy].locked = false;
    const MountIndex taken = world.mounted_at(place, at.dentry);
    if (taken.exists()) tuck_beneath(world, copy, taken);
    world.attach(copy, place, at.dentry);
    enter_mount_ns(world, copy, world[place].mount_ns);
  }
  return Verdict::Stop::no;
}

namespace {

// What is mounted at the same place of the mounts that receive from where `mount` is mounted. A umount
// of that takes the lock off them, whether or not they go.
std::vector<MountIndex> counterparts(const World& world, MountIndex mount) {
  std::vector<MountIndex> found;
  if (!world.has_parent(mount)) return found;
  for (const MountIndex receiver : receivers(world, world[mount].parent)) {
    const MountIndex same = world.mounted_at(receiver, world[mount].mount_point);
    if (same.exists()) found.push_back(same);
  }
  return found;
}

bool covers_root(const World& world, MountIndex child) {
  return world[child].mount_point == world[world[child].parent].root;
}

// Which of the candidates go before 6.17, in the order in which they do. One is bare if nothing is
// mounted on it but covers of its root, and candidates that are bare; so it may become bare when
// the last of those is found. Those that are bare and not locked go, and with them what is mounted
// on them; but not their covers, which go only where they do so by themselves.
std::vector<MountIndex> those_that_went(const World& world, const std::vector<MountIndex>& going,
                                        const std::vector<MountIndex>& candidates,
                                        const std::vector<MountIndex>& unlocked) {
  std::vector<MountIndex> found;
  std::vector<MountIndex> bare;
  std::vector<MountIndex> also;
  const auto becomes_bare = [&](MountIndex mount) {
    return contains(found, mount) && !contains(bare, mount) &&
           std::ranges::all_of(world[mount].children, [&](MountIndex child) {
             return covers_root(world, child) || contains(going, child) || contains(bare, child);
           });
  };
  for (const MountIndex candidate : candidates) {
    found.push_back(candidate);
    for (MountIndex m = candidate; becomes_bare(m); m = world[m].parent) {
      bare.push_back(m);
      if (!world[m].locked || contains(unlocked, m)) also.push_back(m);
    }
  }
  for (std::size_t i = 0; i < also.size(); ++i) {
    for (const MountIndex child : world[also[i]].children) {
      const bool is_in = contains(going, child) || contains(also, child);
      if (!is_in && !covers_root(world, child)) also.push_back(child);
    }
  }
  return also;
}

using Slaves = std::map<MountIndex, std::vector<MountIndex>>;  // by the mount they are kept with

void add_with_slaves(const Slaves& slaves, MountIndex mount, std::vector<MountIndex>& order) {
  order.push_back(mount);
  const auto kept = slaves.find(mount);
  if (kept == slaves.end()) return;
  for (const MountIndex slave : kept->second) add_with_slaves(slaves, slave, order);
}

// Slaves that are kept with one mount have an order among themselves, which nothing shows: one is
// tried, and the other way round.
enum class SlaveOrder : bool { one, other };

// receivers() in the order in which kernels before 6.17 unmount: after each mount those that are
// kept with it.
std::vector<MountIndex> receivers_by_keeper(const World& world, MountIndex mount,
                                            SlaveOrder slave_order) {
  Slaves slaves;
  std::vector<MountIndex> peers{mount};
  for (const MountIndex receiver : receivers(world, mount)) {
    const bool is_peer = world[receiver].group == world[mount].group;
    (is_peer ? peers : slaves[world.kept_with(receiver)]).push_back(receiver);
  }
  if (slave_order == SlaveOrder::other) {
    for (auto& [keeper, kept] : slaves) std::ranges::reverse(kept);
  }
  std::vector<MountIndex> order;
  for (const MountIndex peer : peers) add_with_slaves(slaves, peer, order);
  order.erase(order.begin());
  return order;
}

// A mount, then each mount on it with all that is below that one.
void add_depth_first(const World& world, MountIndex mount, std::vector<MountIndex>& order) {
  order.push_back(mount);
  for (const MountIndex child : world[mount].children) add_depth_first(world, child, order);
}

// Which mounts are unmounted by propagation when `going` (a mount and all below it) is unmounted.
// Candidates are mounted at the same place on the receivers of each one's parent. Of these the
// largest set is taken that loses and reveals nothing (propagate_umount.txt; Linux 6.17):
//   - a mount stays if something that stays is mounted on it or below, except on its root (what
//     covers all of it takes its place instead);
//   - a locked mount stays if its parent stays, because it covers something that its namespace must
//     not see; but not what is mounted where the first of `going` is (counterparts()).
// What is looked at first shows before 6.17, where several covers come to one place.
std::vector<MountIndex> also_unmounted(const World& world, const std::vector<MountIndex>& going,
                                       SlaveOrder slave_order = SlaveOrder::one) {
  const std::vector<MountIndex> unlocked = counterparts(world, going.front());
  std::vector<MountIndex> order;
  add_depth_first(world, going.front(), order);
  if (world.traits.umounts_deepest_first) std::ranges::reverse(order);
  std::vector<MountIndex> also;
  for (const MountIndex mount : order) {
    if (!world.has_parent(mount)) continue;
    const MountIndex parent = world[mount].parent;
    const auto others = world.traits.umounts_largest_set
                            ? receivers(world, parent)
                            : receivers_by_keeper(world, parent, slave_order);
    for (const MountIndex receiver : others) {
      const MountIndex candidate = world.mounted_at(receiver, world[mount].mount_point);
      if (candidate.exists() && !contains(going, candidate) && !contains(also, candidate)) {
        also.push_back(candidate);
      }
    }
  }
  if (!world.traits.umounts_largest_set) return those_that_went(world, going, also, unlocked);
  const auto goes = [&](MountIndex m) { return contains(going, m) || contains(also, m); };
  const auto must_stay = [&](MountIndex mount) {
    const bool is_locked = world[mount].locked && !contains(unlocked, mount);
    if (is_locked && !goes(world[mount].parent)) return true;
    return std::ranges::any_of(world[mount].children, [&](MountIndex child) {
      return !covers_root(world, child) && !std::ranges::all_of(world.subtree(child), goes);
    });
  };
  while (std::erase_if(also, must_stay) > 0) {
  }
  return also;
}

using Covers = std::vector<std::pair<MountIndex, Location>>;  // and where each comes to

// A cover that stays takes the place of the lowest mount of its stack that is unmounted. Before 6.17
// several may come to one place, the last one on top.
Covers covers_that_stay(const World& world, const std::vector<MountIndex>& going,
                        const std::vector<MountIndex>& also) {
  const auto goes = [&](MountIndex m) { return contains(going, m) || contains(also, m); };
  Covers covers;
  for (const MountIndex mount : also) {
    MountIndex lowest = mount;
    while (goes(world[lowest].parent)) lowest = world[lowest].parent;
    for (const MountIndex cover : world[mount].children) {
      if (!covers_root(world, cover) || goes(cover)) continue;
      covers.emplace_back(cover, Location{world[lowest].parent, world[lowest].mount_point});
    }
  }
  return covers;
}

// Which of several covers comes on top at a place hangs on the order of slaves (FINDINGS.md,
// "Before 6.17 a hidden order decides which cover is on top").
bool is_cover_unclear(const World& world, const std::vector<MountIndex>& going,
                      const Covers& covers) {
  if (world.traits.umounts_largest_set || covers.size() < 2) return false;
  const auto by_place = [](const Covers& all) {
    std::map<std::pair<MountIndex, DentryId>, std::vector<MountIndex>> result;
    for (const auto& [cover, at] : all) result[{at.mount, at.dentry}].push_back(cover);
    return result;
  };
  const auto also = also_unmounted(world, going, SlaveOrder::other);
  return by_place(covers) != by_place(covers_that_stay(world, going, also));
}

}  // namespace

std::vector<MountIndex> unmounted_with(const World& world, MountIndex mount) {
  return also_unmounted(world, {mount});
}

Verdict::Stop umount_tree(World& world, MountIndex mount, UmountOptions options) {
  const std::vector<MountIndex> going = world.subtree(mount);
  std::vector<MountIndex> all = going;
  if (options.propagate) {
    for (const MountIndex same : counterparts(world, mount)) world[same].locked = false;
    const std::vector<MountIndex> also = also_unmounted(world, going);
    all.insert(all.end(), also.begin(), also.end());
    const Covers covers = covers_that_stay(world, going, also);
    if (is_cover_unclear(world, going, covers)) return Verdict::Stop::unclear_cover;
    for (const auto& [cover, place] : covers) {
      world.detach_from_parent(cover);
      world.attach(cover, place.mount, place.dentry);
    }
  }
  for (const MountIndex m : all) {
    if (world[m].mount_ns.exists() && world[world[m].mount_ns].rootfs != m) --world.mount_count;
    world[m].mount_ns = {};
    world[m].unmounted = true;
    world.leave_group(m);
    world[m].own_master = {};
    world[m].kept_with = {};
    world[m].unbindable = false;
  }
  for (const MountIndex m : all) {
    // In a tree that is detached, a locked mount goes on covering what must not be seen.
    const bool stays_connected = options.lazy && world.has_parent(m) &&
                                 world[world[m].parent].unmounted &&
                                 (options.stay_connected || world[m].locked);
    if (!stays_connected) {
      world.detach_from_parent(m);
    } else if (world.traits.unmounted_leave_dead_ends) {
      world.detach_to_dead_end(m);
    }
  }
  world.has_unmounted = true;
  return Verdict::Stop::no;
}

void umount_from_removed(World& world, DentryId dentry) {
  for (std::uint32_t i = 0; i < world.mounts.size(); ++i) {
    const MountIndex mount{i};
    if (!world[mount].exists || !world.has_parent(mount) || world[mount].mount_point != dentry) {
      continue;
    }
    if (world[mount].unmounted) {
      world.detach_from_parent(mount);
    } else {
      umount_tree(world, mount, {.propagate = false, .lazy = true, .stay_connected = true});
    }
  }
}

void change_propagation(World& world, MountIndex mount, Propagation to) {
  if (to == Propagation::shared_) {
    make_shared(world, mount);
    return;
  }
  const GroupId group = world[mount].group;
  if (group.exists()) {
    const bool alone = world[group].members.size() == 1;
    const GroupId master = alone ? world[group].master : group;
    const MountIndex kept_with = alone ? world[group].kept_with : world.next_peer(mount);
    world.leave_group(mount);
    world[mount].own_master = master;
    world[mount].kept_with = kept_with;
  }
  if (to == Propagation::slave) return;
  world[mount].own_master = {};
  world[mount].kept_with = {};
  world[mount].unbindable = to == Propagation::unbindable;
}

// mount_namespaces(7), Restrictions on mount namespaces: it says nothing of nosymfollow, and kernels
// don't lock it.
constexpr MountFlags lockable_flags{MountFlag::ro, MountFlag::nosuid, MountFlag::nodev,
                                    MountFlag::noexec};

void lock_tree(World& world, MountIndex mount) {
  for (const MountIndex m : world.subtree(mount)) {
    world[m].locked_flags = world[m].locked_flags.with(world[m].flags.intersect(lockable_flags));
    world[m].locked_flags.set(MountFlag::noatime);
    world[m].locked = true;
  }
}

void drop_namespace(World& world, NamespaceId mount_ns) {
  const MountIndex rootfs = world[mount_ns].rootfs;
  umount_tree(world, rootfs, {});
  world[mount_ns].rootfs = {};
}

namespace {

void take_down_closed_trees(World& world) {
  world.has_detached_trees = false;
  for (std::uint32_t i = 0; i < world.mount_namespaces.size(); ++i) {
    const NamespaceId mount_ns{i};
    if (!world.is_detached_tree(mount_ns)) continue;
    const bool is_kept = std::ranges::any_of(world.tasks, [mount_ns](const Task& task) {
      return task.alive && std::ranges::any_of(task.handles, [mount_ns](const Handle& handle) {
               return handle.keeps == mount_ns;
             });
    });
    if (is_kept) {
      world.has_detached_trees = true;
      continue;
    }
    umount_tree(world, world[mount_ns].detached_root, {.stay_connected = true});
    world[mount_ns].detached_root = {};
  }
}

}  // namespace

void forget_unused(World& world) {
  if (world.has_detached_trees) take_down_closed_trees(world);
  if (!world.has_unmounted) return;
  bool again = true;
  bool any_left = false;
  while (again) {
    again = any_left = false;
    for (std::uint32_t i = 0; i < world.mounts.size(); ++i) {
      const MountIndex mount{i};
      if (!world[mount].exists || !world[mount].unmounted || mount == world.dead_end) continue;
      if (world.has_parent(mount) || world.is_referenced(mount)) {
        any_left = true;
        continue;
      }
      const std::vector<MountIndex> children = world[mount].children;
      for (const MountIndex child : children) world.detach_from_parent(child);
      world.free_mount(mount);
      again = again || !children.empty();
    }
  }
  world.has_unmounted = any_left;
}

}  // namespace pivotcheck::model
