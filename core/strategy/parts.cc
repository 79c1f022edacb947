// SPDX-License-Identifier: Apache-2.0
// parts.cc: see parts.h.
#include "strategy/parts.h"

#include <algorithm>
#include <array>

namespace pivotcheck::strategy {
namespace {

constexpr auto read_only = AttributeChange{.set = {MountFlag::ro}, .clear = {}, .propagation = {}};
constexpr auto writable = AttributeChange{.set = {}, .clear = {MountFlag::ro}, .propagation = {}};

const HandleName new_root{"newroot"};
const HandleName tree{"tree"};
const HandleName target{"target"};
const HandleName node{"node"};

Path at(const HandleName& handle, std::string rest = "") { return {handle.text, std::move(rest)}; }

// Attaches what `tree` is at a path in the new root, and lets go of both handles.
void attach_tree(const std::string& path, Steps& steps) {
  steps.push_back({Phase::bind, OpenInRoot{target, new_root, path}});
  steps.push_back({Phase::bind, Op{MoveMount{.source = at(tree), .target = at(target), .flags = {}}}});
  steps.push_back({Phase::bind, Op{Close{target}}});
}

void request(const BindMount& bind, Steps& steps) {
  OpenTreeFlags flags{OpenTreeFlag::clone};
  flags.set(OpenTreeFlag::recursive, bind.recursive);
  steps.push_back({Phase::bind, Op{OpenTree{tree, bind.source, flags}}});
  if (bind.read_only) {
    steps.push_back({Phase::bind, Op{MountSetattr{at(tree), read_only, {bind.recursive}}}});
  }
  attach_tree(bind.target, steps);
  steps.push_back({Phase::bind, Op{Close{tree}}});
}

void request(const TmpfsMount& tmpfs, Steps& steps) {
  const MountFlags flags{MountFlag::nosuid, MountFlag::nodev};
  steps.push_back({Phase::bind, Op{Fsmount{tree, FilesystemType::tmpfs, flags}}});
  attach_tree(tmpfs.target, steps);
  steps.push_back({Phase::bind, Op{Close{tree}}});
}

void request(const ProcMount& proc, Steps& steps) {
  steps.push_back({Phase::bind, OpenInRoot{target, new_root, proc.target}});
  steps.push_back({Phase::bind, MountProc{target}});
  steps.push_back({Phase::bind, Op{Close{target}}});
}

// A device made in a user namespace does not work, and one that is bound does: so all are bound.
void request(const DevMount& dev, Steps& steps) {
  static constexpr std::array nodes{"null", "zero", "full", "random", "urandom", "tty"};
  const MountFlags flags{MountFlag::nosuid, MountFlag::noexec};
  steps.push_back({Phase::bind, Op{Fsmount{tree, FilesystemType::tmpfs, flags}}});
  attach_tree(dev.target, steps);
  for (const std::string name : nodes) {
    const Path place = at(tree, "/" + name);
    steps.push_back({Phase::bind, Op{Touch{place}}});
    steps.push_back({Phase::bind, Op{OpenTree{node, "/dev/" + name, {OpenTreeFlag::clone}}}});
    steps.push_back({Phase::bind, Op{MoveMount{.source = at(node), .target = place, .flags = {}}}});
    steps.push_back({Phase::bind, Op{Close{node}}});
  }
  steps.push_back({Phase::bind, Op{Close{tree}}});
}

std::vector<MountRequest> those(const std::vector<MountRequest>& requests, bool proc) {
  std::vector<MountRequest> result;
  std::ranges::copy_if(requests, std::back_inserter(result), [proc](const MountRequest& each) {
    return std::holds_alternative<ProcMount>(each) == proc;
  });
  return result;
}

}  // namespace

void enter_other_namespaces(const Plan& plan, Steps& steps) {
  if (plan.pid_namespace) steps.push_back({Phase::namespaces, NewPidNamespace{}});
  if (plan.user_namespace) {
    steps.push_back({Phase::namespaces, Op{Unshare{{NamespaceKind::user}}}});
    steps.push_back({Phase::namespaces, MapIds{}});
  }
  if (plan.other_namespaces != 0) {
    steps.push_back({Phase::namespaces, UnshareOthers{plan.other_namespaces}});
  }
}

void enter_namespaces(const Plan& plan, Steps& steps) {
  enter_other_namespaces(plan, steps);
  steps.push_back({Phase::namespaces, Op{Unshare{{NamespaceKind::mnt}}}});
}

void change_propagation(Propagation to, Steps& steps) {
  steps.push_back(
      {Phase::propagation, Op{ChangePropagation{.path = "/", .to = to, .recursive = true}}});
}

void bind_root_to_itself(const Plan& plan, Steps& steps) {
  steps.push_back({Phase::bind, Op{Bind{plan.new_root, plan.new_root, /*recursive=*/true}}});
  if (plan.read_only) {
    steps.push_back({Phase::bind, Op{MountSetattr{plan.new_root, read_only, {true}}}});
  }
}

void bind_root_with_room_for_put_old(const Plan& plan, Steps& steps) {
  bind_root_to_itself(plan, steps);
  if (plan.read_only) {
    steps.push_back({Phase::bind, Op{MountSetattr{plan.new_root, writable, {false}}}});
  }
}

void seal_root(const Plan& plan, Steps& steps) {
  if (plan.read_only) steps.push_back({Phase::detach, Op{MountSetattr{"/", read_only, {false}}}});
}

void mount_requests(const std::vector<MountRequest>& requests, const Path& root, Steps& steps) {
  if (requests.empty()) return;
  steps.push_back({Phase::bind, Op{Open{new_root, root}}});
  for (const MountRequest& each : requests) {
    std::visit([&](const auto& one) { request(one, steps); }, each);
  }
  steps.push_back({Phase::bind, Op{Close{new_root}}});
}

std::vector<MountRequest> without_proc(const std::vector<MountRequest>& requests) {
  return those(requests, false);
}

std::vector<MountRequest> only_proc(const std::vector<MountRequest>& requests) {
  return those(requests, true);
}

Path below(const std::string& directory, const std::string& name) {
  return directory.ends_with('/') ? directory + name : directory + "/" + name;
}

}  // namespace pivotcheck::strategy
