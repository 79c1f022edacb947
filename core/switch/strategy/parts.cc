// SPDX-License-Identifier: Apache-2.0
// parts.cc: see parts.h.
#include "switch/strategy/parts.h"

#include <algorithm>
#include <array>
#include <ranges>
#include <set>
#include <utility>

namespace pivotcheck::strategy {

HandleName new_root() { return {"newroot"}; }

namespace {

HandleName old_root() { return {"oldroot"}; }
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

using Request = MountRequest;  // that the first argument is the `what` of

void gather(const BindAt& bind, const Request&, std::size_t number, Steps& steps) {
  const HandleName tree = numbered("tree", number);
  OpenTreeFlags flags{OpenTreeFlag::clone};
  flags.set(OpenTreeFlag::recursive, bind.recursive);
  // Private, because a clone of a shared mount is its peer: what is mounted on one appears on both.
  AttributeChange change = change_to(bind.read_only, Propagation::private_);
  change.set.set(MountFlag::nosuid, !bind.suid);
  change.set.set(MountFlag::nodev, !bind.dev);
  add(steps, Phase::bind, OpenTreeNoLinks{{tree, bind.source, flags}},
      MountSetattr{at(tree), change, {bind.recursive}});
}

void gather(const OneOf<TmpfsAt, DirectoryAt, SymlinkAt> auto&, const Request&, std::size_t,
            Steps&) {}

void gather(const ProcAt& proc, const Request&, std::size_t number, Steps& steps) {
  add(steps, Phase::bind, NewProc{numbered("proc", number)});
  if (!proc.open) add(steps, Phase::bind, CloneNull{numbered("null", number)});
}

// Bound, because a device node made in a user namespace does not work.
constexpr std::array device_nodes{"null", "zero", "full", "random", "urandom", "tty"};
constexpr std::string_view console = "console";
struct DeviceLink {
  std::string_view name;
  std::string_view text;
};
constexpr std::array device_links{
    DeviceLink{"fd", "/proc/self/fd"},         DeviceLink{"stdin", "/proc/self/fd/0"},
    DeviceLink{"stdout", "/proc/self/fd/1"},   DeviceLink{"stderr", "/proc/self/fd/2"},
    DeviceLink{"ptmx", "pts/ptmx"},
};

HandleName node(std::size_t number, std::string_view name) {
  return {"node" + std::to_string(number) + std::string(name)};
}

void gather(const DevAt&, const Request& request, std::size_t number, Steps& steps) {
  const auto bind = [&](std::string_view name, const std::string& source) {
    const HandleName handle = node(number, name);
    add(steps, Phase::bind, OpenTree{handle, source, {OpenTreeFlag::clone}},
        MountSetattr{at(handle), change_to(false, Propagation::private_), {false}});
  };
  for (const std::string name : device_nodes) bind(name, "/dev/" + name);
  if (!request.console.empty()) bind(console, request.console);
}

// --- place: what is done in the new root ---------------------------------------------------------

// A tmpfs stays open until all is placed: targets are made in it (make_way).
constexpr bool is_tmpfs(const MountAt& what) {
  return std::holds_alternative<TmpfsAt>(what) || std::holds_alternative<DevAt>(what);
}

void place(const BindAt& bind, const Request&, std::size_t number, Steps& steps) {
  attach(numbered("tree", number), bind.target, steps);
  add(steps, Phase::bind, Close{numbered("tree", number)});
}

void place(const TmpfsAt& tmpfs, const Request&, std::size_t number, Steps& steps) {
  const HandleName tree = numbered("tree", number);
  const MountFlags flags{MountFlag::nosuid, MountFlag::nodev};
  add(steps, Phase::bind, Fsmount{tree, FilesystemType::tmpfs, flags});
  attach(tree, tmpfs.target, steps);
}

void place(const ProcAt& proc, const Request&, std::size_t number, Steps& steps) {
  const HandleName made = numbered("proc", number);
  add(steps, Phase::bind, OpenInRoot{target(), new_root(), proc.target},
      AttachNew{made, target(), /*keep=*/!proc.open}, Close{target()});
  if (!proc.open) add(steps, Phase::bind, MaskProc{made, numbered("null", number)});
}

void place(const DevAt& dev, const Request& request, std::size_t number, Steps& steps) {
  const HandleName tree = numbered("tree", number);
  const MountFlags flags{MountFlag::nosuid, MountFlag::noexec};
  // In a world-writable directory the kernel refuses O_CREAT on a device of another owner.
  add(steps, Phase::bind, Fsmount{tree, FilesystemType::tmpfs, flags},
      Chmod{at(tree, "/."), {0755}});
  attach(tree, dev.target, steps);
  const auto bind = [&](std::string_view name) {
    const HandleName handle = node(number, name);
    const Path file = at(tree, "/" + std::string(name));
    add(steps, Phase::bind, Touch{file}, MoveMount{at(handle), file, {}}, Close{handle});
  };
  for (const std::string_view name : device_nodes) bind(name);
  if (!request.console.empty()) bind(console);
  for (const auto& [name, text] : device_links) {
    add(steps, Phase::bind, Symlink{{std::string(text)}, at(tree, "/" + std::string(name))});
  }
  const HandleName shm = numbered("shm", number);
  const HandleName pts = numbered("pts", number);
  add(steps, Phase::bind, Mkdir{at(tree, "/shm")},
      Fsmount{shm, FilesystemType::tmpfs, {MountFlag::nosuid, MountFlag::nodev}},
      MoveMount{at(shm), at(tree, "/shm"), {}}, Close{shm}, Mkdir{at(tree, "/pts")}, NewPts{pts},
      Open{target(), at(tree, "/pts")}, AttachNew{pts, target()}, Close{target()});
}

// The way to them is all there is to make.
void place(const OneOf<DirectoryAt, SymlinkAt> auto&, const Request&, std::size_t, Steps&) {}

// What is in a tmpfs of ours already.
using Made = std::set<std::pair<std::size_t, std::string>>;

void note_devices(std::size_t number, Made& made) {
  for (const std::string name : device_nodes) made.emplace(number, "/" + name);
  for (const DeviceLink& link : device_links) made.emplace(number, "/" + std::string(link.name));
  for (const char* name : {"/console", "/shm", "/pts"}) made.emplace(number, name);
}

// Makes a target and the directories on the way to it, if they lie in a tmpfs of ours.
void make_way(const std::vector<MountRequest>& requests, std::size_t which,
              const std::vector<Entry>* contents, Made& made, Steps& steps) {
  const auto own = own_place(requests, which, contents);
  if (!own) return;
  const HandleName tmpfs =
      own->tmpfs == OwnPlace::top ? new_root() : numbered("tree", own->tmpfs);
  const MountRequest& request = requests[which];
  const auto* link = std::get_if<SymlinkAt>(&request.what);
  std::string path;
  for (std::size_t i = 0; i < own->names.size(); ++i) {
    path += "/" + own->names[i];
    const bool last = i + 1 == own->names.size();
    if (!made.emplace(own->tmpfs, path).second && !(last && link != nullptr)) continue;
    const Path place = at(tmpfs, path);
    if (last && link != nullptr) add(steps, Phase::bind, Symlink{{link->text}, place});
    else if (last && request.of_file) add(steps, Phase::bind, Touch{place});
    else add(steps, Phase::bind, Mkdir{place});
  }
}

std::string name_of(const MountRequest& request) {
  const char* what = std::holds_alternative<DirectoryAt>(request.what) ? "the directory "
                     : std::holds_alternative<SymlinkAt>(request.what) ? "the link "
                                                                        : "the mount at ";
  return what + request.target();
}

// The steps that `append` makes for a mount are about that.
void for_each(const std::vector<MountRequest>& requests, Steps& steps, auto append) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const std::size_t first = steps.size();
    std::visit([&](const auto& one) { append(one, requests[i], i, steps); }, requests[i].what);
    for (SwitchStep& step : std::span(steps).subspan(first)) step.about = name_of(requests[i]);
  }
}

}  // namespace

