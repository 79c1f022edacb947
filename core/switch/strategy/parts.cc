// SPDX-License-Identifier: Apache-2.0
// parts.cc: see parts.h.
#include "switch/strategy/parts.h"

#include <algorithm>
#include <array>
#include <functional>

namespace pivotcheck::strategy {
namespace {

constexpr auto read_only = AttributeChange{.set = {MountFlag::ro}, .clear = {}, .propagation = {}};
constexpr auto writable = AttributeChange{.set = {}, .clear = {MountFlag::ro}, .propagation = {}};

HandleName new_root() { return {"newroot"}; }
HandleName target() { return {"target"}; }

Path at(const HandleName& handle, std::string rest = "") { return {handle.text, std::move(rest)}; }

HandleName numbered(const char* name, std::size_t number) {
  return {name + std::to_string(number)};
}

// Attaches a detached mount to a path in the new root.
void attach(const HandleName& tree, const std::string& path, Steps& steps) {
  steps.push_back({Phase::bind, OpenInRoot{target(), new_root(), path}});
  steps.push_back({Phase::bind, Op{MoveMount{at(tree), at(target()), {}}}});
  steps.push_back({Phase::bind, Op{Close{target()}}});
}

// --- gather: what comes from the old root, or needs to see it ------------------------------------

void gather(const BindAt& bind, std::size_t number, Steps& steps) {
  const HandleName tree = numbered("tree", number);
  OpenTreeFlags flags{OpenTreeFlag::clone};
  flags.set(OpenTreeFlag::recursive, bind.recursive);
  steps.push_back({Phase::bind, Op{OpenTree{tree, bind.source, flags}}});
  // Private, because a clone of a shared mount is its peer: what is mounted on one appears on both.
  const AttributeChange change{.set = bind.read_only ? MountFlags{MountFlag::ro} : MountFlags{},
                               .clear = {},
                               .propagation = Propagation::private_};
  steps.push_back({Phase::bind, Op{MountSetattr{at(tree), change, {bind.recursive}}}});
}

void gather(const TmpfsAt&, std::size_t, Steps&) {}

void gather(const ProcAt&, std::size_t number, Steps& steps) {
  steps.push_back({Phase::bind, NewProc{numbered("proc", number)}});
}

// Bound, because a device node made in a user namespace does not work.
constexpr std::array device_nodes{"null", "zero", "full", "random", "urandom", "tty"};

HandleName node(std::size_t number, const std::string& name) {
  return {"node" + std::to_string(number) + name};
}

void gather(const DevAt&, std::size_t number, Steps& steps) {
  for (const std::string name : device_nodes) {
    const HandleName handle = node(number, name);
    const AttributeChange change{
        .set = {}, .clear = {}, .propagation = Propagation::private_};
    steps.push_back({Phase::bind, Op{OpenTree{handle, "/dev/" + name, {OpenTreeFlag::clone}}}});
    steps.push_back({Phase::bind, Op{MountSetattr{at(handle), change, {false}}}});
  }
}

// --- place: what is done in the new root ---------------------------------------------------------

void place(const BindAt& bind, std::size_t number, Steps& steps) {
  attach(numbered("tree", number), bind.target, steps);
  steps.push_back({Phase::bind, Op{Close{numbered("tree", number)}}});
}

void place(const TmpfsAt& tmpfs, std::size_t number, Steps& steps) {
  const HandleName tree = numbered("tree", number);
  const MountFlags flags{MountFlag::nosuid, MountFlag::nodev};
  steps.push_back({Phase::bind, Op{Fsmount{tree, FilesystemType::tmpfs, flags}}});
  attach(tree, tmpfs.target, steps);
  steps.push_back({Phase::bind, Op{Close{tree}}});
}

void place(const ProcAt& proc, std::size_t number, Steps& steps) {
  const HandleName handle = numbered("proc", number);
  steps.push_back({Phase::bind, OpenInRoot{target(), new_root(), proc.target}});
  steps.push_back({Phase::bind, AttachProc{handle, target()}});
  steps.push_back({Phase::bind, Op{Close{target()}}});
}

void place(const DevAt& dev, std::size_t number, Steps& steps) {
  const HandleName tree = numbered("tree", number);
  const MountFlags flags{MountFlag::nosuid, MountFlag::noexec};
  steps.push_back({Phase::bind, Op{Fsmount{tree, FilesystemType::tmpfs, flags}}});
  // In a world-writable directory the kernel refuses O_CREAT on a device of another owner.
  steps.push_back({Phase::bind, Op{Chmod{at(tree, "/."), {0755}}}});
  attach(tree, dev.target, steps);
  for (const std::string name : device_nodes) {
    const HandleName handle = node(number, name);
    steps.push_back({Phase::bind, Op{Touch{at(tree, "/" + name)}}});
    steps.push_back({Phase::bind, Op{MoveMount{at(handle), at(tree, "/" + name), {}}}});
    steps.push_back({Phase::bind, Op{Close{handle}}});
  }
  steps.push_back({Phase::bind, Op{Close{tree}}});
}

void name_target(const MountRequest& request, std::size_t first, Steps& steps) {
  for (std::size_t i = first; i < steps.size(); ++i) {
    steps[i].about = "the mount at " + request.target();
  }
}

bool is_proc(const MountRequest& request) { return std::holds_alternative<ProcAt>(request.what); }

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

void bind_root_to_itself(const Plan& plan, RootUse use, Steps& steps) {
  steps.push_back({Phase::bind, Op{Bind{plan.new_root, plan.new_root, /*recursive=*/true}}});
  if (!plan.read_only) return;
  steps.push_back({Phase::bind, Op{MountSetattr{plan.new_root, read_only, {true}}}});
  if (use == RootUse::as_asked) return;
  steps.push_back({Phase::bind, Op{MountSetattr{plan.new_root, writable, {false}}}});
}

void seal_root(const Plan& plan, Steps& steps) {
  if (plan.read_only) steps.push_back({Phase::detach, Op{MountSetattr{"/", read_only, {false}}}});
}

void set_up_root(const Plan& plan, const std::vector<MountRequest>& mounts, RootUse use,
                 Steps& steps) {
  enter_namespaces(plan, steps);
  change_propagation(Propagation::private_, steps);
  bind_root_to_itself(plan, use, steps);
  mount_requests(mounts, plan.new_root, steps);
}

void pivot_to_put_old(const Plan& plan, Steps& steps) {
  const Path put_old = below(plan.new_root, plan.put_old);
  steps.push_back({Phase::pivot, MakePrivateDirectory{put_old}});
  steps.push_back({Phase::pivot, Op{PivotRoot{plan.new_root, put_old}}});
}

void remove_put_old(const Path& put_old, Steps& steps) {
  steps.push_back({Phase::detach, Op{Umount{put_old, {UmountFlag::detach}}}});
  steps.push_back({Phase::detach, Op{Rmdir{put_old}}});
}

void gather_mounts(const std::vector<MountRequest>& requests, Steps& steps) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const std::size_t first = steps.size();
    std::visit([&](const auto& one) { gather(one, i, steps); }, requests[i].what);
    name_target(requests[i], first, steps);
  }
}

