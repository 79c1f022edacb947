// SPDX-License-Identifier: Apache-2.0
// process_view.cc: see process_view.h.
#include "explain/process_view.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "explain/pasted.h"
#include "observe/mountinfo.h"
#include "observe/proc.h"

namespace pivotcheck::explain {
namespace {

// --- the text of a mountinfo

std::unexpected<std::string> wrong(std::size_t line, const std::string& what) {
  return std::unexpected("line " + std::to_string(line) + ": " + what);
}

// No number may occur twice, and the parents may form no circle: no kernel prints that.
std::expected<void, std::string> check_tree(const std::vector<PastedLine>& mounts) {
  std::map<MountId, MountId> parents;
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    const MountView& mount = mounts[i].mount;
    if (parents.emplace(mount.id, mount.parent).second) continue;
    return wrong(mounts[i].number, "mount " + std::to_string(mount.id) + " is there twice");
  }
  std::set<MountId> good;  // a walk up from there ends
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    std::set<MountId> walk;
    for (MountId at = mounts[i].mount.id; !good.contains(at);) {
      if (!walk.insert(at).second) {
        return wrong(mounts[i].number, "mount " + std::to_string(at) + " is mounted on itself");
      }
      const auto up = parents.find(at);
      if (up == parents.end() || up->second == at) break;  // not seen; rootfs, which has none
      at = up->second;
    }
    good.merge(walk);
  }
  return {};
}

// What is missing in a text, with both readings of that; "" for nothing. Only the mount at "/" is
// mounted on something that the process does not see.
std::string gap_in(const ProcessView& process) {
  if (process.own_root() == nullptr) {
    return "what / is: no line is for it. Either lines are missing (the text was cut), or the text "
           "is from a chroot to a plain directory, in which pivot_root is refused: EINVAL "
           "root-not-mount-point";
  }
  for (const SeenMount& seen : process.mounts) {
    if (&seen == process.own_root() || process.find(seen.mount.parent) != nullptr) continue;
    return "what " + seen.mount.mount_point + " is mounted on: mount " +
           std::to_string(seen.mount.parent) +
           " has no line. Either that is missing (the text was cut), or the text is from a chroot, "
           "outside of which that mount is";
  }
  return "";
}

// A note on what / is mounted on. The text of a process in a chroot does not show it. Otherwise it
// is the kernel's own rootfs, which is never shared, and has the number 1 on the machine itself.
std::string note_on_root_parent(const ProcessView& process) {
  for (const SeenMount& seen : process.mounts) {
    const MountView& mount = seen.mount;
    if (mount.mount_point != "/" || process.find(mount.parent) != nullptr) continue;
    if (mount.parent <= 1) return "";
    return "mount " + std::to_string(mount.parent) +
           ", on which / is mounted, is not in the text: it is assumed not to be shared, but it "
           "may be if the text is from a chroot";
  }
  return "";
}

// --- a running process

// What may refuse pivot_root besides the mounts, and can't be asked: the sandbox of another
// process, and a profile, which may forbid some paths and not others.
void add_unseen_refusals(pid_t pid, const ProcessFacts& facts, ProcessView& process) {
  const auto& profile = facts.profile;
  if (profile.ends_with("(enforce)") || profile.ends_with("(kill)") ||
      profile.ends_with("(user)")) {
    process.unseen_refusals.push_back("whether the AppArmor profile " + profile +
                                      " allows pivot_root");
  }
  if (pid == 0 || !facts.landlock_is_active) return;
  if (facts.no_new_privileges) {
    process.unseen_refusals.emplace_back(
        "whether a Landlock sandbox holds the process (it has no_new_privs): that forbids "
        "pivot_root");
  } else {
    process.notes.emplace_back(
        "a Landlock sandbox that a process with CAP_SYS_ADMIN made would refuse pivot_root, and no "
        "file shows it; the process itself is told (without --pid)");
  }
}

// Only a process itself can ask. Children inherit filters: if the process has as many as the
// caller, they are assumed to be the same.
Expected<void> add_refusers(pid_t pid, const ProcessFacts& facts, ProcessView& process) {
  static constexpr std::string_view unknown_filter =
      "whether the seccomp filter of the process lets pivot_root through";
  if (pid != 0) {
    if (facts.seccomp_mode == 0) return {};
    const auto own = read_process(0);
    if (!own) return std::unexpected(own.error());
    if (own->seccomp_mode != facts.seccomp_mode || own->seccomp_filters != facts.seccomp_filters) {
      process.unseen_refusals.emplace_back(unknown_filter);
      return {};
    }
    process.notes.emplace_back("its seccomp filters are assumed to be the same as this command's");
  }
  const auto refusers = ask_refusers();
  if (!refusers) return std::unexpected(refusers.error());
  const bool has_filter = facts.seccomp_mode != 0;
  if (has_filter && !refusers->filter) {
    if (process.may_mount) {
      process.seccomp_answer = Outcome{EPERM};
    } else {
      process.unseen_refusals.emplace_back(unknown_filter);
    }
  } else if (has_filter && !refusers->filter->ok()) {
    process.seccomp_answer = refusers->filter;
  }
  // A profile that refuses "/" may still allow other paths; it is named among what is not seen.
  process.module_refuses =
      pid == 0 && refusers->module_refuses && process.may_mount && process.unseen_refusals.empty();
  return {};
}