AttributeChange change_to(bool read_only, std::optional<Propagation> propagation) {
  return {.set = read_only ? MountFlags{MountFlag::ro} : MountFlags{},
          .clear = {},
          .propagation = propagation};
}

AttributeChange change_of_root(const Plan& plan, std::optional<Propagation> propagation) {
  AttributeChange change = change_to(plan.read_only, propagation);
  change.set.set(MountFlag::nosuid, plan.confine);
  change.set.set(MountFlag::nodev, plan.confine);
  return change;
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
  add(steps, Phase::namespaces, EnterRoot{plan.new_root}, Unshare{{NamespaceKind::mnt}});
}

void set_up_root(const Plan& plan, RootUse use, Steps& steps, Propagation of_slash) {
  constexpr AttributeChange writable{.set = {}, .clear = {MountFlag::ro}, .propagation = {}};
  enter_namespaces(plan, steps);
  add(steps, Phase::propagation, ChangePropagation{"/", of_slash, true});
  const OpenTreeFlags whole{OpenTreeFlag::clone, OpenTreeFlag::recursive};
  add(steps, Phase::bind, OpenTree{new_root(), ".", whole});
  if (plan.read_only || plan.confine) {
    add(steps, Phase::bind, MountSetattr{at(new_root()), change_of_root(plan), {true}});
  }
  if (plan.read_only && use == RootUse::room_for_put_old) {
    add(steps, Phase::bind, MountSetattr{at(new_root()), writable, {false}});
  }
  add(steps, Phase::bind, MoveMount{at(new_root()), ".", {}}, Fchdir{new_root()});
  mount_requests(plan.mounts, steps);
  add(steps, Phase::bind, Close{new_root()});
}

