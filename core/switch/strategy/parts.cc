// SPDX-License-Identifier: Apache-2.0
// parts.cc: see parts.h.
#include "switch/strategy/parts.h"

#include <array>
#include <ranges>

namespace pivotcheck::strategy {
namespace {

HandleName new_root() { return {"newroot"}; }
HandleName target() { return {"target"}; }

Path at(const HandleName& handle, std::string rest = "") { return {handle.text, std::move(rest)}; }

HandleName numbered(const char* name, std::size_t number) {
  return {name + std::to_string(number)};
}

// Attaches a detached mount to a path in the new root.
void attach(const HandleName& tree, const std::string& path, Steps& steps) {
  add(steps, Phase::bind, OpenInRoot{target(), new_root(), path},
      MoveMount{at(tree), at(target()), {}}, Close{target()});
}

// --- gather: what comes from the old root, or needs to see it ------------------------------------

void gather(const BindAt& bind, std::size_t number, Steps& steps) {
  const HandleName tree = numbered("tree", number);
  OpenTreeFlags flags{OpenTreeFlag::clone};
  flags.set(OpenTreeFlag::recursive, bind.recursive);
  // Private, because a clone of a shared mount is its peer: what is mounted on one appears on both.
  const AttributeChange change = change_to(bind.read_only, Propagation::private_);
  add(steps, Phase::bind, OpenTree{tree, bind.source, flags},
      MountSetattr{at(tree), change, {bind.recursive}});
}

void gather(const TmpfsAt&, std::size_t, Steps&) {}

void gather(const ProcAt&, std::size_t number, Steps& steps) {
  add(steps, Phase::bind, NewProc{numbered("proc", number)});
}

// Bound, because a device node made in a user namespace does not work.
constexpr std::array device_nodes{"null", "zero", "full", "random", "urandom", "tty"};

HandleName node(std::size_t number, const std::string& name) {
  return {"node" + std::to_string(number) + name};
}

void gather(const DevAt&, std::size_t number, Steps& steps) {
  for (const std::string name : device_nodes) {
    const HandleName handle = node(number, name);
    add(steps, Phase::bind, OpenTree{handle, "/dev/" + name, {OpenTreeFlag::clone}},
        MountSetattr{at(handle), change_to(false, Propagation::private_), {false}});
  }
}

// --- place: what is done in the new root ---------------------------------------------------------

void place(const BindAt& bind, std::size_t number, Steps& steps) {
  attach(numbered("tree", number), bind.target, steps);
  add(steps, Phase::bind, Close{numbered("tree", number)});
}

void place(const TmpfsAt& tmpfs, std::size_t number, Steps& steps) {
  const HandleName tree = numbered("tree", number);
  const MountFlags flags{MountFlag::nosuid, MountFlag::nodev};
  add(steps, Phase::bind, Fsmount{tree, FilesystemType::tmpfs, flags});
  attach(tree, tmpfs.target, steps);
  add(steps, Phase::bind, Close{tree});
}

void place(const ProcAt& proc, std::size_t number, Steps& steps) {
  add(steps, Phase::bind, OpenInRoot{target(), new_root(), proc.target},
      AttachProc{numbered("proc", number), target()}, Close{target()});
}

void place(const DevAt& dev, std::size_t number, Steps& steps) {
  const HandleName tree = numbered("tree", number);
  const MountFlags flags{MountFlag::nosuid, MountFlag::noexec};
  // In a world-writable directory the kernel refuses O_CREAT on a device of another owner.
  add(steps, Phase::bind, Fsmount{tree, FilesystemType::tmpfs, flags},
      Chmod{at(tree, "/."), {0755}});
  attach(tree, dev.target, steps);
  for (const std::string name : device_nodes) {
    const HandleName handle = node(number, name);
    const Path file = at(tree, "/" + name);
    add(steps, Phase::bind, Touch{file}, MoveMount{at(handle), file, {}}, Close{handle});
  }
  add(steps, Phase::bind, Close{tree});
}

// The steps that `append` makes for a mount are about that.
void for_each(const std::vector<MountRequest>& requests, Steps& steps, auto append) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const std::size_t first = steps.size();
    std::visit([&](const auto& one) { append(one, i, steps); }, requests[i].what);
    for (SwitchStep& step : std::span(steps).subspan(first)) {
      step.about = "the mount at " + requests[i].target();
    }
  }
}

}  // namespace

AttributeChange change_to(bool read_only, std::optional<Propagation> propagation) {
  return {.set = read_only ? MountFlags{MountFlag::ro} : MountFlags{},
          .clear = {},
          .propagation = propagation};
}

void enter_other_namespaces(const Plan& plan, Steps& steps) {
  if (plan.pid_namespace) add(steps, Phase::namespaces, NewPidNamespace{});
  if (plan.user_namespace) {
    add(steps, Phase::namespaces, Unshare{{NamespaceKind::user}}, MapIds{});
  }
  if (plan.other_namespaces != 0) {
    add(steps, Phase::namespaces, UnshareOthers{plan.other_namespaces});
  }
}

void enter_namespaces(const Plan& plan, Steps& steps) {
  enter_other_namespaces(plan, steps);
  add(steps, Phase::namespaces, Unshare{{NamespaceKind::mnt}});
}

void bind_root_to_itself(const Plan& plan, RootUse use, Steps& steps) {
  constexpr AttributeChange writable{.set = {}, .clear = {MountFlag::ro}, .propagation = {}};
  add(steps, Phase::bind, Bind{plan.new_root, plan.new_root, /*recursive=*/true});
  if (!plan.read_only) return;
  add(steps, Phase::bind, MountSetattr{plan.new_root, change_to(true), {true}});
  if (use == RootUse::as_asked) return;
  add(steps, Phase::bind, MountSetattr{plan.new_root, writable, {false}});
}

void set_up_root(const Plan& plan, const std::vector<MountRequest>& mounts, RootUse use,
                 Steps& steps) {
  enter_namespaces(plan, steps);
  add(steps, Phase::propagation, ChangePropagation{"/", Propagation::private_, true});
  bind_root_to_itself(plan, use, steps);
  mount_requests(mounts, plan.new_root, steps);
}

void remove_put_old(const Path& put_old, Steps& steps) {
  add(steps, Phase::detach, Umount{put_old, {UmountFlag::detach}}, Rmdir{put_old});
}

void gather_mounts(const std::vector<MountRequest>& requests, Steps& steps) {
  for_each(requests, steps, [](auto&... arguments) { gather(arguments...); });
}

void place_mounts(const std::vector<MountRequest>& requests, const Path& root, Steps& steps) {
  if (requests.empty()) return;
  add(steps, Phase::bind, Open{new_root(), root});
  for_each(requests, steps, [](auto&... arguments) { place(arguments...); });
  add(steps, Phase::bind, Close{new_root()});
}

void mount_requests(const std::vector<MountRequest>& requests, const Path& root, Steps& steps) {
  gather_mounts(requests, steps);
  place_mounts(requests, root, steps);
}

std::vector<std::string> components(std::string_view path) {
  std::vector<std::string> names;
  for (const auto part : path | std::views::split('/')) {
    const std::string_view name(part.begin(), part.end());
    if (!name.empty() && name != ".") names.emplace_back(name);
  }
  return names;
}

Path below(const std::string& directory, const std::string& name) {
  return directory.ends_with('/') ? directory + name : directory + "/" + name;
}

}  // namespace pivotcheck::strategy