Expected<std::vector<SeenMount>> parsed(std::string_view text) {
  auto mounts = parse_mountinfo(text);
  if (!mounts) return fail("mountinfo of the process: " + std::string(mounts.error().reason));
  std::vector<SeenMount> seen;
  for (MountView& mount : *mounts) {
    const std::size_t end = text.find('\n');
    seen.push_back({std::move(mount), std::string(text.substr(0, end))});
    text.remove_prefix(end + 1);
  }
  return seen;
}

// What a mount or a pivot_root changes together, and no call reads at once.
struct Reading {
  std::string mountinfo;
  FileIdentity root;
  FileIdentity directory;
  bool operator==(const Reading&) const = default;
};
Expected<Reading> read_once(pid_t pid) {
  const auto proc = open_proc();
  if (!proc) return std::unexpected(proc.error());
  TaskFiles files(proc->get(), pid != 0 ? pid : own_number(proc->get()));
  Reading reading;
  if (const auto read = files.read_file("mountinfo", reading.mountinfo); !read) {
    return std::unexpected(read.error());
  }
  reading.root = file_status(proc->get(), files.path("root")).identity;
  reading.directory = file_status(proc->get(), files.path("cwd")).identity;
  return reading;
}

// Whether `unshare --user` would help a process without the capability. Only the process itself can
// try; of another one, what user_namespaces(7) and unshare(2) demand is read.
Expected<std::string> why_no_user_namespace(pid_t pid, const ProcessView& process) {
  if (pid == 0) return try_own_namespaces();
  if (read_file("/proc/sys/user/max_user_namespaces") == "0\n") {
    return "/proc/sys/user/max_user_namespaces is 0";
  }
  const SeenMount* root = process.own_root();
  if (root == nullptr || (!root->is_rootfs() && process.find(root->mount.parent) != nullptr)) {
    return "the process is in a chroot, where unshare is refused: EPERM";
  }
  const auto proc = open_proc();
  if (!proc) return std::unexpected(proc.error());
  std::string map;
  const auto read = TaskFiles(proc->get(), pid).read_file("uid_map", map);
  if (!read) return std::unexpected(read.error());
  return map.empty() ? "no id is mapped in the user namespace of the process" : "";
}

struct Look {
  ProcessFacts facts;
  std::array<ResolvedPath, 4> paths;
};
constexpr int looks_max = 20;  // a process that mounts all the time may leave no gap between two

// proc(5), /proc/PID/mounts: poll tells whether mounts came or went since the file was opened; also
// where everything is as before again, which two readings can't tell.
Expected<bool> has_changed(const UniqueFd& mountinfo) {
  pollfd events{.fd = mountinfo.get(), .events = POLLPRI, .revents = 0};
  if (::poll(&events, 1, 0) < 0) return fail_with_errno("poll", "of mountinfo");
  return (events.revents & POLLERR) != 0;
}

// All that the process shows, looked at between two readings that agree.
Expected<Look> look_at(pid_t pid, const PathAsked& new_root, const PathAsked& put_old) {
  const auto proc = open_proc();
  if (!proc) return std::unexpected(proc.error());
  const pid_t number = pid != 0 ? pid : own_number(proc->get());
  const auto mountinfo = TaskFiles(proc->get(), number).open("mountinfo");
  if (!mountinfo) return std::unexpected(mountinfo.error());
  auto before = read_once(pid);
  for (int i = 0; i < looks_max; ++i) {
    if (!before) return std::unexpected(before.error());
    auto facts = read_process(pid);
    if (!facts) return std::unexpected(facts.error());
    auto paths = resolve_as(pid, new_root, put_old);
    if (!paths) return std::unexpected(paths.error());
    auto after = read_once(pid);
    const auto changed = has_changed(*mountinfo);
    if (!changed) return std::unexpected(changed.error());
    if (!*changed && after && *before == *after && facts->mountinfo == after->mountinfo) {
      return Look{std::move(*facts), std::move(*paths)};
    }
    before = std::move(after);
  }
  return fail(
      fmt::format("its mounts change while they are read: of {} readings no two agree; stop "
                  "what mounts there, or try again",
                  looks_max),
      Failure::Kind::cannot_run);
}

}  // namespace