void pivot_to_put_old(const Plan& plan, Steps& steps) {
  add(steps, Phase::pivot, Open{old_root(), "/"}, MakePrivateDirectory{plan.put_old},
      PivotRoot{".", plan.put_old});
}

void remove_put_old(const Plan& plan, Steps& steps) {
  add(steps, Phase::detach, Fchdir{old_root()}, Umount{".", {UmountFlag::detach}}, Chdir{"/"},
      Rmdir{plan.put_old}, Close{old_root()}, Close{MakePrivateDirectory{}.lock});
}

void gather_mounts(const std::vector<MountRequest>& requests, Steps& steps) {
  for_each(requests, steps, [](auto&... arguments) { gather(arguments...); });
}

bool is_below(const std::vector<std::string>& names, const std::vector<std::string>& directory) {
  return names.size() > directory.size() &&
         std::ranges::equal(std::span(names).first(directory.size()), directory);
}

// The last mount above the target decides: it covers those before it, or is mounted below them.
std::optional<OwnPlace> own_place(const std::vector<MountRequest>& requests, std::size_t which,
                                  const std::vector<Entry>* contents) {
  std::vector<std::string> names = components(requests[which].target());
  if (names.empty() || std::ranges::find(names, "..") != names.end()) return {};
  for (std::size_t i = which; i-- > 0;) {
    const MountAt& what = requests[i].what;
    const std::vector<std::string> above = components(requests[i].target());
    if (std::holds_alternative<DirectoryAt>(what) || std::holds_alternative<SymlinkAt>(what) ||
        !is_below(names, above)) {
      continue;
    }
    if (!is_tmpfs(what)) return {};
    names.erase(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(above.size()));
    return OwnPlace{i, std::move(names)};
  }
  if (contents == nullptr || std::ranges::find(*contents, names.front(), &Entry::name) != contents->end()) {
    return {};
  }
  return OwnPlace{OwnPlace::top, std::move(names)};
}

void place_mounts(const std::vector<MountRequest>& requests, Steps& steps,
                  const std::vector<Entry>* contents) {
  Made made;
  for_each(requests, steps, [&](const auto& what, const MountRequest& request, std::size_t number,
                                Steps& all) {
    make_way(requests, number, contents, made, all);
    if (std::holds_alternative<DevAt>(request.what)) note_devices(number, made);
    place(what, request, number, all);
  });
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (is_tmpfs(requests[i].what)) add(steps, Phase::bind, Close{numbered("tree", i)});
  }
}

void mount_requests(const std::vector<MountRequest>& requests, Steps& steps,
                    const std::vector<Entry>* contents) {
  gather_mounts(requests, steps);
  place_mounts(requests, steps, contents);
}

std::vector<std::string> components(std::string_view path) {
  std::vector<std::string> names;
  for (const auto part : path | std::views::split('/')) {
    const std::string_view name(part.begin(), part.end());
    if (!name.empty() && name != ".") names.emplace_back(name);
  }
  return names;
}

}  // namespace pivotcheck::strategy