void place_mounts(const std::vector<MountRequest>& requests, const Path& root, Steps& steps) {
  if (requests.empty()) return;
  steps.push_back({Phase::bind, Op{Open{new_root(), root}}});
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const std::size_t first = steps.size();
    std::visit([&](const auto& one) { place(one, i, steps); }, requests[i].what);
    name_target(requests[i], first, steps);
  }
  steps.push_back({Phase::bind, Op{Close{new_root()}}});
}

void mount_requests(const std::vector<MountRequest>& requests, const Path& root, Steps& steps) {
  gather_mounts(requests, steps);
  place_mounts(requests, root, steps);
}

std::vector<MountRequest> without_proc(std::vector<MountRequest> requests) {
  std::erase_if(requests, is_proc);
  return requests;
}

std::vector<MountRequest> only_proc(std::vector<MountRequest> requests) {
  std::erase_if(requests, std::not_fn(is_proc));
  return requests;
}

std::vector<std::string> components(std::string_view path) {
  std::vector<std::string> names;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, slash);
    if (!name.empty() && name != ".") names.emplace_back(name);
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return names;
}

Path below(const std::string& directory, const std::string& name) {
  return directory.ends_with('/') ? directory + name : directory + "/" + name;
}

}  // namespace pivotcheck::strategy