const SeenMount* find_mount(const std::vector<SeenMount>& mounts, MountId id) {
  const auto found =
      std::ranges::find(mounts, id, [](const SeenMount& seen) { return seen.mount.id; });
  return found == mounts.end() ? nullptr : &*found;
}

const SeenMount* ProcessView::find(MountId id) const {
  const SeenMount* here = find_mount(mounts, id);
  return here != nullptr ? here : find_mount(elsewhere, id);
}

const SeenMount* ProcessView::own_root() const {
  if (root.mount != 0) return find_mount(mounts, root.mount);
  const auto found = std::ranges::find_if(mounts, [&](const SeenMount& seen) {
    return seen.mount.mount_point == "/" &&
           (seen.is_rootfs() || !find_mount(mounts, seen.mount.parent));
  });
  return found == mounts.end() ? nullptr : &*found;
}

std::expected<ProcessView, std::string> view_mountinfo(std::string_view mountinfo,
                                                       const OfflineQuestion& query) {
  auto lines = find_mountinfo(mountinfo);
  if (!lines) return std::unexpected(lines.error());
  if (lines->empty()) return std::unexpected("it has no line");
  if (auto checked = check_tree(*lines); !checked) return std::unexpected(checked.error());
  ProcessView process;
  for (PastedLine& line : *lines) {
    process.mounts.push_back({std::move(line.mount), std::move(line.text)});
  }
  process.offline = true;
  process.root.asked = query.root;
  process.current_directory.asked = query.current_directory;
  process.new_root.asked = query.new_root;
  process.put_old.asked = query.put_old;
  process.capabilities = query.capabilities;
  process.owns_namespace = process.machine_owns = true;
  process.may_mount = query.capabilities.has(Capability::sys_admin);
  process.traits = query.traits;
  process.notes = {
      "the text is assumed to show the whole mount namespace, and the machine's first user "
      "namespace to own it (then no mount is locked)",
      "every named directory is assumed to exist, and no name to be a symbolic link"};
  if (const std::string note = note_on_root_parent(process); !note.empty())
    process.notes.push_back(note);
  if (process.may_mount)
    process.notes.emplace_back("the process is assumed to have all capabilities");
  process.gap = gap_in(process);
  return process;
}

Expected<ProcessView> view_process(pid_t pid, const PathAsked& new_root, const PathAsked& put_old,
                                   const KernelTraits& traits) {
  auto look = look_at(pid, new_root, put_old);
  if (!look) return std::unexpected(look.error());
  const ProcessFacts* facts = &look->facts;
  std::array<ResolvedPath, 4>* paths = &look->paths;
  auto mounts = parsed(facts->mountinfo);
  if (!mounts) return std::unexpected(mounts.error());
  auto elsewhere = parsed(facts->mountinfo_elsewhere);
  if (!elsewhere) return std::unexpected(elsewhere.error());
  ProcessView process;
  static_cast<ProcessRights&>(process) = *facts;
  const std::size_t longest = std::max(mounts->size(), elsewhere->size());
  // Before 6.12 no kernel counts the mounts of a namespace; but from its root, all are visible.
  process.all_is_seen = facts->mounts != 0
                            ? facts->mounts == longest
                            : facts->has_root_of_pid_1 || root_is_namespace_root(pid);
  process.mounts = std::move(*mounts);
  process.elsewhere = std::move(*elsewhere);
  process.root = std::move((*paths)[0]);
  process.current_directory = std::move((*paths)[1]);
  process.new_root = std::move((*paths)[2]);
  process.put_old = std::move((*paths)[3]);
  // To umount2, a mount of another namespace is like a locked one.
  if (process.find(process.new_root.mount) == nullptr) process.new_root.locked.reset();
  process.traits = traits;
  process.pid = pid;
  process.keeps_ids = ::geteuid() != 0;
  add_unseen_refusals(pid, *facts, process);
  if (const auto asked = add_refusers(pid, *facts, process); !asked) {
    return std::unexpected(asked.error());
  }
  if (!process.may_mount && !process.capabilities.has(Capability::sys_admin)) {
    const auto why = why_no_user_namespace(pid, process);
    if (!why) return std::unexpected(why.error());
    process.no_user_namespace = *why;
    if (!why->empty()) {
      process.notes.push_back(
          "a user namespace of its own (unshare --user --map-root-user) can't be "
          "had: " +
          *why);
    }
  }
  return process;
}

}  // namespace pivotcheck::explain
